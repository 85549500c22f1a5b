"""Leaving the service with all one's data: groups end by their rules, then whatever names the family is erased.

What the law asks to keep stays where it is: statements and postings, which name nobody, and documents, whose sealed
content says who paid (ten years, art. 2220 of the civil code). Means tests and the decisions that rest on them stay for
the municipality's account of public money, without the name of whom they are about; so do rounds, whose instance has
the hours and the point on the map of each need that took part, and no name.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from marketplace.accounts.identity import remove_identity
from marketplace.accounts.models import Actor, ApiToken, Appointment, Municipality, Role, User
from marketplace.accounts.operations import record
from marketplace.accounts.passkeys import remove_passkeys
from marketplace.accounts.second_step import take_away
from marketplace.accounts.sessions import end_sessions
from marketplace.documents.models import Document, DocumentKind
from marketplace.errors import Forbidden
from marketplace.households.addresses import addresses_of
from marketplace.households.models import Farewell, Household, MobileNumber, Person
from marketplace.jobs import every, job
from marketplace.messages.choices import forget_choice
from marketplace.messages.models import Message
from marketplace.needs.models import Need, NeedDraft, NeedState
from marketplace.needs.operations import withdraw_need
from marketplace.slots.calendar import ROME
from marketplace.slots.facts import NAMED
from marketplace.slots.leaving import leave_slot
from marketplace.slots.models import CalendarFeed, Invitation, Membership, Proposal, ProposalState, Slot
from marketplace.slots.operations import decline_proposal
from marketplace.statements.models import ASKED, Contest, Payment, Statement, StatementState
from marketplace.statements.months import first_day
from marketplace.statements.operations import find_closing
from marketplace.talk.models import Complaint, Feedback, GroupMessage

CERTIFIED_BY: Final = (3, 1)  # month and day of the next year by which last year's certificates are out
ENDED_DOMAIN: Final = "cancellato.invalid"


class Waiting(StrEnum):
    """What a farewell waits for."""

    NEEDS = "needs"
    GROUPS = "groups"
    MONTH = "month"
    PAYMENTS = "payments"
    CERTIFICATE = "certificate"


def find_farewell(session: Session, municipality_id: str, household_id: UUID) -> Farewell | None:
    """Whether a household has asked to leave."""
    return session.exec(
        select(Farewell).where(Farewell.municipality_id == municipality_id, Farewell.household_id == household_id)
    ).first()


def say_farewell(session: Session, by: Actor, now: datetime) -> Farewell:
    """The family leaves: open needs are withdrawn, proposals declined, groups left with their notice. Twice is once.

    Its data are erased by the nightly job as soon as nothing waits for them.
    """
    if by.role != Role.FAMILY or by.household_id is None:
        raise Forbidden
    household = session.get_one(Household, (by.municipality_id, by.household_id), with_for_update=True)
    known = find_farewell(session, by.municipality_id, household.id)
    if known is not None:
        return known
    made = Farewell(municipality_id=by.municipality_id, household_id=household.id, asked_at=now, asked_by=by.user_id)
    session.add(made)
    _end_all(session, by, now)
    record(session, by, now, "say_farewell", "household", household.id)
    session.flush()
    return made


def _end_all(session: Session, by: Actor, now: datetime) -> None:
    for proposal in _proposals(session, by.municipality_id, by.household_id):
        if proposal.state == ProposalState.CONFIRMED:
            leave_slot(session, by, now, proposal.id)
        elif proposal.state in (ProposalState.PROPOSED, ProposalState.ACCEPTED) and now <= proposal.deadline:
            decline_proposal(session, by, now, proposal.id)
    session.flush()
    open_needs = select(Need.id).where(
        Need.municipality_id == by.municipality_id,
        Need.household_id == by.household_id,
        Need.state == NeedState.OPEN,
    )
    for need_id in session.exec(open_needs).all():
        withdraw_need(session, by, now, need_id)


def take_back(session: Session, by: Actor, now: datetime) -> None:
    """The family stays after all; the groups that it has left are left. Nothing to take back is no fault."""
    known = find_farewell(session, by.municipality_id, by.household_id) if by.household_id else None
    if known is not None and known.erased_at is None:
        session.delete(known)
        record(session, by, now, "take_back_farewell", "household", known.household_id)
        session.flush()


def waits_for(session: Session, municipality_id: str, household_id: UUID, now: datetime) -> list[Waiting]:
    """Why a household's data are still needed, in the order in which it will end; nothing: they may go."""
    today, found = now.astimezone(ROME).date(), []
    if _still_asks(session, municipality_id, household_id):
        found.append(Waiting.NEEDS)
    last = _last_day(session, municipality_id, household_id)
    if last is not None and last >= today:
        found.append(Waiting.GROUPS)
    elif last is not None and find_closing(session, municipality_id, first_day(last)) is None:
        found.append(Waiting.MONTH)
    if _owes(session, municipality_id, household_id):
        found.append(Waiting.PAYMENTS)
    if _has_year_without_certificate(session, municipality_id, household_id, today):
        found.append(Waiting.CERTIFICATE)
    return found


