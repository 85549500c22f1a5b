"""What a family's programs do beyond its needs and proposals, as the family does on its pages."""

from uuid import UUID

from sqlmodel import col

from marketplace.accounts.models import Role
from marketplace.api.blueprint import blueprint
from marketplace.api.family_schemas import (
    AbsenceAnswer,
    Calendar,
    Days,
    DocumentAnswer,
    DocumentPage,
    HouseholdAnswer,
    Joining,
    MeetingAnswer,
    NewAbsence,
    NewContest,
    NewNeed,
    OpeningAnswer,
    Openings,
    OwnData,
    StatementAnswer,
    StatementFile,
    StatementPage,
)
from marketplace.api.schemas import NeedAnswer, ProposalAnswer
from marketplace.api.serving import operation, page_of, require_unchanged
from marketplace.db import db
from marketplace.documents.models import Document
from marketplace.documents.queries import documents_of
from marketplace.errors import NotFound
from marketplace.home.own_data import own_data
from marketplace.households import operations as households
from marketplace.needs import operations as needs
from marketplace.rounds import joining
from marketplace.slots import agenda, meetings
from marketplace.slots.queries import get_proposal
from marketplace.statements import contests
from marketplace.statements.forms import month_from
from marketplace.statements.models import Statement
from marketplace.statements.queries import get_statement, statements_of
from marketplace.web import actor, allow, id_from, now, today


def household_id() -> UUID:
    """The family of this request."""
    found = actor().household_id
    assert found is not None
    return found


@blueprint.get("/household")
@allow(Role.FAMILY)
@operation("household:read", HouseholdAnswer)
def get_household() -> HouseholdAnswer:
    """The family and its people."""
    row = households.get_household(db.session, actor())
    return HouseholdAnswer.of(row, households.list_people(db.session, actor()), today())


@blueprint.get("/household/data")
@allow(Role.FAMILY)
@operation("household:read", OwnData)
def get_own_data() -> OwnData:
    """All that is kept of the family, to take away."""
    return OwnData(tables=own_data(db.session, actor()))


@blueprint.post("/needs")
@allow(Role.FAMILY)
@operation("needs:write", NeedAnswer, takes=NewNeed)
def post_need(body: NewNeed) -> NeedAnswer:
    """Ask for something; a draft in the browser stays as it is."""
    return NeedAnswer.of(needs.post_wish(db.session, actor(), now(), today(), body.wish()))


@blueprint.get("/needs/<need_id>/openings")
@allow(Role.FAMILY)
@operation("needs:read", Openings)
def list_openings(need_id: str) -> Openings:
    """The groups that an open need could join now."""
    found = joining.list_openings(db.session, actor(), now(), id_from(need_id))
    return Openings(openings=[OpeningAnswer.of(one) for one in found])


@blueprint.post("/needs/<need_id>/join")
@allow(Role.FAMILY)
@operation("needs:write", ProposalAnswer, takes=Joining)
def join_group(need_id: str, body: Joining) -> ProposalAnswer:
    """Have a proposal for one of these groups; it is accepted or declined as any other."""
    need = needs.get_need(db.session, actor(), id_from(need_id))
    require_unchanged(NeedAnswer.of(need))
    made = joining.propose_to_join(db.session, actor(), now(), need.id, body.slot_id)
    return ProposalAnswer.of(get_proposal(db.session, actor(), made.id))


@blueprint.get("/meetings")
@allow(Role.FAMILY)
@operation("household:read", Calendar, asks=Days)
def list_meetings(query: Days) -> Calendar:
    """The family's meetings on the days from `first` to `last`."""
    city = actor().municipality_id
    found = agenda.list_household_meetings(db.session, city, household_id(), query.first, query.last)
    return Calendar(meetings=[MeetingAnswer.of(one) for one in found])


@blueprint.post("/meetings/<meeting_id>/absence")
@allow(Role.FAMILY)
@operation("absences:write", AbsenceAnswer, takes=NewAbsence)
def report_absence(meeting_id: str, body: NewAbsence) -> AbsenceAnswer:
    """Say beforehand that somebody will not come, and read what it counts as; twice is once."""
    meeting = id_from(meeting_id)
    what = meetings.report_absence(db.session, actor(), now(), meeting, body.membership_id, illness=body.illness)
    return AbsenceAnswer(meeting_id=meeting, membership_id=body.membership_id, presence=what)


@blueprint.get("/statements")
@allow(Role.FAMILY)
@operation("household:read", StatementPage)
def list_statements() -> StatementPage:
    """The family's closed months, newest first."""
    mine = statements_of(actor().municipality_id, household_id())
    found, following = page_of(mine, col(Statement.month), col(Statement.id))
    return StatementPage(items=[StatementAnswer.of(one) for one in found], next=following)


@blueprint.get("/statements/<month>")
@allow(Role.FAMILY)
@operation("household:read", StatementFile)
def get_statement_of_month(month: str) -> StatementFile:
    """One closed month, every line."""
    return statement_now(month)


@blueprint.post("/statements/<month>/contest")
@allow(Role.FAMILY)
@operation("statements:contest", StatementFile, takes=NewContest)
def contest_line(month: str, body: NewContest) -> StatementFile:
    """The family's no to a line: it waits for a decision, the rest proceeds."""
    before = statement_now(month)
    require_unchanged(before)
    if body.line_id not in {line.line_id for group in before.groups for line in group.lines}:
        raise NotFound
    contests.contest_line(db.session, actor(), now(), body.line_id, body.reason)
    return statement_now(month)


def statement_now(month: str) -> StatementFile:
    """The statement as it stands in this request. Raises NotFound."""
    return StatementFile.of(get_statement(db.session, actor().municipality_id, household_id(), month_from(month)))


@blueprint.get("/documents")
@allow(Role.FAMILY)
@operation("household:read", DocumentPage)
def list_documents() -> DocumentPage:
    """The family's receipts, invoices, credit notes and certificates, newest first."""
    mine = documents_of(actor().municipality_id, household_id=household_id())
    found, following = page_of(mine, col(Document.id))
    return DocumentPage(items=[DocumentAnswer.of(one) for one in found], next=following)
