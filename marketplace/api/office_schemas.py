"""What a municipality's programs are answered and may send."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from marketplace.api.schemas import Answer, Count, Day, Id, Next, Words
from marketplace.households.models import MeansTest
from marketplace.providers.models import Accreditation, AccreditationDecision, Provider
from marketplace.rounds.models import Round, RoundState
from marketplace.safety.operations import Case
from marketplace.vouchers.models import Programme, ProgrammeRule, ProgrammeWeek


class ProviderAnswer(Answer):
    """Somebody who gives care, and how the accreditation stands."""

    id: UUID
    code: str
    name: str
    email: str | None
    phone: str | None
    address: str
    qualifications: list[str]
    languages: list[str]
    visits_homes: bool
    accreditation: Accreditation
    certificate_expires: date | None
    created_at: datetime

    @classmethod
    def of(cls, row: Provider) -> "ProviderAnswer":
        """The answer for a row."""
        return cls.model_validate(row)


class ProviderPage(Answer):
    """Providers, newest first."""

    items: list[ProviderAnswer]
    next: Next


class ProviderQuery(Answer):
    """Which providers."""

    accreditation: Accreditation | None = None


class DecisionAnswer(Answer):
    """One step of an accreditation."""

    state: Accreditation
    at: datetime
    reason: str


class ProviderFile(Answer):
    """A provider with every step of its accreditation, newest first, and the steps that are open now."""

    provider: ProviderAnswer
    decisions: list[DecisionAnswer]
    steps: list[Accreditation]

    @classmethod
    def of(
        cls, row: Provider, decisions: list[AccreditationDecision], steps: tuple[Accreditation, ...]
    ) -> "ProviderFile":
        """The answer for rows."""
        told = [DecisionAnswer.model_validate(one) for one in decisions]
        return cls(provider=ProviderAnswer.of(row), decisions=told, steps=list(steps))


class NewDecision(Answer):
    """A step of an accreditation; accrediting needs a valid certificate, refusing, suspending and revoking a reason."""

    state: Accreditation
    reason: Words = ""
    certificate_expires: Day | None = None


class RoundAnswer(Answer):
    """A round: how far it is, and what its plan means (`summary`, cents of one week; empty until it is solved)."""

    id: UUID
    state: RoundState
    started_at: datetime
    seconds_limit: int
    seed: int
    solver: str
    progress: list[dict[str, Any]]
    summary: dict[str, Any]
    failure: str
    solved_at: datetime | None
    proposed_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def of(cls, row: Round) -> "RoundAnswer":
        """The answer for a row."""
        return cls.model_validate(row)


class RoundPage(Answer):
    """Rounds, newest first."""

    items: list[RoundAnswer]
    next: Next


class NewRound(Answer):
    """How long it may compute (by default as the municipality's policy says), and with which seed."""

    seconds: Annotated[Count, Field(ge=1, le=3600)] | None = None
    seed: Annotated[Count, Field(le=2**31 - 1)] = 0


class MeansTestAnswer(Answer):
    """A declared ISEE that waits for an officer."""

    id: UUID
    household_id: UUID
    isee_cents: int
    state: str
    valid_until: date
    created_at: datetime

    @classmethod
    def of(cls, row: MeansTest) -> "MeansTestAnswer":
        """The answer for a row."""
        return cls(
            id=row.id,
            household_id=row.household_id,
            isee_cents=int(row.isee_cents),
            state=row.state,
            valid_until=row.valid_until,
            created_at=row.created_at,
        )


class MeansTestPage(Answer):
    """Declared means tests, oldest first."""

    items: list[MeansTestAnswer]
    next: Next


class ProgrammeAnswer(Answer):
    """A programme of vouchers; `percent` and limits are the simple rule, `rules` of the file the dated ones."""

    id: UUID
    code: str
    name: str
    service: str
    weekly_budget_cents: int
    total_budget_cents: int | None
    isee_max_cents: int | None
    percent: str
    cap_cents_per_hour: int | None
    families_max: int | None
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Programme) -> "ProgrammeAnswer":
        """The answer for a row."""
        return cls.model_validate(row)


class ProgrammePage(Answer):
    """Programmes, newest first."""

    items: list[ProgrammeAnswer]
    next: Next


class WeekAnswer(Answer):
    """What of a week's budget is promised or spent."""

    week: date
    budget_cents: int
    used_cents: int


class RuleAnswer(Answer):
    """A dated rule, as `python -m billing subsidy` reads it; it counts from `first_day`, before `end` (null: open)."""

    number: int
    rule: dict[str, Any]
    first_day: date | None
    end: date | None
    published_at: datetime


class ProgrammeFile(Answer):
    """A programme with its next twelve weeks and its rules, newest first."""

    programme: ProgrammeAnswer
    weeks: list[WeekAnswer]
    rules: list[RuleAnswer]

    @classmethod
    def of(cls, row: Programme, weeks: list[ProgrammeWeek], rules: list[ProgrammeRule]) -> "ProgrammeFile":
        """The answer for rows."""
        return cls(
            programme=ProgrammeAnswer.of(row),
            weeks=[WeekAnswer.model_validate(one) for one in weeks],
            rules=[
                RuleAnswer(
                    number=one.number,
                    rule=one.rule,
                    first_day=one.during.lower,
                    end=one.during.upper,
                    published_at=one.published_at,
                )
                for one in rules
            ],
        )


class DangerReply(Answer):
    """What an officer found and did."""

    words: str
    suspended_id: UUID | None
    answered_at: datetime


class DangerAnswerBody(Answer):
    """A report of a danger with its answers, oldest first."""

    id: UUID
    provider_id: UUID | None
    about: str
    words: str
    contact: str
    reported_at: datetime
    answer_by: datetime
    answers: list[DangerReply]

    @classmethod
    def of(cls, case: Case) -> "DangerAnswerBody":
        """The answer for a case."""
        row = case.report
        return cls(
            id=row.id,
            provider_id=row.provider_id,
            about=row.about,
            words=row.words,
            contact=row.contact,
            reported_at=row.reported_at,
            answer_by=row.answer_by,
            answers=[DangerReply.model_validate(one) for one in case.answers],
        )


class DangerPage(Answer):
    """Reports of dangers, newest first."""

    items: list[DangerAnswerBody]
    next: Next


class NewDangerReply(Answer):
    """What was found and done; with `suspend_id` a provider is suspended at once and its families are told."""

    words: Annotated[Words, Field(min_length=1)]
    suspend_id: Id | None = None
