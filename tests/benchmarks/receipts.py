"""Statements as PDF/UA, as fast as one process prints them."""

from datetime import UTC, date, datetime
from uuid import UUID

from flask import Flask

from marketplace.i18n import init_i18n
from marketplace.statements.documents import statement_pdf
from marketplace.statements.models import Payment, PaymentState, Statement, StatementState
from marketplace.statements.queries import GroupLines, LineFacts, StatementFacts

NOVEMBER, AT = date(2026, 11, 1), datetime(2026, 12, 1, tzinfo=UTC)


def print_receipts(count: int) -> int:
    """Print that many different ones; how many bytes they are together."""
    app = Flask(__name__)
    init_i18n(app)
    with app.test_request_context():
        return sum(len(_print(number)) for number in range(count))


def _print(number: int) -> bytes:
    family = f"Famiglia {number}"
    return statement_pdf(_facts(number), family, "Via Emilia 1", "Reggio Emilia", {"matematica": "maths"}, AT.date())


def _facts(number: int) -> StatementFacts:
    """Four meetings in a group of three."""
    statement = Statement(
        municipality_id="035033",
        id=UUID(int=number),
        household_id=UUID(int=1),
        month=NOVEMBER,
        year=2026,
        number=number,
        state=StatementState.PAID,
        total_cents=5200,
        due_on=date(2026, 12, 8),
        closed_at=AT,
        paid_at=AT,
    )
    payment = Payment(
        municipality_id="035033",
        statement_id=statement.id,
        household_id=UUID(int=1),
        cents=5200,
        state=PaymentState.SUCCEEDED,
        updated_at=AT,
    )
    why = {
        "attendance": "present",
        "cost_cents": 3900,
        "seats": 3,
        "shares": [1300] * 3,
        "mine": 0,
        "equal": True,
        "cap_cents": 1400,
        "held_cents": 0,
    }
    lines = [
        LineFacts(date(2026, 11, day), "meeting", 1300, 0, 0, 1300, alone_cents=3000, explanation=why)
        for day in (3, 10, 17, 24)
    ]
    group = GroupLines("tutoring", "maths", "Laura Neri", "Luca", tuple(lines))
    return StatementFacts(statement, (payment,), (group,))
