"""Everything that is kept of a family, as a file it can take away: its own rows alone, nobody else's."""

from typing import Any, Final
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Look
from marketplace.db import Row
from marketplace.households.addresses import addresses_of
from marketplace.households.models import Farewell, Household, MeansTest, MobileNumber, Person
from marketplace.messages.choices import find_choice
from marketplace.needs.models import Need, NeedDraft
from marketplace.slots.extra_models import ExtraSeat, ExtraSession
from marketplace.slots.models import Attendance, Membership, Proposal
from marketplace.statements.models import Payment, Statement, StatementLine
from marketplace.talk.models import Feedback, GroupMessage
from marketplace.vouchers.models import VoucherHold

# Tables whose rows name their household.
OWN: Final[tuple[type[Any], ...]] = (
    Person, MeansTest, MobileNumber, Farewell, GroupMessage, Feedback, Need, NeedDraft, Proposal, Membership,
    ExtraSession, ExtraSeat,
    Statement, StatementLine, Payment, Look,
)  # fmt: skip
# What is not the family's, or says nothing without our keys.
HIDDEN: Final = frozenset({"tax_code_index", "number_index", "code_hash", "address_index"}) | {
    "stripe_customer_id", "stripe_payment_method_id", "stripe_intent_id",
}  # fmt: skip


def own_data(session: Session, by: Actor) -> dict[str, list[dict[str, Any]]]:
    """By table, the rows of the actor's household as JSON values."""
    household_id = by.household_id
    assert household_id is not None
    found = {"household": _dump(session, by, Household, col(Household.id) == household_id)}
    for table in OWN:
        found[table.__tablename__] = _dump(session, by, table, table.household_id == household_id)
    memberships = [UUID(row["id"]) for row in found["membership"]]
    found["attendance"] = _dump(session, by, Attendance, col(Attendance.membership_id).in_(memberships))
    found["voucher_hold"] = _dump(session, by, VoucherHold, col(VoucherHold.membership_id).in_(memberships))
    emails = [
        one.email for one in addresses_of(session, {by.municipality_id}, [household_id])[household_id] if one.email
    ]
    chosen = [find_choice(session, by.municipality_id, email) for email in emails]
    found["mail_choice"] = [one.model_dump(mode="json", exclude=set(HIDDEN)) for one in chosen if one]
    return found


def _dump(session: Session, by: Actor, table: type[Row], mine: Any) -> list[dict[str, Any]]:
    rows = session.exec(select(table).where(table.municipality_id == by.municipality_id, mine).order_by(col(table.id)))
    return [row.model_dump(mode="json", exclude=set(HIDDEN)) for row in rows]
