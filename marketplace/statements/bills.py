"""A meeting's bill follows from what was agreed, what was recorded and the policy of its day, and from nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlmodel import Session

from billing import ledger
from billing.absence import (
    AbsenceRule,
    Attended,
    Attendee,
    Bearer,
    Bill,
    Line,
    bill_cancelled_day,
    bill_meeting,
)
from billing.split import Price
from marketplace.accounts.policy import Policy, get_policy
from marketplace.slots.models import MeetingState
from marketplace.statements.grants import Granted, Grants, Mode

BATCH_ROWS = 5000

# A row for each member of each meeting before :until that took place or was cancelled. A member counts from the day
# on which it was confirmed to the day on which it left; the newest attendance as of :as_of counts. Where an officer
# decided that the fund bears a contested line, its family's cap for that meeting is nothing. Whom a corrected means
# test took the voucher pays without it: its cap is then that of the whole share. `is_otherwise`: a substitute held it,
# or it moved to another day, which a family may refuse free of charge whatever the policy says of absences. An extra
# session is of those who have a seat in it, at its own hours and caps, and no programme pays of it.
_MEMBERS = """
select mt.id as meeting_id, mt.held_on, mt.state as meeting_state, mt.provider_id, s.id as slot_id,
       mt.provider_id <> s.provider_id or mt.extra_id is null and extract(isodow from mt.held_on) - 1 <> s.day
         as is_otherwise, mt.extra_id is not null as is_extra,
       s.venue_id, s.topic, s.service, s.minutes_min,
       s.rate_cents_per_hour, s.extra_seat_cents_per_hour, s.venue_cents_per_hour,
       m.id as membership_id, m.household_id, coalesce(xs.seats, m.seats) as seats,
       coalesce(x.start_minute, m.start_minute) as start_minute, coalesce(x.end_minute, m.end_minute) as end_minute,
       case when x.id is null then m.programme_id end as programme_id,
       case when c.id is not null then 0 when x.id is not null then xs.cap_cents
            when d.is_entitled is false then m.cap_cents + m.held_cents
            else m.cap_cents end as cap_cents,
       c.id is not null as is_forgiven, coalesce(d.is_entitled, true) as is_entitled,
       case when d.is_entitled is false or x.id is not null then null else m.subsidy_percent end as subsidy_percent,
       m.subsidy_cap_cents_per_hour, case when x.id is null then coalesce({held}, 0) else 0 end as held_cents,
       a.presence,
       n.person_id, n.age, {extra} as extra_cents
from meeting mt
join slot s on s.municipality_id = mt.municipality_id and s.id = mt.slot_id
join membership m on m.municipality_id = mt.municipality_id and m.slot_id = mt.slot_id
     and m.state in ('confirmed', 'left') and (m.first_date is null or m.first_date <= mt.held_on)
join proposal p on p.municipality_id = m.municipality_id and p.id = m.proposal_id
     and (p.left_on is null or p.left_on > mt.held_on)
join need n on n.municipality_id = m.municipality_id and n.id = m.need_id
left join extra_session x on x.municipality_id = mt.municipality_id and x.id = mt.extra_id
left join extra_seat xs on xs.municipality_id = mt.municipality_id and xs.extra_id = mt.extra_id
     and xs.membership_id = m.id and xs.state = 'taken'
left join lateral (
    select presence from attendance a
    where a.municipality_id = mt.municipality_id and a.meeting_id = mt.id and a.membership_id = m.id
      and a.recorded_at <= :as_of
    order by a.recorded_at desc, a.id desc limit 1) a on true
left join lateral (
    select is_entitled from voucher_decision v
    where v.municipality_id = m.municipality_id and v.household_id = m.household_id and v.programme_id = m.programme_id
      and v.from_day <= mt.held_on and v.decided_at <= :as_of
    order by v.decided_at desc, v.id desc limit 1) d on true
left join contest c on c.municipality_id = mt.municipality_id and c.meeting_id = mt.id and c.membership_id = m.id
     and c.outcome = 'fund' and c.decided_at <= :as_of