def _still_asks(session: Session, municipality_id: str, household_id: UUID) -> bool:
    """Whether a need of the household waits for a group: one posted after the farewell, or proposed past its time."""
    waiting = select(Need.id).where(
        Need.municipality_id == municipality_id,
        Need.household_id == household_id,
        col(Need.state).in_((NeedState.OPEN, NeedState.PROPOSED)),
    )
    return session.exec(waiting.limit(1)).first() is not None


def _proposals(session: Session, municipality_id: str, household_id: UUID | None) -> list[Proposal]:
    return list(
        session.exec(
            select(Proposal)
            .where(Proposal.municipality_id == municipality_id, Proposal.household_id == household_id)
            .order_by(col(Proposal.id))
        )
    )


def _last_day(session: Session, municipality_id: str, household_id: UUID) -> date | None:
    """The last day on which the household has, or had, a place in a group, or may still get one."""
    rows = session.exec(
        select(col(Proposal.left_on), col(Slot.last_date))
        .join(
            Membership,
            (col(Membership.municipality_id) == Proposal.municipality_id)
            & (col(Membership.proposal_id) == Proposal.id),
        )
        .join(Slot, (col(Slot.municipality_id) == Membership.municipality_id) & (col(Slot.id) == Membership.slot_id))
        .where(
            Proposal.municipality_id == municipality_id,
            Proposal.household_id == household_id,
            col(Proposal.state).in_((*NAMED, ProposalState.ACCEPTED)),
        )
    ).all()
    return max((left - timedelta(days=1) if left else last for left, last in rows), default=None)


def _owes(session: Session, municipality_id: str, household_id: UUID) -> bool:
    """Whether money of a closed statement is still on its way, in either direction."""
    statements = select(Statement.id).where(
        Statement.municipality_id == municipality_id,
        Statement.household_id == household_id,
        col(Statement.state).in_((StatementState.CLOSED, StatementState.OVERDUE)),
        Statement.total_cents != 0,
    )
    payments = select(Payment.id).where(
        Payment.municipality_id == municipality_id,
        Payment.household_id == household_id,
        col(Payment.state).in_(ASKED),
    )
    return session.exec(statements.limit(1)).first() is not None or session.exec(payments.limit(1)).first() is not None


def _has_year_without_certificate(session: Session, municipality_id: str, household_id: UUID, today: date) -> bool:
    """Whether a year in which it paid has no certificate yet, and one is still to be expected."""
    paid = session.exec(
        select(Statement.paid_at).where(
            Statement.municipality_id == municipality_id,
            Statement.household_id == household_id,
            Statement.state == StatementState.PAID,
            Statement.total_cents > 0,
        )
    ).all()
    certified = session.exec(
        select(Document.subject).where(
            Document.municipality_id == municipality_id,
            Document.household_id == household_id,
            Document.kind == DocumentKind.CERTIFICATE,
        )
    ).all()
    return any(
        today < date(year + 1, *CERTIFIED_BY) and f"certificate:{year}:{household_id}" not in certified
        for year in {at.astimezone(ROME).year for at in paid if at is not None}
    )


