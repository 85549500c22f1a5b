"""What the command line does about documents."""

from collections.abc import Callable
from datetime import date

from sqlmodel import Session

from marketplace.db import Scope, set_scope
from marketplace.documents.settlement import differences, report_csv, settlement_report
from marketplace.errors import NotFound
from marketplace.statements.operations import find_closing
from marketplace.words import N_


class NotClosed(NotFound):
    """There is no closed month to report on."""

    default = N_("Questo mese non è chiuso, o il Comune non c'è.")


def print_settlement(
    session: Session, municipality_id: str, month: date, say: Callable[[str], None], note: Callable[[str], None]
) -> int:
    """A closed month's report as CSV to `say`, what does not follow from the lines to `note`. The exit status."""
    set_scope(session, Scope(municipality_id))
    closing = find_closing(session, municipality_id, month)
    if closing is None:
        raise NotClosed
    report = settlement_report(session, closing)
    say(report_csv(report).decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n"))
    wrong = differences(session, report)
    for one in wrong:
        note(f"{month:%Y-%m} {one}")
    return 1 if wrong else 0