where mt.municipality_id = :municipality and mt.held_on < :until and mt.state <> 'dissolved' and {which}
  and (mt.extra_id is null or xs.id is not null)
order by mt.held_on, mt.id, m.rank, m.id
"""
_HELD = """(select h.held_cents from voucher_hold h where h.municipality_id = m.municipality_id
     and h.membership_id = m.id and h.week = date_trunc('week', mt.held_on)::date and h.state = 'held')"""
_COMMITTED = """(select h.committed_cents from voucher_hold h where h.municipality_id = m.municipality_id
     and h.membership_id = m.id and h.week = date_trunc('week', mt.held_on)::date and h.state = 'committed')"""
_HELD_THEN = """(select (l.explanation ->> 'held_cents')::bigint from statement_line l
     join statement st on st.municipality_id = l.municipality_id and st.id = l.statement_id
     where l.municipality_id = m.municipality_id and l.meeting_id = mt.id and l.membership_id = m.id
       and st.month = :month and {kind})"""
_EXTRA_THEN = """(select coalesce((l.explanation -> 'decision' ->> 'extra_cents')::bigint, 0) from statement_line l
     join statement st on st.municipality_id = l.municipality_id and st.id = l.statement_id
     where l.municipality_id = m.municipality_id and l.meeting_id = mt.id and l.membership_id = m.id
       and st.month = :month and {kind})"""
_SUBSIDY_SO_FAR = """(select sum(l.subsidy_cents) from statement_line l
     join statement st on st.municipality_id = l.municipality_id and st.id = l.statement_id
     where l.municipality_id = m.municipality_id and l.meeting_id = mt.id and l.membership_id = m.id
       and st.month <= :month)"""
_NOT_BILLED = """not exists (select 1 from statement_line l
     where l.municipality_id = mt.municipality_id and l.meeting_id = mt.id)"""
_BILLED_IN = """exists (select 1 from statement_line l join statement st
     on st.municipality_id = l.municipality_id and st.id = l.statement_id
     where l.municipality_id = mt.municipality_id and l.meeting_id = mt.id and st.month = :month and {kind})"""
_KNOWN_BETTER = """greatest(
     (select max(a2.recorded_at) from attendance a2
      where a2.municipality_id = mt.municipality_id and a2.meeting_id = mt.id and a2.recorded_at <= :as_of),
     (select max(c2.decided_at) from contest c2 where c2.municipality_id = mt.municipality_id
        and c2.meeting_id = mt.id and c2.outcome = 'fund' and c2.decided_at <= :as_of),
     (select max(v2.decided_at) from voucher_decision v2
      join membership m2 on m2.municipality_id = v2.municipality_id and m2.household_id = v2.household_id
           and m2.programme_id = v2.programme_id and m2.slot_id = mt.slot_id
      where v2.municipality_id = mt.municipality_id and v2.from_day <= mt.held_on and v2.decided_at <= :as_of))
   > (select max(c.closed_at) from statement_line l
      join statement st on st.municipality_id = l.municipality_id and st.id = l.statement_id
      join month_closing c on c.municipality_id = st.municipality_id and c.month = st.month
      where l.municipality_id = mt.municipality_id and l.meeting_id = mt.id)"""
_MEETING, _CORRECTION = "l.kind = 'meeting'", "l.kind like 'correction-%'"


@dataclass(frozen=True)
class MeetingBill:
    """A meeting with its bill; `bill` is None while somebody's attendance is not recorded."""

    meeting_id: UUID
    held_on: date
    slot_id: UUID
    provider_id: UUID
    venue_id: UUID | None
    state: MeetingState
    members: tuple[Row[Any], ...]
    bill: Bill | None
    granted: Mapping[UUID, Granted] = field(default_factory=dict)

    def entry(self, municipality_id: str) -> ledger.Entry | None:
        """What the ledger says of this meeting; None where nobody owes anything or it is not decided."""
        if self.bill is None:
            return None
        net: dict[ledger.Account, int] = {}
        subsidy: dict[ledger.Account, int] = {}
        for member, line in zip(self.members, self.bill.lines, strict=True):
            payer = ledger.family(str(member.household_id))
            net[payer] = net.get(payer, 0) + line.net_cents
            if line.subsidy_cents:
                programme = ledger.programme(str(member.programme_id))
                subsidy[programme] = subsidy.get(programme, 0) + line.subsidy_cents
        fund = sum(line.guarantee_cents for line in self.bill.lines) + self.bill.compensation_cents
        due = {ledger.provider(str(self.provider_id)): self.bill.provider_cents}
        if self.venue_id:
            due[ledger.venue(str(self.venue_id))] = self.bill.venue_cents
        due[ledger.PLATFORM_FEES] = self.bill.fee_cents
        return ledger.meeting_billed(
            str(self.meeting_id),
            net_cents=net,
            subsidy_cents=subsidy,
            guarantee_cents={ledger.guarantee(municipality_id): fund},
            due_cents=due,
        )

    def explanation(self, line: Line) -> dict[str, Any]:
        """Everything that a family needs to follow its line by hand; of the others, only shares without names."""
        assert self.bill is not None
        charged = [other for other in self.bill.lines if other.share_cents]
        alike = {(other.attendee.start, other.attendee.end, other.attendee.seats) for other in charged}
        state = line.attendee.attended.value if self.state in _TOOK_PLACE else self.state.value
        return {
            "attendance": state,
            "cost_cents": self.bill.cost_cents,
            "venue_cents": self.bill.venue_cents,
            "seats": sum(other.attendee.seats for other in charged),
            "shares": [other.share_cents for other in charged],
            "mine": charged.index(line) if line in charged else None,
            "equal": len(alike) == 1,
            "cap_cents": line.attendee.cap_cents,
            "held_cents": line.attendee.held_cents,
        } | self._decision(line)

    def _decision(self, line: Line) -> dict[str, Any]:
        granted = self.granted.get(UUID(line.attendee.id))
        facts: dict[str, Any] = {} if granted is None else {"decision": granted.facts()}
        return facts | ({"is_extra": True} if self.members[0].is_extra else {})