@job("home.erase")
def erase_at_night(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Every night."""
    erase_settled(session, municipality_id, now)


def erase_settled(session: Session, municipality_id: str, now: datetime) -> None:
    """Erase the households that have left and for whose data nothing waits any more."""
    leaving = select(Farewell).where(Farewell.municipality_id == municipality_id, col(Farewell.erased_at).is_(None))
    for farewell in session.exec(leaving.with_for_update(skip_locked=True)).all():
        # Whatever would be written for the household meanwhile waits for this lock.
        session.get_one(Household, (municipality_id, farewell.household_id), with_for_update=True)
        if not waits_for(session, municipality_id, farewell.household_id, now):
            erase(session, now, farewell)


def erase(session: Session, now: datetime, farewell: Farewell) -> None:
    """Nothing that names the household, its people or its home stays, but in the documents that the law keeps."""
    city, household_id = farewell.municipality_id, farewell.household_id
    household = session.get_one(Household, (city, household_id), with_for_update=True)
    centre = session.get_one(Municipality, city)
    addresses = _addresses(session, city, household_id) | ({household.email} if household.email else set())
    addresses |= {one.address for one in addresses_of(session, {city}, [household_id])[household_id]}
    mine = [one.id for one in _proposals(session, city, household_id)]
    changes: tuple[tuple[Any, Any, dict[str, Any]], ...] = (
        (Household, Household.id == household_id, _nobody(centre)),
        (Person, Person.household_id == household_id, {"name": "", "age": None, "level": None, "languages": []}),
        (
            Need,
            Need.household_id == household_id,
            _nothing_asked(),
        ),
        (Proposal, col(Proposal.id).in_(mine), {"reason": ""}),
        (Contest, Contest.household_id == household_id, {"reason": "", "answer": ""}),
    )
    for table, which, values in changes:
        session.connection().execute(update(table).where(table.municipality_id == city, which).values(values))
    said = select(GroupMessage.id).where(
        GroupMessage.municipality_id == city, GroupMessage.household_id == household_id
    )
    gone: tuple[tuple[Any, Any], ...] = (
        (Complaint, col(Complaint.message_id).in_(said)),
        (GroupMessage, GroupMessage.household_id == household_id),
        (Feedback, Feedback.household_id == household_id),
        (NeedDraft, NeedDraft.household_id == household_id),
        (CalendarFeed, CalendarFeed.household_id == household_id),
        (Invitation, Invitation.household_id == household_id),
        (MobileNumber, MobileNumber.household_id == household_id),
    )
    for table, which in gone:
        session.connection().execute(delete(table).where(table.municipality_id == city, which))
    for one in addresses:
        forget_choice(session, city, one)
    _forget_messages(session, city, household.created_at, addresses)
    farewell.erased_at = now
    record(session, Actor(city), now, "erase", "household", household.id)
    session.flush()
    session.expire_all()
    _end_accounts(session, now, city, household_id)


def _addresses(session: Session, municipality_id: str, household_id: UUID) -> set[str]:
    """E-mail addresses of those who act for the household, and its mobile number."""
    held = (
        select(User.email)
        .join(Appointment, col(Appointment.user_id) == User.id)
        .where(Appointment.municipality_id == municipality_id, Appointment.household_id == household_id)
    )
    number = select(MobileNumber.number).where(
        MobileNumber.municipality_id == municipality_id, MobileNumber.household_id == household_id
    )
    return {*session.exec(held), *session.exec(number)}


def _forget_messages(session: Session, municipality_id: str, since: datetime, addresses: set[str]) -> None:
    """Messages to these addresses; they are sealed, so that each has to be looked at."""
    written = select(Message.id, Message.recipient).where(
        Message.municipality_id == municipality_id, col(Message.created_at) >= since
    )
    gone = [one for one, to in session.exec(written.execution_options(yield_per=1000)) if to in addresses]
    session.connection().execute(
        delete(Message).where(col(Message.municipality_id) == municipality_id, col(Message.id).in_(gone))
    )


def _nobody(centre: Municipality) -> dict[str, Any]:
    return {
        "family_name": "", "given_name": "", "tax_code": None, "tax_code_index": None, "email": None, "phone": None,
        "address": "", "by_letter": False, "lat": centre.lat, "lon": centre.lon, "stripe_payment_method_id": None,
        "stripe_method_label": "",
    }  # fmt: skip


def _nothing_asked() -> dict[str, Any]:
    return {"address": None, "lat": None, "lon": None, "windows": [], "notes": ""}


def _end_accounts(session: Session, now: datetime, municipality_id: str, household_id: UUID) -> None:
    """Its people lose this role; who has no other, anywhere, has no account any more."""
    held = select(Appointment).where(
        Appointment.municipality_id == municipality_id,
        Appointment.household_id == household_id,
        col(Appointment.ended_at).is_(None),
    )
    for appointment in session.exec(held).all():
        appointment.ended_at = now
        session.connection().execute(delete(ApiToken).where(col(ApiToken.appointment_id) == appointment.id))
        session.flush()
        others = select(Appointment.id).where(
            Appointment.user_id == appointment.user_id, col(Appointment.ended_at).is_(None)
        )
        if session.exec(others.limit(1)).first() is None:
            _close_account(session, now, session.get_one(User, appointment.user_id))


def _close_account(session: Session, now: datetime, user: User) -> None:
    end_sessions(session, now, user.id)
    take_away(session, user.id)
    remove_passkeys(session, user.id)
    remove_identity(session, user.id)
    user = session.get_one(User, user.id)
    user.email, user.name, user.password, user.active = f"{user.id}@{ENDED_DOMAIN}", "", None, False
    session.flush()


every("53 2 * * *", erase_at_night)
