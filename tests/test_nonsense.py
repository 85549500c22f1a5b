"""What no page of ours would send is refused in a page: it is never a fault of the server."""

import re

from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from marketplace.accounts.models import Role
from marketplace.web import PUBLIC, SIGNED_IN, Application, access_of
from tests.test_access import address, our_rules, people, signed_in_client

assert people
NONSENSE = ("😀" * 3000, "9" * 40)
NUL = "\x00"


def faults(client: FlaskClient, path: str, has_form: bool) -> list[tuple[str, str]]:
    """(path, text) of what the server could not answer: every field with nonsense in it, twice over."""
    names = sorted(set(re.findall(r'name="([^"]+)"', client.get(path).data.decode(errors="replace"))))
    found = [
        (path, text[:20])
        for text in NONSENSE
        if has_form
        and client.post(path, data=MultiDict([(name, text) for name in names for _ in (1, 2)])).status_code == 500
    ]
    asked = client.get(path, query_string=dict.fromkeys(names, NUL)) if names else None
    return [*found, (path, NUL)] if asked is not None and asked.status_code == 500 else found


def test_nonsense_in_any_field_of_any_form_is_refused(app: Application, people: dict[str, str]) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    who = {PUBLIC: "nobody", SIGNED_IN: Role.OPERATOR.value}
    wrong = []
    for rule in our_rules(app):
        if "GET" in rule.methods and not rule.arguments:
            access = access_of(app, rule.endpoint)
            client = signed_in_client(app, people.get(who.get(access) or min(access)))
            wrong += faults(client, address(rule, ""), "POST" in rule.methods)
    assert not wrong


def test_nonsense_in_an_address_is_no_page(app: Application, people: dict[str, str]) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    wrong = []
    for rule in our_rules(app):
        access = access_of(app, rule.endpoint)
        client = signed_in_client(app, people.get(min(access)))
        path = re.sub(r"<[^>]*>", "%00", rule.rule)
        if rule.arguments and client.open(path, method=min(rule.methods - {"HEAD", "OPTIONS"})).status_code == 500:
            wrong.append(path)
    assert not wrong
