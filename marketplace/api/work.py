"""What a provider's programs do, as the provider does on its pages: meetings, answers, offers, hours, earnings."""

from datetime import timedelta
from uuid import UUID

from sqlmodel import col

from marketplace.accounts.models import Role
from marketplace.api.blueprint import blueprint
from marketplace.api.family_schemas import DocumentAnswer, DocumentPage
from marketplace.api.serving import operation, page_of, require_unchanged
from marketplace.api.work_schemas import (
    EarningsAnswer,
    EarningsQuery,
    Hours,
    HoursNow,
    NewAttendance,
    NewOffer,
    OfferAnswer,
    OfferPage,
    Reason,
    RemovedOffer,
    WeekQuery,
    WorkMeeting,
    WorkSlot,
    WorkWeek,
)
from marketplace.db import db
from marketplace.documents.models import Document
from marketplace.documents.queries import documents_of
from marketplace.hours import merge
from marketplace.providers import operations as providers
from marketplace.providers.models import Offer
from marketplace.slots import agenda, meetings
from marketplace.slots.operations import answer_slot
from marketplace.slots.queries import get_slot_facts
from marketplace.statements.earnings import get_earnings
from marketplace.statements.forms import month_from
from marketplace.web import actor, allow, id_from, now, today
from matching.instance import Window


def provider_id() -> UUID:
    """The provider of this request."""
    found = actor().provider_id
    assert found is not None
    return found


@blueprint.get("/work/week")
@allow(Role.PROVIDER)
@operation("work:read", WorkWeek, asks=WeekQuery)
def get_week(query: WeekQuery) -> WorkWeek:
    """A week's meetings, what is still to record, and the groups that wait for an answer."""
    day = query.day or today()
    monday = day - timedelta(days=day.weekday())
    return WorkWeek.of(agenda.get_provider_week(db.session, actor().municipality_id, now(), provider_id(), monday))


@blueprint.get("/work/meetings/<meeting_id>")
@allow(Role.PROVIDER)
@operation("work:read", WorkMeeting)
def get_meeting(meeting_id: str) -> WorkMeeting:
    """One meeting with its sheet."""
    return meeting_now(meeting_id)


@blueprint.post("/work/meetings/<meeting_id>/attendance")
@allow(Role.PROVIDER)
@operation("attendance:write", WorkMeeting, takes=NewAttendance)
def record_attendance(meeting_id: str, body: NewAttendance) -> WorkMeeting:
    """Say who came; the same again writes nothing."""
    require_unchanged(meeting_now(meeting_id))
    marks = {one.membership_id: one.presence for one in body.marks}
    meetings.record_attendance(db.session, actor(), now(), id_from(meeting_id), marks)
    return meeting_now(meeting_id)


@blueprint.post("/work/meetings/<meeting_id>/cancel")
@allow(Role.PROVIDER)
@operation("attendance:write", WorkMeeting, takes=Reason)
def cancel_meeting(meeting_id: str, body: Reason) -> WorkMeeting:
    """Say that it does not take place: families pay nothing and are told; twice is once."""
    require_unchanged(meeting_now(meeting_id))
    meetings.cancel_meeting(db.session, actor(), now(), id_from(meeting_id), body.reason)
    return meeting_now(meeting_id)


def meeting_now(meeting_id: str) -> WorkMeeting:
    """The meeting as it stands in this request. Raises NotFound."""
    return WorkMeeting.of(agenda.get_provider_meeting(db.session, actor(), id_from(meeting_id)))


@blueprint.get("/work/slots/<slot_id>")
@allow(Role.PROVIDER)
@operation("work:read", WorkSlot)
def get_slot(slot_id: str) -> WorkSlot:
    """One of the provider's groups."""
    return slot_now(slot_id)


@blueprint.post("/work/slots/<slot_id>/accept")
@allow(Role.PROVIDER)
@operation("work:answer", WorkSlot)
def accept_slot(slot_id: str) -> WorkSlot:
    """Say yes to a proposed group; twice is once."""
    return answered(slot_id, True)


@blueprint.post("/work/slots/<slot_id>/decline")
@allow(Role.PROVIDER)
@operation("work:answer", WorkSlot)
def decline_slot(slot_id: str) -> WorkSlot:
    """Say no, which lowers no later chance; twice is once."""
    return answered(slot_id, False)


def answered(slot_id: str, accept: bool) -> WorkSlot:
    """The group after the provider's answer."""
    require_unchanged(slot_now(slot_id))
    answer_slot(db.session, actor(), now(), id_from(slot_id), accept)
    return slot_now(slot_id)


def slot_now(slot_id: str) -> WorkSlot:
    """The group as it stands in this request. Raises NotFound."""
    return WorkSlot.of(get_slot_facts(db.session, actor(), id_from(slot_id)))


@blueprint.get("/work/offers")
@allow(Role.PROVIDER)
@operation("work:read", OfferPage)
def list_offers() -> OfferPage:
    """The provider's offers, newest first."""
    found, following = page_of(providers.offers_of(actor()), col(Offer.id))
    return OfferPage(items=[OfferAnswer.of(one) for one in found], next=following)


@blueprint.post("/work/offers")
@allow(Role.PROVIDER)
@operation("offers:write", OfferAnswer, takes=NewOffer)
def add_offer(body: NewOffer) -> OfferAnswer:
    """One more offer; it counts from the next round."""
    return OfferAnswer.of(providers.add_offer(db.session, actor(), now(), body.terms(), today()))


@blueprint.post("/work/offers/<offer_id>/remove")
@allow(Role.PROVIDER)
@operation("offers:write", RemovedOffer)
def remove_offer(offer_id: str) -> RemovedOffer:
    """Take an offer back; groups that stand keep its price. Twice is once."""
    providers.remove_offer(db.session, actor(), now(), id_from(offer_id))
    return RemovedOffer(id=id_from(offer_id))


@blueprint.get("/work/hours")
@allow(Role.PROVIDER)
@operation("work:read", HoursNow)
def get_hours() -> HoursNow:
    """The provider's weekly hours."""
    return HoursNow(windows=providers.get_own(db.session, actor()).windows)


@blueprint.put("/work/hours")
@allow(Role.PROVIDER)
@operation("offers:write", HoursNow, takes=Hours)
def set_hours(body: Hours) -> HoursNow:
    """The weekly hours for the rounds to come; groups that stand keep theirs."""
    require_unchanged(HoursNow(windows=providers.get_own(db.session, actor(), lock=True).windows))
    merged = merge(Window(one.day, one.start, one.end) for one in body.windows)
    windows = [{"day": one.day, "start": one.start, "end": one.end} for one in merged]
    return HoursNow(windows=providers.set_hours(db.session, actor(), now(), windows).windows)


@blueprint.get("/work/earnings")
@allow(Role.PROVIDER)
@operation("work:read", EarningsAnswer, asks=EarningsQuery)
def get_provider_earnings(query: EarningsQuery) -> EarningsAnswer:
    """What is due, what a month earned, and every payout."""
    month = month_from(query.month) if query.month else None
    return EarningsAnswer.of(get_earnings(db.session, actor().municipality_id, provider_id(), month))


@blueprint.get("/work/documents")
@allow(Role.PROVIDER)
@operation("work:read", DocumentPage)
def list_work_documents() -> DocumentPage:
    """What the provider issued, and the notes of what it was paid, newest first."""
    mine = documents_of(actor().municipality_id, provider_id=provider_id())
    found, following = page_of(mine, col(Document.id))
    return DocumentPage(items=[DocumentAnswer.of(one) for one in found], next=following)
