"""A programme's rule counts from a day to come and is never edited; who would get less is told 14 days before."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from babel.dates import format_date
from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session, col, func, select

from billing.decisions import History, Use, decide
from billing.rules import Rule
from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.errors import Forbidden, Rejected
from marketplace.needs.models import Need
from marketplace.vouchers.models import HoldState, Programme, ProgrammeRule, VoucherDecision, VoucherHold
from marketplace.vouchers.notices import tell_rule_changes
from marketplace.vouchers.programmes import get_programme
from marketplace.words import N_

NOT_YET = N_("Una regola vale da un giorno a venire: scegli una data da domani in poi.")
TOO_SOON = N_(
    "Con questa regola qualcuno avrebbe meno di adesso: serve un preavviso di %(days)s giorni, quindi può valere dal"
    " %(first)s."
)
NOTHING_TO_WITHDRAW = N_("Non c'è una regola da ritirare da quel giorno.")
PROBE_MINUTES, PROBE_CENTS = 60, (300, 1000, 3000)
PROBE_DAY = date(2001, 1, 1)


def list_rules(session: Session, municipality_id: str, programme_id: UUID | None = None) -> Sequence[ProgrammeRule]:
    """The versions of a programme's rule (of all programmes'), the newest first; withdrawn ones too."""
    mine = select(ProgrammeRule).where(ProgrammeRule.municipality_id == municipality_id)
    if programme_id is not None:
        mine = mine.where(ProgrammeRule.programme_id == programme_id)
    return session.exec(mine.order_by(col(ProgrammeRule.programme_id), col(ProgrammeRule.number).desc())).all()


def find_rule(session: Session, municipality_id: str, programme_id: UUID, on: date) -> ProgrammeRule | None:
    """The version that counts on a day."""
    return session.exec(
        select(ProgrammeRule).where(
            ProgrammeRule.municipality_id == municipality_id,
            ProgrammeRule.programme_id == programme_id,
            col(ProgrammeRule.during).contains(on),
        )
    ).first()


def publish_rule(
    session: Session, by: Actor, now: datetime, today: date, programme_id: UUID, rule: Rule, valid_from: date
) -> ProgrammeRule:
    """A new version from `valid_from` on; what was to count from then on is withdrawn.

    Raises Rejected for a day that is not to come, or (where somebody would get less) is sooner than the notice.
    """
    if by.role != Role.OFFICER:
        raise Forbidden
    programme = get_programme(session, by.municipality_id, programme_id, lock=True)
    if valid_from <= today:
        raise Rejected(NOT_YET)
    before = find_rule(session, by.municipality_id, programme_id, valid_from)
    less = before is not None and falls(before.as_rule, rule)
    if less:
        _require_notice(session, by.municipality_id, today, valid_from)
    _close(session, by.municipality_id, programme_id, valid_from)
    published = ProgrammeRule(
        municipality_id=by.municipality_id,
        programme_id=programme_id,
        number=_next_number(session, by.municipality_id, programme_id),
        rule=rule.model_dump(mode="json", exclude_none=True),
        during=Range(valid_from, None, bounds="[)"),
        published_at=now,
        published_by=by.user_id,
    )
    session.add(published)
    session.flush()
    record(session, by, now, "publish_rule", "programme_rule", published.id, valid_from=valid_from.isoformat())
    if less:
        _tell_holders(session, now, programme, published, valid_from)
    return published


def falls(old: Rule, new: Rule) -> bool:
    """Whether somebody would get less of some share: tried at the edges of all bands, within them, and without ISEE.

    Conditions count as well, as both rules are asked for the same uses; a limit that is new may always be felt.
    """
    return any(
        decide(new, use, History(new)).grant_cents < decide(old, use, History(old)).grant_cents
        for use in _probes(old, new)
    ) or bool(_limits_of(new) - _limits_of(old))


def _limits_of(rule: Rule) -> set[str]:
    """Limits that only the history of a period shows."""
    return {limit.model_dump_json() for limit in rule.limits}


def _probes(*rules: Rule) -> Iterator[Use]:
    edges = sorted({edge for rule in rules for tariff in rule.tariffs for edge in tariff.edges if edge is not None})
    points: set[Decimal | None] = {None, Decimal(0), Decimal(10**6)}
    for below, edge in zip([Decimal(0), *edges], edges, strict=False):
        points |= {edge, edge + Decimal("0.01"), ((below + edge) / 2).quantize(Decimal("0.01"))}
    given = {age for rule in rules for age in (rule.age_min, rule.age_max) if age is not None}
    ages: set[int | None] = {None, *(age + beside for age in given for beside in (-1, 0, 1))}
    services = {service for rule in rules for service in rule.services} or {""}
    for isee in points:
        for age in ages:
            for service in services:
                for is_resident, has_disability in ((True, False), (False, False), (True, True)):
                    for cents in PROBE_CENTS:
                        yield Use(
                            household="probe",
                            person="probe",
                            on=PROBE_DAY,
                            minutes=PROBE_MINUTES,
                            share_cents=cents,
                            isee=isee,
                            service=service,
                            age=age,
                            is_resident=is_resident,
                            has_disability=has_disability,
                        )


def withdraw_rule(session: Session, by: Actor, now: datetime, today: date, programme_id: UUID, on: date) -> None:
    """From `on` only the programme's percentage counts; with the notice of a voucher that falls. Raises Rejected."""
    if by.role != Role.OFFICER:
        raise Forbidden
    programme = get_programme(session, by.municipality_id, programme_id, lock=True)
    ending = find_rule(session, by.municipality_id, programme_id, on)
    if ending is None:
        raise Rejected(NOTHING_TO_WITHDRAW)
    _require_notice(session, by.municipality_id, today, on)
    _close(session, by.municipality_id, programme_id, on)
    record(session, by, now, "withdraw_rule", "programme_rule", ending.id, on=on.isoformat())
    _tell_holders(session, now, programme, ending, on)


