"""A programme's rule is changed by a dated step on record; what was promised before stays promised."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Select, func, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, Forbidden, NotFound, Rejected
from marketplace.households.means_tests import list_means_tests
from marketplace.households.models import Household, IseeAnswer, MeansTest, MeansTestState
from marketplace.vouchers.models import Programme, ProgrammeWeek
from marketplace.vouchers.ranking import rank_again
from marketplace.words import N_

BELOW_USE = N_("Sono già impegnati più soldi, o più famiglie: il totale non può essere più basso.")


@dataclass(frozen=True, slots=True)
class Rule:
    """A programme as an officer writes it: cents, percent as decimal text, None for no limit."""

    code: str
    name: str
    service: str
    weekly_budget_cents: int
    isee_max_cents: int | None
    percent: str
    cap_cents_per_hour: int | None
    total_budget_cents: int | None = None
    families_max: int | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A means test that waits for an officer; `answer` is the newest of INPS, None before it was asked."""

    means_test_id: UUID
    household_id: UUID
    family: str
    isee_cents: int
    declared_at: datetime
    valid_until: date
    answer: IseeAnswer | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A family with its newest means test."""

    household_id: UUID
    family: str
    test: MeansTest


def list_programmes(session: Session, municipality_id: str) -> list[Programme]:
    """Running programmes first, then ended ones, by code."""
    return list(
        session.exec(
            select(Programme)
            .where(Programme.municipality_id == municipality_id)
            .order_by(col(Programme.ended_at).is_not(None), Programme.code)
        )
    )


def programmes_of(municipality_id: str) -> SelectOfScalar[Programme]:
    """All programmes of a municipality."""
    return select(Programme).where(Programme.municipality_id == municipality_id)


def get_programme(session: Session, municipality_id: str, programme_id: UUID, *, lock: bool = False) -> Programme:
    """A programme. Raises NotFound."""
    found = session.get(Programme, (municipality_id, programme_id), with_for_update=lock or None)
    if found is None:
        raise NotFound
    return found


def list_weeks(session: Session, programme: Programme, since: date, limit: int = 12) -> Sequence[ProgrammeWeek]:
    """The programme's weeks from the Monday `since` on that somebody has asked of."""
    return session.exec(
        select(ProgrammeWeek)
        .where(
            ProgrammeWeek.municipality_id == programme.municipality_id,
            ProgrammeWeek.programme_id == programme.id,
            ProgrammeWeek.week >= since,
        )
        .order_by(col(ProgrammeWeek.week))
        .limit(limit)
    ).all()


def add_programme(session: Session, by: Actor, now: datetime, rule: Rule) -> Programme:
    """A new programme, from the next round on. Raises Conflict for a code in use."""
    _require_officer(by)
    taken = select(Programme.id).where(Programme.municipality_id == by.municipality_id, Programme.code == rule.code)
    if session.exec(taken).first() is not None:
        raise Conflict(N_("C'è già un programma con questo codice: scegline un altro."))
    programme = Programme(
        municipality_id=by.municipality_id,
        code=rule.code,
        name=rule.name,
        service=rule.service,
        weekly_budget_cents=rule.weekly_budget_cents,
        isee_max_cents=rule.isee_max_cents,
        percent=rule.percent,
        cap_cents_per_hour=rule.cap_cents_per_hour,
        total_budget_cents=rule.total_budget_cents,
        families_max=rule.families_max,
        created_at=now,
    )
    session.add(programme)
    session.flush()
    _record(session, by, now, "add_programme", programme)
    return programme


def change_programme(
    session: Session, by: Actor, now: datetime, today: date, programme_id: UUID, rule: Rule
) -> Programme:
    """A new rule from the next round on; memberships keep theirs.

    A budget counts for the weeks that begin after today. Raises Rejected when one of them has more in use already.
    """
    _require_officer(by)
    programme = get_programme(session, by.municipality_id, programme_id, lock=True)
    coming = (
        (col(ProgrammeWeek.municipality_id) == by.municipality_id)
        & (col(ProgrammeWeek.programme_id) == programme.id)
        & (col(ProgrammeWeek.week) > today)
    )
    used = session.exec(
        select(ProgrammeWeek).where(coming).order_by(col(ProgrammeWeek.used_cents).desc()).limit(1).with_for_update()
    ).first()
    if used is not None and used.used_cents > rule.weekly_budget_cents:
        raise Rejected(
            N_("In una delle prossime settimane sono già impegnati %(used)s euro: il budget non può essere più basso."),
            used=f"{used.used_cents / 100:.2f}".replace(".", ","),
        )
    programme.name, programme.weekly_budget_cents = rule.name, rule.weekly_budget_cents
    programme.isee_max_cents, programme.percent = rule.isee_max_cents, rule.percent
    programme.cap_cents_per_hour = rule.cap_cents_per_hour
    _set_bounds(session, programme, rule)
    session.connection().execute(update(ProgrammeWeek).where(coming).values(budget_cents=rule.weekly_budget_cents))
    session.flush()
    _record(session, by, now, "change_programme", programme)
    rank_again(session, by.municipality_id)
    return programme


def _set_bounds(session: Session, programme: Programme, rule: Rule) -> None:
    """The total and the number of families, never below what is in use: the database says so."""
    try:
        with session.begin_nested():
            programme.total_budget_cents, programme.families_max = rule.total_budget_cents, rule.families_max
            session.flush()
    except IntegrityError as error:
        raise Rejected(BELOW_USE) from error


