"""What a meeting costs once it is known who came: exact, within every cap, and borne by whom the rule names."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.absence import AbsenceRule, Attended, Attendee, Bearer, Bill, Price, bill_cancelled_day, bill_meeting
from billing.split import split_slot

PRICE = Price(1800, 300, 200, 60)
RULE = AbsenceRule()
PRESENT, TOLD, ABSENT = Attended.PRESENT, Attended.ABSENT_NOTIFIED, Attended.ABSENT


def member(name: str, attended: Attended = PRESENT, cap: int = 100_000, **more: object) -> Attendee:
    return Attendee(name, 960, 1050, 1, attended, cap, **more)  # type: ignore[arg-type]


def nets(bill: Bill) -> list[int]:
    return [line.net_cents for line in bill.lines]


def test_who_comes_pays_what_the_proposal_said() -> None:
    group = [member(name) for name in "abc"]
    bill = bill_meeting(PRICE, group, RULE)
    assert nets(bill) == split_slot(1800, 300, 200, 60, [one.presence for one in group])[1] == [1300, 1300, 1300]
    assert (bill.provider_cents, bill.venue_cents, bill.cost_cents) == (3600, 300, 3900)


def test_who_is_absent_without_notice_pays_its_share_and_adds_nothing_to_the_others() -> None:
    bill = bill_meeting(PRICE, [member("a"), member("b", ABSENT), member("c")], RULE)
    assert nets(bill) == [1300, 1300, 1300]


def test_who_told_in_time_pays_nothing_and_the_others_share_a_cheaper_meeting() -> None:
    bill = bill_meeting(PRICE, [member("a"), member("b", TOLD), member("c")], RULE)
    assert nets(bill) == [1725, 0, 1725]


def test_what_an_absence_adds_above_a_cap_is_the_guarantee_funds() -> None:
    bill = bill_meeting(PRICE, [member("a", cap=1500), member("b", TOLD), member("c")], RULE)
    assert nets(bill) == [1500, 0, 1725]
    assert [line.guarantee_cents for line in bill.lines] == [225, 0, 0]


def test_a_rule_may_charge_what_an_absence_adds_to_the_absent() -> None:
    rule = replace(RULE, rise_borne_by=Bearer.ABSENT)
    bill = bill_meeting(PRICE, [member("a"), member("b", TOLD), member("c")], rule)
    assert nets(bill) == [1300, 850, 1300]
    capped = bill_meeting(PRICE, [member("a"), member("b", TOLD, cap=400), member("c")], rule)
    assert nets(capped) == [1300, 400, 1300] and capped.lines[1].guarantee_cents == 450


def test_a_rule_may_let_the_fund_bear_it() -> None:
    bill = bill_meeting(
        PRICE, [member("a"), member("b", TOLD), member("c")], replace(RULE, rise_borne_by=Bearer.GUARANTEE)
    )
    assert nets(bill) == [1300, 0, 1300]
    assert [line.guarantee_cents for line in bill.lines] == [425, 0, 425]


def test_a_rule_may_charge_even_who_told_in_time() -> None:
    bill = bill_meeting(PRICE, [member("a"), member("b", TOLD)], replace(RULE, notified_is_free=False))
    assert nets(bill) == [1725, 1725]


def test_a_voucher_pays_its_part_within_what_was_held_for_it() -> None:
    half = member("a", percent=Fraction(50), cap_cents_per_hour=600, held_cents=900)
    bill = bill_meeting(PRICE, [half, member("b"), member("c")], RULE)
    assert (bill.lines[0].subsidy_cents, bill.lines[0].net_cents) == (650, 650)
    short = bill_meeting(PRICE, [replace(half, held_cents=500, cap_cents=700), member("b"), member("c")], RULE).lines[0]
    assert (short.subsidy_cents, short.net_cents, short.guarantee_cents) == (500, 700, 100)


def test_nobody_there_and_all_told_costs_nothing() -> None:
    bill = bill_meeting(PRICE, [member("a", TOLD), member("b", TOLD)], RULE)
    assert bill.cost_cents == 0 and nets(bill) == [0, 0]


def test_on_a_day_cancelled_by_the_municipality_families_pay_nothing_and_the_provider_has_half() -> None:
    bill = bill_cancelled_day(PRICE, [member("a"), member("b"), member("c")], RULE)
    assert nets(bill) == [0, 0, 0]
    assert bill.provider_cents == bill.compensation_cents == 1800 and bill.venue_cents == 0


@st.composite
def meetings(draw: st.DrawFn) -> tuple[Price, list[Attendee], AbsenceRule]:
    rate = draw(st.integers(0, 6000))
    price = Price(rate, draw(st.integers(0, rate)), draw(st.integers(0, 900)), draw(st.sampled_from([15, 60, 90, 240])))
    group = []
    for number in range(draw(st.integers(1, 12))):
        start = 15 * draw(st.integers(32, 60))
        percent = draw(st.none() | st.fractions(0, 100, max_denominator=20))
        group.append(
            Attendee(
                str(number),
                start,
                start + 15 * draw(st.integers(1, 20)),
                draw(st.integers(1, 4)),
                draw(st.sampled_from(Attended)),
                draw(st.integers(0, 8000)),
                percent,
                draw(st.none() | st.integers(0, 1500)) if percent is not None else None,
                draw(st.integers(0, 8000)),
            )
        )
    rule = AbsenceRule(
        draw(st.booleans()),
        draw(st.sampled_from(Bearer)),
        draw(st.booleans()),
        fee_percent=draw(st.sampled_from([Fraction(0), Fraction(5), Fraction(75, 10)])),
    )
    return price, group, rule


@given(meetings())
def test_every_cent_of_a_meeting_is_somebodys_and_nobody_passes_its_cap(
    meeting: tuple[Price, list[Attendee], AbsenceRule],
) -> None:
    price, group, rule = meeting
    bill = bill_meeting(price, group, rule)
    assert [line.attendee for line in bill.lines] == group
    paid = sum(line.net_cents + line.subsidy_cents + line.guarantee_cents for line in bill.lines)
    assert paid == sum(line.share_cents for line in bill.lines) == bill.cost_cents
    assert min(bill.provider_cents, bill.venue_cents, bill.fee_cents) >= 0
    for line in bill.lines:
        assert min(line.share_cents, line.subsidy_cents, line.guarantee_cents, line.net_cents) >= 0
        assert line.net_cents <= line.attendee.cap_cents
        assert line.subsidy_cents <= line.attendee.held_cents
        assert 0 <= line.provider_cents <= line.net_cents
    assert sum(line.provider_cents for line in bill.lines) <= bill.provider_cents
    cancelled = bill_cancelled_day(price, group, rule)
    assert cancelled.cost_cents == cancelled.compensation_cents >= 0