def _require_notice(session: Session, municipality_id: str, today: date, valid_from: date) -> None:
    days = get_policy(session, municipality_id, today).notice_days
    first = today + timedelta(days=days)
    if valid_from < first:
        raise Rejected(TOO_SOON, days=days, first=format_date(first, "d MMMM y", locale="it"))


def _close(session: Session, municipality_id: str, programme_id: UUID, on: date) -> None:
    """End what counts on the day and withdraw what was to begin later."""
    for version in list_rules(session, municipality_id, programme_id):
        if version.during.isempty or (version.valid_to is not None and version.valid_to <= on):
            continue
        begins = version.valid_from
        version.during = Range(begins, on, bounds="[)") if begins is not None and begins < on else Range(empty=True)
    session.flush()


def _next_number(session: Session, municipality_id: str, programme_id: UUID) -> int:
    newest = session.exec(
        select(func.max(ProgrammeRule.number)).where(
            ProgrammeRule.municipality_id == municipality_id, ProgrammeRule.programme_id == programme_id
        )
    ).one()
    return (newest or 0) + 1


def _tell_holders(session: Session, now: datetime, programme: Programme, version: ProgrammeRule, day: date) -> None:
    """Tell the families for whom the programme holds something, once for each version and day."""
    same_need = (col(Need.municipality_id) == VoucherHold.municipality_id) & (col(Need.id) == VoucherHold.need_id)
    households = session.exec(
        select(Need.household_id)
        .join(VoucherHold, same_need)
        .where(
            VoucherHold.municipality_id == programme.municipality_id,
            VoucherHold.programme_id == programme.id,
            VoucherHold.state == HoldState.HELD,
        )
        .distinct()
    ).all()
    tell_rule_changes(session, now, programme, households, day, f"rule {version.id} {day}")


def list_decisions(
    session: Session, municipality_id: str, household_id: UUID
) -> Sequence[tuple[VoucherDecision, Programme]]:
    """What corrections decided of a household's vouchers, the newest first."""
    same = (col(Programme.municipality_id) == VoucherDecision.municipality_id) & (
        col(Programme.id) == VoucherDecision.programme_id
    )
    found = session.exec(
        select(VoucherDecision, Programme)
        .join(Programme, same)
        .where(VoucherDecision.municipality_id == municipality_id, VoucherDecision.household_id == household_id)
        .order_by(col(VoucherDecision.decided_at).desc(), col(VoucherDecision.id))
    )
    return [(decision, programme) for decision, programme in found]
