"""A rule's decision stays within the share, its limits and the budget, and says how it came about."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.decisions import History, Use, decide, decide_all, run, totals_by_band
from billing.reading import Faults, model_of
from billing.rules import Limit, Per, Rule

MONDAY = date(2026, 1, 5)
RAVENNA = {
    "kind": "charge",
    "tariffs": [
        {
            "per": "month",
            "bands": [
                {"up_to": 4500, "amount": 0},
                {"above": 4500, "up_to": 30000, "first": 30, "last": 280},
                {"above": 30000, "up_to": 35000, "first": 280, "last": 415},
                {"above": 35000},
            ],
        },
        {
            "per": "day",
            "bands": [
                {"up_to": 4500, "amount": 0},
                {"above": 4500, "up_to": 30000, "first": 0.90, "last": 3.50},
                {"above": 30000, "up_to": 35000, "first": 3.5, "last": 4},
                {"above": 35000},
            ],
        },
    ],
}
TERAMO = {
    "kind": "charge",
    "tariffs": [
        {
            "per": "hour",
            "bands": [
                {"up_to": 7500, "amount": 0},
                {"up_to": 9000, "amount": 1.50},
                {"up_to": 30000, "first": 1.5, "last": 5},
                {},
            ],
        }
    ],
}
EMILIA_ROMAGNA = {
    "kind": "percent",
    "tariffs": [{"bands": [{"amount": 100}]}],
    "isee_max": 26000,
    "isee_waived": True,
    "limits": [{"amount": 100, "per": "week"}, {"amount": 300, "per": "year"}],
}
LIGURIA = {
    "kind": "grant",
    "tariffs": [{"per": "week", "bands": [{"up_to": 15000, "amount": 90}, {"up_to": 30000, "amount": 70}]}],
    "limits": [{"weeks": 6, "per": "year"}],
}
WALLONIA = {
    "kind": "charge",
    "tariffs": [
        {"steps": [{"up_to": 175, "price": 10.20}, {"up_to": 400, "price": 11.2}, {"up_to": 500, "price": 12.2}]}
    ],
}


def rule(values: dict[str, object]) -> Rule:
    return model_of(values, Rule)


def use(**changes: object) -> Use:
    return Use(**{"household": "h", "person": "p", "on": MONDAY, "minutes": 60, "share_cents": 10_000, **changes})


def grants(values: dict[str, object], *uses: Use, budget: int | None = None) -> list[int]:
    return [mine[0].grant_cents for mine in run([rule(values)], uses, budget)]


@pytest.mark.parametrize(("isee", "month", "day"), [(4500, 0, 0), (15000, 13294, 197), (32500, 34750, 375)])
def test_ravenna_charges_the_month_once_and_each_day(isee: int, month: int, day: int) -> None:
    days = [use(isee=D(isee), on=MONDAY + timedelta(days=number), share_cents=5000) for number in range(10)]
    paid = [one.share_cents - cents for one, cents in zip(days, grants(RAVENNA, *days), strict=True)]
    assert sum(paid) == month + 10 * day
    assert paid[-1] == day, "the month's charge is paid by then"
    february = replace(days[0], on=date(2026, 2, 2), share_cents=100_000)
    assert grants(RAVENNA, *days, february)[-1] == 100_000 - month - day


@pytest.mark.parametrize(("isee", "hourly"), [(7500, 0), (8000, 150), (15000, 250), (20000, 333)])
def test_teramo_charges_by_the_hour(isee: int, hourly: int) -> None:
    assert grants(TERAMO, use(isee=D(isee), minutes=180, share_cents=6000)) == [6000 - 3 * hourly]
    assert grants(TERAMO, use(isee=D(30001), minutes=180)) == [0], "the full price"
    assert grants(TERAMO, use(isee=D(isee), share_cents=100)) == [max(0, 100 - hourly)]


def test_emilia_romagna_pays_to_a_week_and_a_child_and_asks_no_isee_of_the_disabled() -> None:
    weeks = [use(isee=D(26000), on=MONDAY + timedelta(weeks=number), share_cents=12_000) for number in range(4)]
    assert grants(EMILIA_ROMAGNA, *weeks) == [10_000, 10_000, 10_000, 0]
    assert grants(EMILIA_ROMAGNA, weeks[0], replace(weeks[0], person="another")) == [10_000, 10_000]
    assert grants(EMILIA_ROMAGNA, use(isee=D(26001)), use(isee=None)) == [0, 0]
    assert grants(EMILIA_ROMAGNA, use(isee=None, has_disability=True, share_cents=8000)) == [8000]


def test_liguria_pays_a_flat_amount_in_six_weeks_of_the_year() -> None:
    weeks = [use(isee=D(15000), on=MONDAY + timedelta(weeks=number), share_cents=12_000) for number in range(7)]
    assert grants(LIGURIA, *weeks) == [9000] * 6 + [0]
    again = replace(weeks[5], on=weeks[5].on + timedelta(days=1))
    assert grants(LIGURIA, use(isee=D(15000), share_cents=4000), use(isee=D(15000), share_cents=9000)) == [4000, 5000]
    assert grants(LIGURIA, *weeks, again)[-1] == 0, "the week's 90 euro are spent, though it is one of the six"
    assert grants(LIGURIA, use(isee=D(30001)), use(isee=D(30000))) == [0, 7000]


def test_wallonia_s_price_rises_with_the_hours_of_the_year() -> None:
    year = [use(minutes=60 * 175, share_cents=178_500), use(minutes=60, share_cents=1120), use(minutes=60 * 324)]
    decisions = [mine[0] for mine in run([rule(WALLONIA)], year)]
    assert [one.charged_cents for one in decisions] == [(178_500,), (1120,), (10_000,)]


def test_conditions_stop_at_the_first_that_is_not_met_and_name_it() -> None:
    strict = rule({**TERAMO, "services": ["home_care"], "age_min": 65, "residents_only": True, "disability_only": True})
    fitting = use(service="home_care", age=70, is_resident=True, has_disability=True, isee=D(8000))
    assert decide(strict, fitting, History(strict)).grant_cents == 10_000 - 150
    for changes, named in (
        ({"service": "tutoring"}, "service"),
        ({"age": 64}, "age"),
        ({"age": None}, "age"),
        ({"is_resident": None}, "residence"),
        ({"has_disability": False}, "disability"),
        ({"isee": None}, "isee"),
    ):
        decision = decide(strict, replace(fitting, **changes), History(strict))
        assert decision.grant_cents == 0
        assert (decision.steps[-1].what, decision.steps[-1].passed) == (named, False)


def test_programmes_add_up_in_their_order_and_never_above_the_share() -> None:
    half = rule({"kind": "percent", "tariffs": [{"bands": [{"amount": 50}]}], "order": 2})
    first = rule({"kind": "grant", "tariffs": [{"per": "hour", "bands": [{"amount": 70}]}], "order": 1})
    alone = rule({"kind": "percent", "tariffs": [{"bands": [{"amount": 100}]}], "order": 3, "with_others": False})
    decisions = decide_all([half, first, alone], use(), [History(), History(), History()])
    assert [one.grant_cents for one in decisions] == [3000, 7000, 0]
    assert decisions[2].steps[-1].what == "others"
    assert decide_all([alone], use(), [History()])[0].grant_cents == 10_000
    assert decide_all([alone], use(paid_cents=1), [History()])[0].grant_cents == 0


def test_limits_of_a_household_count_all_its_people() -> None:
    limited = {**EMILIA_ROMAGNA, "limits": [{"amount": 150, "per": "month", "of": "household"}]}
    assert grants(limited, use(isee=D(1)), use(isee=D(1), person="q")) == [10_000, 5000]
    days = {**EMILIA_ROMAGNA, "limits": [{"days": 1, "per": "month", "of": "household"}]}
    assert grants(days, use(isee=D(1)), use(isee=D(1)), use(isee=D(1), on=MONDAY + timedelta(days=1))) == [
        10_000,
        10_000,
        0,
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"tariffs": [{"bands": [{"up_to": 100, "amount": 1}, {"above": 150, "amount": 0}]}]}, "a gap between"),
        ({"tariffs": [{"bands": [{"up_to": 100, "amount": 1}, {"above": 50, "amount": 0}]}]}, "an overlap between"),
        ({"tariffs": [{"bands": [{"above": 10, "amount": 1}]}]}, "a gap: the first band"),
        ({"tariffs": [{"bands": [{"up_to": 100, "amount": 1}, {"up_to": 50, "amount": 1}]}]}, "not above 100"),
        ({"tariffs": [{"bands": [{"amount": 1}, {"up_to": 50, "amount": 1}]}]}, "others follow"),
        ({"tariffs": [{"bands": [{"amount": -1}]}]}, "greater than or equal to 0"),
        ({"tariffs": [{"bands": [{"amount": float("nan")}]}]}, "finite"),
        ({"tariffs": [{"bands": [{"amount": True}]}]}, "must be a number"),
        ({"tariffs": [{"bands": [{"first": 1}]}]}, "both first and last"),
        ({"tariffs": []}, "at least 1 item"),
        ({"kind": "percent", "tariffs": [{"bands": [{"amount": 100.01}]}]}, "a percentage above 100"),
        ({"limits": [{"amount": 1, "days": 1, "per": "month"}]}, "must have one of"),
        ({"colour": "red"}, "colour: unknown key"),
        ({"age_min": 10, "age_max": 9}, "age_max must not be below"),
        ({"kind": "grant", "tariffs": WALLONIA["tariffs"]}, "steps are what the family pays"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_one_line(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(Faults) as refused:
        rule({**TERAMO, **changes})
    assert len(refused.value.lines) == 1
    assert fault in refused.value.lines[0]


def amounts(most: int) -> st.SearchStrategy[D]:
    return st.integers(0, most).map(lambda cents: D(cents) / 100)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    kind = draw(st.sampled_from(["charge", "grant", "percent"]))
    edges = sorted(draw(st.sets(st.integers(1, 40_000), max_size=3)))
    most = 10_000 if kind == "percent" else 50_000
    bands: list[dict[str, object]] = [
        {"up_to": edge, "first": draw(amounts(most)), "last": draw(amounts(most))} for edge in edges
    ]
    bands.append({"amount": draw(amounts(most))} if draw(st.booleans()) else {})
    limits = draw(
        st.lists(
            st.builds(
                Limit, amount=amounts(30_000), of=st.sampled_from(["person", "household"]), per=st.sampled_from(Per)
            ),
            max_size=3,
        )
    )
    per = draw(st.sampled_from(["hour", "day", "week", "month"]))
    return rule({"kind": kind, "tariffs": [{"per": per, "bands": bands}], "limits": limits})


def uses() -> st.SearchStrategy[list[Use]]:
    one = st.builds(
        Use,
        household=st.sampled_from("ab"),
        person=st.sampled_from("xy"),
        on=st.dates(MONDAY, MONDAY + timedelta(days=60)),
        minutes=st.integers(0, 600),
        share_cents=st.integers(0, 20_000),
        isee=st.none() | amounts(5_000_000),
        seats=st.integers(1, 3),
        paid_cents=st.integers(0, 3000),
    )
    return st.lists(one, max_size=12)


@given(rules(), uses(), st.none() | st.integers(0, 50_000))
def test_a_grant_stays_within_the_share_every_limit_and_the_budget(
    one: Rule, listed: list[Use], budget: int | None
) -> None:
    decisions = [mine[0] for mine in run([one], listed, budget)]
    for what, decision in zip(listed, decisions, strict=True):
        assert 0 <= decision.grant_cents <= max(0, what.share_cents - what.paid_cents)
        assert decision.steps[0].what == "share"
    assert budget is None or sum(decision.grant_cents for decision in decisions) <= budget
    for limit in one.limits:
        if limit.amount is None or limit.per is Per.HOUR:
            continue
        spent: dict[object, int] = {}
        for what, decision in zip(listed, decisions, strict=True):
            key = (getattr(what, limit.of), limit.per.start(what.on))
            spent[key] = spent.get(key, 0) + decision.grant_cents
        assert all(cents <= limit.amount * 100 for cents in spent.values())
    totals = totals_by_band(one, listed, decisions)
    assert sum(total.grant_cents for total in totals) == sum(decision.grant_cents for decision in decisions)
    assert sum(total.uses for total in totals) == len(listed)


@given(rules(), uses())
def test_the_order_of_the_lines_within_different_days_changes_nothing(one: Rule, listed: list[Use]) -> None:
    by_day = list({what.on: what for what in listed}.values())
    forward = {what.on: mine[0] for what, mine in zip(by_day, run([one], by_day), strict=True)}
    by_day.reverse()
    assert {what.on: mine[0] for what, mine in zip(by_day, run([one], by_day), strict=True)} == forward
