"""A report is kept once and every officer is told at once; one without an answer after four hours reaches all staff."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from babel.dates import format_datetime
from procrastinate import RetryStrategy
from sqlalchemy import func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.accounts.models import Actor, Role, User
from marketplace.accounts.operations import list_staff, record
from marketplace.db import Scope, insert_once, seeing
from marketplace.errors import Forbidden, NotFound, Rejected
from marketplace.jobs import defer, job
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, tell
from marketplace.providers.models import Accreditation, Provider
from marketplace.providers.operations import decide
from marketplace.safety.details import Sighting
from marketplace.safety.models import DangerAnswer, DangerReport
from marketplace.slots.calendar import ROME
from marketplace.slots.models import Membership, ProposalState, Slot
from marketplace.words import N_

ANSWER_WITHIN = timedelta(hours=4)
REMIND_AFTER = timedelta(hours=2)
PER_HOUR = 10  # of one person
OF_STRANGERS_PER_HOUR = 30  # of all who have not signed in: a flood of invented ones would hide the true
MOMENT = "EEEE d MMMM, HH:mm"
ANSWERS_SHOWN_MAX = 50
CAUTION = N_("Sospensione cautelare, in attesa di verifica: l'ufficio ti chiama.")
NEW = (
    N_("Segnalazione di pericolo: rispondi entro %(moment)s"),
    N_("È arrivata una segnalazione di pericolo.\n\nEntra, apri «Segnalazioni» e rispondi entro %(moment)s."),
)
WAITING = (
    N_("Una segnalazione di pericolo aspetta: rispondi entro %(moment)s"),
    N_("Nessuno ha ancora risposto a una segnalazione di pericolo. Entra, apri «Segnalazioni» e rispondi."),
)
OVERDUE = (
    N_("Segnalazione di pericolo senza risposta: era dovuta entro %(moment)s"),
    N_("Le quattro ore sono passate e nessuno ha risposto. Un ufficio del Comune deve leggerla e decidere adesso."),
)
ANSWERED = (
    N_("La tua segnalazione è stata letta"),
    N_(
        "L'ufficio del Comune ha letto la segnalazione di %(moment)s e ha deciso che cosa fare. La persona di cui parli"
        " non sa che hai scritto. Se succede altro, scrivi di nuovo; se qualcuno rischia adesso, chiama il 112."
    ),
)


class TooMany(Rejected):
    """More reports within the hour than an office can read; in danger people call."""

    default = N_(
        "Nell'ultima ora sono arrivate troppe segnalazioni e questa non è partita: ciò che hai scritto resta qui."
        " Se qualcuno rischia adesso chiama il 112; altrimenti riprova tra un'ora, o entra con il tuo account."
    )


@dataclass(frozen=True, slots=True)
class Case:
    """A report with its answers, oldest first, and the names that an officer needs."""

    report: DangerReport
    answers: tuple[DangerAnswer, ...]
    provider: Provider | None
    reporter: User | None

    def is_overdue(self, now: datetime) -> bool:
        """Nobody has answered in time."""
        return not self.answers and self.report.answer_by < now


def report_danger(session: Session, by: Actor, now: datetime, report_id: UUID, seen: Sighting) -> datetime:
    """Keep a report and tell every officer; by when one answers. The same `report_id` twice is one report.

    Anybody may report. NotFound where there is no municipality, or no such provider; TooMany.
    """
    if not by.municipality_id:
        raise NotFound
    if seen.provider_id and session.get(Provider, (by.municipality_id, seen.provider_id)) is None:
        raise NotFound
    _require_room(session, by, now, report_id)
    until = now + ANSWER_WITHIN
    row = {
        "municipality_id": by.municipality_id,
        "id": report_id,
        "provider_id": seen.provider_id,
        "about": seen.about,
        "words": seen.words,
        "contact": seen.contact,
        "by_user_id": by.user_id,
        "by_role": by.role,
        "reported_at": now,
        "answer_by": until,
    }
    if insert_once(session, DangerReport, row):
        record(session, by, now, "report_danger", "danger_report", report_id)
        _tell_staff(session, now, by.municipality_id, report_id, until, NEW, (Role.OFFICER,))
        for at in (now + REMIND_AFTER, until):
            defer(session, press, by.municipality_id, at=at, report_id=str(report_id))
    return until


def _require_room(session: Session, by: Actor, now: datetime, report_id: UUID) -> None:
    """Raises TooMany; the second tap on one report is none more."""
    of_the_hour = select(func.count()).where(
        DangerReport.municipality_id == by.municipality_id,
        DangerReport.by_user_id == by.user_id,
        DangerReport.id != report_id,
        col(DangerReport.reported_at) > now - timedelta(hours=1),
    )
    with seeing(session, Scope(by.municipality_id)):  # whoever reports does not see reports
        count = session.exec(of_the_hour).one()
    if count >= (PER_HOUR if by.user_id else OF_STRANGERS_PER_HOUR):
        raise TooMany


@job("safety.press", retry=RetryStrategy(max_attempts=5, exponential_wait=3))
def press(session: Session, municipality_id: str, now: datetime, report_id: str = "", **_: Any) -> None:
    """While nobody has answered, officers are told again; when the time is over, administrators too."""
    report = session.get(DangerReport, (municipality_id, UUID(report_id)))
    if report is None or _answers(session, municipality_id, [report.id]):
        return
    late = now >= report.answer_by
    roles = (Role.OFFICER, Role.ADMINISTRATOR) if late else (Role.OFFICER,)
    _tell_staff(session, now, municipality_id, report.id, report.answer_by, OVERDUE if late else WAITING, roles)


def answer_danger(
    session: Session, by: Actor, now: datetime, report_id: UUID, words: str, suspend_id: UUID | None = None
) -> DangerAnswer:
    """An officer says what was found and done, and may suspend a provider at once: its families are told.

    Forbidden to all others; NotFound; Rejected without words.
    """
    if by.role != Role.OFFICER:
        raise Forbidden
    report = session.get(DangerReport, (by.municipality_id, report_id))
    if report is None:
        raise NotFound
    if not words.strip():
        raise Rejected(N_("Scrivi che cosa hai verificato e deciso."))
    if suspend_id is not None:
        decide(session, by, now, suspend_id, Accreditation.SUSPENDED, CAUTION)
    answer = DangerAnswer(
        municipality_id=by.municipality_id,
        report_id=report.id,
        words=words.strip(),
        suspended_id=suspend_id,
        by_user_id=by.user_id,
        answered_at=now,
    )
    session.add(answer)
    record(session, by, now, "answer_danger", "danger_report", report.id, suspended=suspend_id is not None)
    session.flush()
    reporter = session.get(User, report.by_user_id) if report.by_user_id else None
    if reporter is not None:
        to = Recipient(reporter.email, reporter.locale)
        values = {"moment": _moment(report.reported_at, to)}
        tell(session, by.municipality_id, now, to, f"danger answered {report.id}", *ANSWERED, values, kind=Kind.URGENT)
    return answer


def get_case(session: Session, by: Actor, report_id: UUID) -> Case:
    """One report, for an officer. Raises Forbidden, NotFound."""
    if by.role != Role.OFFICER:
        raise Forbidden
    report = session.get(DangerReport, (by.municipality_id, report_id))
    if report is None:
        raise NotFound
    return _cases(session, by.municipality_id, [report])[0]


def list_cases(session: Session, by: Actor) -> tuple[list[Case], list[Case]]:
    """What waits for an answer, the most urgent first, and what has been answered, the newest first. Forbidden."""
    if by.role != Role.OFFICER:
        raise Forbidden
    answered = col(DangerReport.id).in_(
        select(DangerAnswer.report_id).where(DangerAnswer.municipality_id == by.municipality_id)
    )
    mine = select(DangerReport).where(DangerReport.municipality_id == by.municipality_id)
    waiting = session.exec(mine.where(~answered).order_by(col(DangerReport.answer_by), col(DangerReport.id))).all()
    newest = mine.where(answered).order_by(col(DangerReport.reported_at).desc(), col(DangerReport.id).desc())
    done = session.exec(newest.limit(ANSWERS_SHOWN_MAX)).all()
    return _cases(session, by.municipality_id, waiting), _cases(session, by.municipality_id, done)


def reports_of(by: Actor) -> SelectOfScalar[DangerReport]:
    """All of the municipality's reports. Raises Forbidden for whoever is no officer."""
    if by.role != Role.OFFICER:
        raise Forbidden
    return select(DangerReport).where(DangerReport.municipality_id == by.municipality_id)