_TOOK_PLACE = {MeetingState.SCHEDULED, MeetingState.HELD}


def iter_unbilled(session: Session, municipality_id: str, until: date, as_of: datetime) -> Iterator[MeetingBill]:
    """Meetings before `until` that are on no statement, with the bill that they would get now; a few at a time."""
    grants = Grants(session, municipality_id, as_of, Mode.FIRST)
    return _iter(session, municipality_id, grants, _HELD, _NOT_BILLED, {"until": until, "as_of": as_of})


def iter_to_correct(session: Session, municipality_id: str, as_of: datetime) -> Iterator[MeetingBill]:
    """Billed meetings of which more was recorded after their month was closed, billed as they are known now.

    A programme pays no more than it committed: what was given back may be somebody else's by now.
    """
    grants = Grants(session, municipality_id, as_of, Mode.CORRECTION)
    return _iter(session, municipality_id, grants, _COMMITTED, _KNOWN_BETTER, {"until": date.max, "as_of": as_of})


def iter_billed(session: Session, municipality_id: str, month: date, as_of: datetime) -> Iterator[MeetingBill]:
    """The meetings first billed with `month`, billed again as they were known at `as_of`, its closing."""
    held, which = _HELD_THEN.format(kind=_MEETING), _BILLED_IN.format(kind=_MEETING)
    grants = Grants(session, municipality_id, as_of, Mode.FIRST, _EXTRA_THEN.format(kind=_MEETING))
    return _iter(session, municipality_id, grants, held, which, {"until": date.max, "as_of": as_of, "month": month})


def iter_corrected(session: Session, municipality_id: str, month: date, as_of: datetime) -> Iterator[MeetingBill]:
    """The meetings corrected with `month`, billed again as they were known at `as_of`, its closing."""
    held = f"coalesce({_HELD_THEN.format(kind=_CORRECTION)}, {_SUBSIDY_SO_FAR})"
    which = _BILLED_IN.format(kind=_CORRECTION)
    grants = Grants(session, municipality_id, as_of, Mode.CORRECTION, _EXTRA_THEN.format(kind=_CORRECTION))
    return _iter(session, municipality_id, grants, held, which, {"until": date.max, "as_of": as_of, "month": month})