def end_programme(session: Session, by: Actor, now: datetime, programme_id: UUID) -> Programme:
    """No new promises from now on; those made are kept. Twice is once."""
    _require_officer(by)
    programme = get_programme(session, by.municipality_id, programme_id, lock=True)
    if programme.ended_at is None:
        programme.ended_at = now
        session.flush()
        _record(session, by, now, "end_programme", programme)
    return programme


def _record(session: Session, by: Actor, now: datetime, action: str, programme: Programme) -> None:
    detail = programme.model_dump(
        include={
            "code", "weekly_budget_cents", "isee_max_cents", "percent", "cap_cents_per_hour", "total_budget_cents",
            "families_max",
        }
    )  # fmt: skip
    record(session, by, now, action, "programme", programme.id, **detail)


def count_declared(session: Session, municipality_id: str) -> int:
    """How many means tests `list_declared` would list."""
    newest = _newest_means_tests(municipality_id)
    query = select(func.count()).where(
        MeansTest.municipality_id == municipality_id,
        col(MeansTest.id).in_(newest),
        MeansTest.state == MeansTestState.DECLARED,
    )
    return session.exec(query).one()


def list_declared(session: Session, municipality_id: str) -> list[Declared]:
    """Each household's newest means test, where it is declared and not looked at yet; oldest first."""
    same_household = (col(Household.municipality_id) == MeansTest.municipality_id) & (
        col(Household.id) == MeansTest.household_id
    )
    newest_ids = _newest_means_tests(municipality_id)
    found = session.exec(
        select(MeansTest, Household)
        .join(Household, same_household)
        .where(
            MeansTest.municipality_id == municipality_id,
            col(MeansTest.id).in_(newest_ids),
            MeansTest.state == MeansTestState.DECLARED,
        )
        .order_by(col(MeansTest.created_at), col(MeansTest.id))
    )
    answers = {
        answer.means_test_id: answer
        for answer in session.exec(
            select(IseeAnswer)
            .where(IseeAnswer.municipality_id == municipality_id, col(IseeAnswer.means_test_id).in_(newest_ids))
            .order_by(col(IseeAnswer.asked_at))
        )
    }
    return [
        Declared(
            test.id,
            household.id,
            f"{household.family_name} {household.given_name}",
            int(test.isee_cents),
            test.created_at,
            test.valid_until,
            answers.get(test.id),
        )
        for test, household in found
    ]


def declared_means_tests(by: Actor) -> SelectOfScalar[MeansTest]:
    """What `list_declared` lists, as rows. Raises Forbidden for whoever is no officer."""
    _require_officer(by)
    return select(MeansTest).where(
        MeansTest.municipality_id == by.municipality_id,
        col(MeansTest.id).in_(_newest_means_tests(by.municipality_id)),
        MeansTest.state == MeansTestState.DECLARED,
    )


def _newest_means_tests(municipality_id: str) -> Select[tuple[UUID]]:
    """The id of each household's newest."""
    newest = (
        select(MeansTest.id)
        .where(MeansTest.municipality_id == municipality_id)
        .ext(distinct_on(col(MeansTest.household_id)))
        .order_by(col(MeansTest.household_id), col(MeansTest.created_at).desc(), col(MeansTest.id).desc())
        .subquery()
    )
    return select(newest.c.id)


def find_families(session: Session, municipality_id: str, name: str, limit: int = 20) -> list[Known]:
    """Families by the beginning of their name, those with a means test, in order of name."""
    if not name.strip():
        return []
    households = session.exec(
        select(Household)
        .where(
            Household.municipality_id == municipality_id,
            col(Household.family_name).istartswith(name.strip(), autoescape=True),
        )
        .order_by(col(Household.family_name), col(Household.given_name), col(Household.id))
        .limit(limit)
    ).all()
    tests = list_means_tests(session, municipality_id, [one.id for one in households])
    return [
        Known(one.id, f"{one.family_name} {one.given_name}", tests[one.id][-1])
        for one in households
        if tests.get(one.id)
    ]


def decide_means_test(session: Session, by: Actor, now: datetime, means_test_id: UUID, verified: bool) -> MeansTest:
    """An officer has seen the certificate (or not): a new dated row, the declaration stays. Twice is once."""
    _require_officer(by)
    declared = session.get(MeansTest, (by.municipality_id, means_test_id), with_for_update=True)
    if declared is None:
        raise NotFound
    newest = session.exec(
        select(MeansTest)
        .where(MeansTest.municipality_id == by.municipality_id, MeansTest.household_id == declared.household_id)
        .order_by(col(MeansTest.created_at).desc(), col(MeansTest.id).desc())
        .limit(1)
    ).one()
    state = MeansTestState.VERIFIED if verified else MeansTestState.REFUSED
    if newest.id != declared.id:
        if newest.state == state and newest.isee_cents == declared.isee_cents:
            return newest
        raise Conflict(N_("La famiglia ha dichiarato un altro ISEE nel frattempo: guarda quello."))
    decided = MeansTest(
        municipality_id=by.municipality_id,
        household_id=declared.household_id,
        isee_cents=declared.isee_cents,
        state=state,
        valid_until=declared.valid_until,
        is_resident=declared.is_resident,
        disability=declared.disability,
        decided_by=by.user_id,
        created_at=now,
    )
    session.add(decided)
    session.flush()
    record(session, by, now, f"means_test_{state.value}", "means_test", decided.id)
    return decided


def _require_officer(by: Actor) -> None:
    if by.role != Role.OFFICER:
        raise Forbidden
