"""What a municipality's programs do with providers, rounds, means tests, programmes and dangers, as its officers do."""

from datetime import timedelta

from sqlmodel import col

from marketplace.accounts.models import Role, Shown
from marketplace.api.blueprint import blueprint
from marketplace.api.office_schemas import (
    DangerAnswerBody,
    DangerPage,
    MeansTestAnswer,
    MeansTestPage,
    NewDangerReply,
    NewDecision,
    NewRound,
    ProgrammeAnswer,
    ProgrammeFile,
    ProgrammePage,
    ProviderAnswer,
    ProviderFile,
    ProviderPage,
    ProviderQuery,
    RoundAnswer,
    RoundPage,
)
from marketplace.api.serving import operation, page_of, require_unchanged
from marketplace.db import db
from marketplace.households.models import MeansTest
from marketplace.providers import operations as providers
from marketplace.providers.models import Provider
from marketplace.rounds import operations as rounds
from marketplace.rounds.models import Round
from marketplace.rounds.proposing import propose
from marketplace.safety import operations as safety
from marketplace.safety.models import DangerReport
from marketplace.vouchers import programmes
from marketplace.vouchers.models import Programme
from marketplace.vouchers.rules import list_rules
from marketplace.web import actor, allow, id_from, now, shows, today


@blueprint.get("/providers")
@allow(Role.OFFICER)
@operation("providers:read", ProviderPage, asks=ProviderQuery)
def list_providers(query: ProviderQuery) -> ProviderPage:
    """The municipality's providers, newest first."""
    mine = providers.providers_of(actor(), query.accreditation)
    found, following = page_of(mine, col(Provider.created_at), col(Provider.id))
    return ProviderPage(items=[ProviderAnswer.of(one) for one in found], next=following)


@blueprint.get("/providers/<provider_id>")
@allow(Role.OFFICER)
@operation("providers:read", ProviderFile)
def get_provider(provider_id: str) -> ProviderFile:
    """One provider, what was decided and what may be."""
    return provider_now(provider_id)


@blueprint.post("/providers/<provider_id>/decide")
@allow(Role.OFFICER)
@operation("providers:decide", ProviderFile, takes=NewDecision)
def decide_provider(provider_id: str, body: NewDecision) -> ProviderFile:
    """The next step of an accreditation; the same one twice is once."""
    require_unchanged(provider_now(provider_id, lock=True))
    providers.decide(
        db.session, actor(), now(), id_from(provider_id), body.state, body.reason, body.certificate_expires
    )
    return provider_now(provider_id)


def provider_now(provider_id: str, *, lock: bool = False) -> ProviderFile:
    """The provider as it stands in this request. Raises NotFound."""
    row = providers.get_provider(db.session, actor(), id_from(provider_id), lock=lock)
    steps = providers.OFFICER_STEPS.get(row.accreditation, ())
    return ProviderFile.of(row, providers.list_decisions(db.session, row), steps)


@blueprint.get("/rounds")
@allow(Role.OFFICER)
@operation("rounds:read", RoundPage)
def list_rounds() -> RoundPage:
    """The municipality's rounds, newest first."""
    mine = rounds.rounds_of(actor().municipality_id)
    found, following = page_of(mine, col(Round.started_at), col(Round.id))
    return RoundPage(items=[RoundAnswer.of(one) for one in found], next=following)


@blueprint.post("/rounds")
@allow(Role.OFFICER)
@operation("rounds:write", RoundAnswer, takes=NewRound)
def start_round(body: NewRound) -> RoundAnswer:
    """Start a round; ask for it again to see how far it is."""
    return RoundAnswer.of(rounds.start_round(db.session, actor(), now(), body.seconds, body.seed))


@blueprint.get("/rounds/<round_id>")
@allow(Role.OFFICER)
@operation("rounds:read", RoundAnswer)
def get_round(round_id: str) -> RoundAnswer:
    """One round: its progress, then its result."""
    return RoundAnswer.of(rounds.get_round(db.session, actor().municipality_id, id_from(round_id)))


@blueprint.post("/rounds/<round_id>/propose")
@allow(Role.OFFICER)
@operation("rounds:write", RoundAnswer)
def propose_round(round_id: str) -> RoundAnswer:
    """Send its proposals to families and providers."""
    found = rounds.get_round(db.session, actor().municipality_id, id_from(round_id), lock=True)
    require_unchanged(RoundAnswer.of(found))
    propose(db.session, actor(), now(), found.id)
    return RoundAnswer.of(rounds.get_round(db.session, actor().municipality_id, found.id, lock=True))


