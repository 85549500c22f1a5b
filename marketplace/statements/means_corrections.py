"""A wrong ISEE is corrected by a dated decision: nothing is edited, the next statement has the difference."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Forbidden, NotFound, Rejected
from marketplace.households.means_tests import list_means_tests
from marketplace.households.models import Household, MeansTest, MeansTestState
from marketplace.slots.calendar import monday_of
from marketplace.slots.models import Membership, ProposalState
from marketplace.vouchers.models import Programme, VoucherDecision
from marketplace.vouchers.notices import tell_corrected
from marketplace.vouchers.operations import release
from marketplace.words import N_

NOT_IN_THE_PAST = N_("Una correzione vale da un giorno passato o da oggi, non da un giorno a venire.")
NO_REASON = N_("Scrivi il motivo: la famiglia lo legge, e può chiedere di rivedere la decisione.")
NOTHING_TO_CORRECT = N_("Questa famiglia non ha un ISEE da correggere.")


def correct_means_test(
    session: Session,
    by: Actor,
    now: datetime,
    today: date,
    household_id: UUID,
    isee_cents: int,
    from_day: date,
    reason: str,
    attestation: str = "",
) -> MeansTest:
    """The right ISEE from `from_day` on, and for each voucher of the household whether it still has it.

    Meetings from that day on are billed again at the next closing: credit or debit lines, never edits; what is held
    for meetings to come is given back where the voucher is lost. Correcting to what counts already changes nothing.
    """
    if by.role != Role.OFFICER:
        raise Forbidden
    household = session.get(Household, (by.municipality_id, household_id), with_for_update=True)
    if household is None:
        raise NotFound
    if from_day > today:
        raise Rejected(NOT_IN_THE_PAST)
    if not reason.strip():
        raise Rejected(NO_REASON)
    tests = list_means_tests(session, by.municipality_id, [household_id]).get(household_id, [])
    if not tests:
        raise Rejected(NOTHING_TO_CORRECT)
    newest = tests[-1]
    if (
        newest.state == MeansTestState.VERIFIED
        and int(newest.isee_cents) == isee_cents
        and newest.valid_from <= from_day
    ):
        return newest
    test = MeansTest(
        municipality_id=by.municipality_id,
        household_id=household_id,
        isee_cents=str(isee_cents),
        state=MeansTestState.VERIFIED,
        valid_until=date(today.year, 12, 31),
        counts_from=from_day,
        is_resident=newest.is_resident,
        disability=newest.disability,
        attestation=attestation,
        decided_by=by.user_id,
        created_at=now,
    )
    session.add(test)
    session.flush()
    _decide_vouchers(session, by, now, today, test, reason)
    record(session, by, now, "correct_means_test", "means_test", test.id, from_day=from_day.isoformat())
    tell_corrected(session, now, household, from_day, test.id)
    return test


def _decide_vouchers(session: Session, by: Actor, now: datetime, today: date, test: MeansTest, reason: str) -> None:
    members = session.exec(
        select(Membership).where(
            Membership.municipality_id == by.municipality_id,
            Membership.household_id == test.household_id,
            col(Membership.programme_id).is_not(None),
            col(Membership.state).in_((ProposalState.CONFIRMED, ProposalState.LEFT)),
        )
    ).all()
    wanted = {member.programme_id for member in members}
    programmes = session.exec(
        select(Programme)
        .where(Programme.municipality_id == by.municipality_id, col(Programme.id).in_(wanted))
        .order_by(col(Programme.id))
    ).all()
    for programme in programmes:
        is_entitled = programme.isee_max_cents is None or int(test.isee_cents) <= programme.isee_max_cents
        session.add(
            VoucherDecision(
                municipality_id=by.municipality_id,
                household_id=test.household_id,
                programme_id=programme.id,
                means_test_id=test.id,
                is_entitled=is_entitled,
                from_day=test.valid_from,
                reason=reason.strip()[:300],
                decided_at=now,
                decided_by=by.user_id,
            )
        )
        session.flush()
        if not is_entitled:
            mine = [member.id for member in members if member.programme_id == programme.id]
            release(session, by.municipality_id, mine, from_week=monday_of(today) + timedelta(weeks=1))