def cases_of(session: Session, by: Actor, reports: Sequence[DangerReport]) -> list[Case]:
    """The given reports with their answers, in the same order."""
    return _cases(session, by.municipality_id, reports)


def list_nearby_providers(session: Session, by: Actor) -> list[Provider]:
    """Of whom the actor may know: a family of those in its groups, staff of all, others of none. By name."""
    query = select(Provider).where(Provider.municipality_id == by.municipality_id)
    if by.role == Role.FAMILY:
        slots = select(Slot.provider_id).join(
            Membership,
            (col(Membership.municipality_id) == Slot.municipality_id) & (col(Membership.slot_id) == Slot.id),
        )
        met = slots.where(
            Slot.municipality_id == by.municipality_id,
            Membership.household_id == by.household_id,
            col(Membership.state).in_((ProposalState.CONFIRMED, ProposalState.LEFT)),
        )
        query = query.where(col(Provider.id).in_(met))
    elif by.role in (Role.OFFICER, Role.OPERATOR):
        query = query.where(col(Provider.accreditation).in_((Accreditation.ACCREDITED, Accreditation.SUSPENDED)))
    else:
        return []
    return list(session.exec(query.order_by(Provider.name, col(Provider.id))))


def _cases(session: Session, municipality_id: str, reports: Sequence[DangerReport]) -> list[Case]:
    answers = _answers(session, municipality_id, [report.id for report in reports])
    return [
        Case(
            report,
            tuple(one for one in answers if one.report_id == report.id),
            session.get(Provider, (municipality_id, report.provider_id)) if report.provider_id else None,
            session.get(User, report.by_user_id) if report.by_user_id else None,
        )
        for report in reports
    ]


def _answers(session: Session, municipality_id: str, report_ids: Sequence[UUID]) -> Sequence[DangerAnswer]:
    return session.exec(
        select(DangerAnswer)
        .where(DangerAnswer.municipality_id == municipality_id, col(DangerAnswer.report_id).in_(report_ids))
        .order_by(col(DangerAnswer.answered_at), col(DangerAnswer.id))
    ).all()


def _tell_staff(
    session: Session,
    now: datetime,
    municipality_id: str,
    report_id: UUID,
    answer_by: datetime,
    words: tuple[str, str],
    roles: Sequence[Role],
) -> None:
    """One e-mail to everybody in these roles, once for each kind of words; nothing of the report is in it."""
    kind = (NEW, WAITING, OVERDUE).index(words)
    for user in list_staff(session, municipality_id, roles):
        to = Recipient(user.email, user.locale)
        key = f"danger {report_id} {kind} {user.id}"
        moment = {"moment": _moment(answer_by, to)}
        tell(session, municipality_id, now, to, key, *words, moment, kind=Kind.URGENT)


def _moment(instant: datetime, to: Recipient) -> str:
    return str(format_datetime(instant.astimezone(ROME), MOMENT, locale=to.locale))