@blueprint.post("/rounds/<round_id>/discard")
@allow(Role.OFFICER)
@operation("rounds:write", RoundAnswer)
def discard_round(round_id: str) -> RoundAnswer:
    """Give its plan up, so that another may be started; twice is once."""
    found = rounds.get_round(db.session, actor().municipality_id, id_from(round_id), lock=True)
    require_unchanged(RoundAnswer.of(found))
    return RoundAnswer.of(rounds.discard_round(db.session, actor(), now(), found.id))


@blueprint.get("/means-tests")
@allow(Role.OFFICER)
@operation("means:read", MeansTestPage)
def list_means_tests() -> MeansTestPage:
    """Declared means tests that wait for an officer, oldest first."""
    waiting = programmes.declared_means_tests(actor())
    found, following = page_of(waiting, col(MeansTest.created_at), col(MeansTest.id), newest_first=False)
    shows(Shown.MEANS_TEST, (one.household_id for one in found))
    return MeansTestPage(items=[MeansTestAnswer.of(one) for one in found], next=following)


@blueprint.post("/means-tests/<means_test_id>/verify")
@allow(Role.OFFICER)
@operation("means:decide", MeansTestAnswer)
def verify_means_test(means_test_id: str) -> MeansTestAnswer:
    """The certificate was seen and agrees; twice is once."""
    return MeansTestAnswer.of(
        programmes.decide_means_test(db.session, actor(), now(), id_from(means_test_id), verified=True)
    )


@blueprint.post("/means-tests/<means_test_id>/refuse")
@allow(Role.OFFICER)
@operation("means:decide", MeansTestAnswer)
def refuse_means_test(means_test_id: str) -> MeansTestAnswer:
    """There is no such certificate; twice is once."""
    return MeansTestAnswer.of(
        programmes.decide_means_test(db.session, actor(), now(), id_from(means_test_id), verified=False)
    )


@blueprint.get("/programmes")
@allow(Role.OFFICER)
@operation("programmes:read", ProgrammePage)
def list_programmes() -> ProgrammePage:
    """The municipality's programmes, newest first, ended ones too."""
    mine = programmes.programmes_of(actor().municipality_id)
    found, following = page_of(mine, col(Programme.created_at), col(Programme.id))
    return ProgrammePage(items=[ProgrammeAnswer.of(one) for one in found], next=following)


@blueprint.get("/programmes/<programme_id>")
@allow(Role.OFFICER)
@operation("programmes:read", ProgrammeFile)
def get_programme(programme_id: str) -> ProgrammeFile:
    """One programme: its budgets week by week, and its rules."""
    city = actor().municipality_id
    row = programmes.get_programme(db.session, city, id_from(programme_id))
    monday = today() - timedelta(days=today().weekday())
    weeks = programmes.list_weeks(db.session, row, monday)
    rules = [one for one in list_rules(db.session, city, row.id) if not one.during.isempty]
    return ProgrammeFile.of(row, list(weeks), rules)


@blueprint.get("/dangers")
@allow(Role.OFFICER)
@operation("dangers:read", DangerPage)
def list_dangers() -> DangerPage:
    """Reports of dangers, newest first."""
    mine = safety.reports_of(actor())
    found, following = page_of(mine, col(DangerReport.reported_at), col(DangerReport.id))
    cases = safety.cases_of(db.session, actor(), found)
    return DangerPage(items=[DangerAnswerBody.of(one) for one in cases], next=following)


@blueprint.get("/dangers/<report_id>")
@allow(Role.OFFICER)
@operation("dangers:read", DangerAnswerBody)
def get_danger(report_id: str) -> DangerAnswerBody:
    """One report of a danger."""
    return DangerAnswerBody.of(safety.get_case(db.session, actor(), id_from(report_id)))


@blueprint.post("/dangers/<report_id>/answer")
@allow(Role.OFFICER)
@operation("dangers:answer", DangerAnswerBody, takes=NewDangerReply)
def answer_danger(report_id: str, body: NewDangerReply) -> DangerAnswerBody:
    """Say what was found and done, and suspend a provider at once where `suspend_id` names one."""
    require_unchanged(DangerAnswerBody.of(safety.get_case(db.session, actor(), id_from(report_id))))
    safety.answer_danger(db.session, actor(), now(), id_from(report_id), body.words, body.suspend_id)
    return DangerAnswerBody.of(safety.get_case(db.session, actor(), id_from(report_id)))
