"""Who may do what, as the routes themselves say it: `python -m marketplace.permissions` writes docs/permissions.md."""

import sys
from collections.abc import Iterator

from flask import Flask

from marketplace.accounts.models import Role
from marketplace.web import FIRST_STEP, LIBRARY_ENDPOINTS, PUBLIC, SIGNED_IN, access_of

COLUMNS = ("nobody", "signed in", *(role.value for role in Role))
HEAD = """# Who may do what

Written by `make permissions` from what each route states. `tests/test_access.py` walks all of them as every role, as a
stranger and as an officer of another municipality, and fails where this page is not what the code says.

An x: this person gets in. *Signed in* is somebody without a role here; an operator who acts for a family at the desk
has the family's column, on record as such. Which rows of the database each then sees is row-level security's to say.
"""


def rows_of(app: Flask) -> Iterator[tuple[str, str, tuple[bool, ...]]]:
    """Address, methods, and for each of COLUMNS whether it gets in; by address."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: (one.rule, one.endpoint)):
        if rule.endpoint.startswith(LIBRARY_ENDPOINTS):
            continue
        access = access_of(app, rule.endpoint)
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        yield rule.rule, methods, tuple(_gets_in(who, access) for who in COLUMNS)


def _gets_in(who: str, access: frozenset[str]) -> bool:
    if access == PUBLIC:
        return True
    return who != "nobody" and (access in (SIGNED_IN, FIRST_STEP) or who in access)


def table_of(app: Flask) -> str:
    """The page."""
    lines = [HEAD, f"| Address | Methods | {' | '.join(COLUMNS)} |", "|---|---|" + ":-:|" * len(COLUMNS)]
    lines += [
        f"| `{address}` | {methods} | {' | '.join('x' if one else '' for one in who)} |"
        for address, methods, who in rows_of(app)
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the page for an application without a database."""
    from marketplace import create_app
    from marketplace.config import settings_from

    app = create_app(settings_from({"SECRET_KEYS": "none", "DEMO": "1"}), "postgresql+psycopg://nobody@/nothing")
    sys.stdout.write(table_of(app))


if __name__ == "__main__":
    main()