def _iter(
    session: Session, municipality_id: str, grants: Grants, held: str, which: str, values: dict[str, Any]
) -> Iterator[MeetingBill]:
    rule_on = _rules(session, municipality_id)
    rows = session.connection().execute(
        text(_MEMBERS.format(held=held, which=which, extra=grants.extra_then)),
        values | {"municipality": municipality_id},
        execution_options={"stream_results": True, "yield_per": BATCH_ROWS},
    )
    for _, members in groupby(rows, key=lambda row: row.meeting_id):
        yield _granted(_bill(tuple(members), rule_on), rule_on, grants)


def _rules(session: Session, municipality_id: str) -> Callable[[date], AbsenceRule]:
    """The rule of each day, read once for each."""
    known: dict[date, AbsenceRule] = {}

    def rule_on(day: date) -> AbsenceRule:
        if day not in known:
            known[day] = absence_rule(get_policy(session, municipality_id, day))
        return known[day]

    return rule_on


def absence_rule(policy: Policy) -> AbsenceRule:
    """What a municipality's policy says of absences, as `billing` wants it."""
    return AbsenceRule(
        notified_is_free=policy.absence_notified_is_free,
        rise_borne_by=Bearer(policy.absence_rise_borne_by),
        absence_is_subsidised=policy.absence_is_subsidised,
        cancelled_day_percent=Fraction(policy.cancelled_day_percent),
        fee_percent=Fraction(policy.platform_fee_percent),
    )


def _rule_of(first: Row[Any], rule_on: Callable[[date], AbsenceRule]) -> AbsenceRule:
    """The rule of a meeting, by any of its rows."""
    rule = rule_on(first.held_on)
    return replace(rule, notified_is_free=True) if first.is_otherwise else rule


def _bill(members: tuple[Row[Any], ...], rule_on: Callable[[date], AbsenceRule]) -> MeetingBill:
    first = members[0]
    state = MeetingState(first.meeting_state)
    return MeetingBill(
        meeting_id=first.meeting_id,
        held_on=first.held_on,
        slot_id=first.slot_id,
        provider_id=first.provider_id,
        venue_id=first.venue_id,
        state=state,
        members=members,
        bill=_price(state, members, _rule_of(first, rule_on)),
    )


def _granted(billed: MeetingBill, rule_on: Callable[[date], AbsenceRule], grants: Grants) -> MeetingBill:
    """The bill with what the programmes' rules grant beyond what was promised."""
    if billed.bill is None or billed.state not in _TOOK_PLACE or not grants.has_rules:
        return billed
    bill, granted = grants.applied(billed.bill, billed.members, _rule_of(billed.members[0], rule_on))
    return replace(billed, bill=bill, granted=granted)


def _price(state: MeetingState, members: Sequence[Row[Any]], rule: AbsenceRule) -> Bill | None:
    first = members[0]
    price = Price(
        first.rate_cents_per_hour, first.extra_seat_cents_per_hour, first.venue_cents_per_hour, first.minutes_min
    )
    if state in _TOOK_PLACE:
        if any(member.presence is None for member in members):
            return None
        return bill_meeting(price, [_attendee(member) for member in members], rule)
    attendees = [_attendee(member) for member in members]
    if state is MeetingState.CANCELLED_BY_MUNICIPALITY:
        return bill_cancelled_day(price, attendees, rule)
    return Bill(tuple(Line(attendee, 0, 0, 0, 0) for attendee in attendees))


def _attendee(member: Row[Any]) -> Attendee:
    return Attendee(
        id=str(member.membership_id),
        start=member.start_minute,
        end=member.end_minute,
        seats=member.seats,
        attended=Attended(member.presence or Attended.ABSENT),
        cap_cents=member.cap_cents,
        percent=None if member.subsidy_percent is None else Fraction(member.subsidy_percent),
        cap_cents_per_hour=member.subsidy_cap_cents_per_hour,
        held_cents=member.held_cents,
    )
