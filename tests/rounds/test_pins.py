"""What was promised stands whatever changes, and never makes a city's next round impossible."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from marketplace.providers.models import Provider
from marketplace.rounds.instances import build_instance
from marketplace.rounds.pins import cut
from marketplace.slots.models import Slot
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from matching.formats import instance_from_json
from matching.pins import pin_faults
from tests.city import (
    AFTERNOONS,
    CITY,
    NOW,
    Group,
    add_need,
    add_programme,
    add_provider,
    family_of,
    found_city,
    proposal_of,
    proposed,
    provider_of,
)

IN_JANUARY = date(2027, 1, 11)


@pytest.fixture
def city(session: Session) -> Session:
    """n1 and n2 share a standing slot on Tuesdays, 16:00-17:30, n2 with a voucher; n3 waits."""
    found_city(session)
    add_programme(session, 10_000)
    add_need(session, "n1")
    add_need(session, "n2", isee_cents=0)
    proposed(session, [Group(["n1", "n2"])])
    slot = session.exec(select(Slot)).one()
    answer_slot(session, provider_of(slot), NOW, slot.id, True)
    for code in ("n1", "n2"):
        proposal = proposal_of(session, code)
        accept_proposal(session, family_of(proposal), NOW, proposal.id, proposal.cap_cents)
    settle(session, NOW, CITY, slot.id)
    add_need(session, "n3")
    return session


def valid(session: Session, on: date = IN_JANUARY) -> dict[str, Any]:
    instance = build_instance(session, CITY, on)
    assert pin_faults(instance_from_json(instance)) == []
    return instance


def test_a_standing_slot_is_pinned_and_its_voucher_outlives_the_means_test(city: Session) -> None:
    instance = valid(city)
    assert [len(slot["members"]) for slot in instance["pinned"]] == [2]
    assert {need["id"]: bool(need["subsidy"]) for need in instance["needs"]} == {"n1": False, "n2": True, "n3": False}


def test_a_slot_outside_its_providers_new_hours_is_set_aside_and_its_time_is_not_given_twice(city: Session) -> None:
    provider = city.exec(select(Provider)).one()
    provider.windows = [{"day": 1, "start": 900, "end": 1020}]
    city.flush()
    instance = valid(city)
    assert instance["pinned"] == []
    assert [need["id"] for need in instance["needs"]] == ["n3"]
    assert instance["providers"][0]["windows"] == [{"day": 1, "start": 900, "end": 945}]
    assert instance["providers"][0]["minutes_max_per_week"] == 2310
    assert instance["programmes"][0]["weekly_budget_cents"] == 10_000 - 862
    tuesday = [window for window in instance["venues"][0]["windows"] if window["day"] == 1]
    assert tuesday == [{"day": 1, "start": 840, "end": 960}, {"day": 1, "start": 1050, "end": 1200}]


def test_a_need_that_has_lost_one_of_its_sessions_is_set_aside(city: Session) -> None:
    from marketplace.needs.models import Need

    city.exec(select(Need).where(Need.code == "n1")).one().sessions = 2
    city.flush()
    assert valid(city)["pinned"] == []


def test_a_group_that_loses_its_place_to_one_set_aside_is_set_aside_too(city: Session) -> None:
    """Two groups in one room at once: the first one's teacher changes hours, and its time is taken out of the room."""
    second = add_provider(city, "q2")
    add_need(city, "n4")
    proposed(city, [Group(["n4"], provider="q2")])
    slot = city.exec(select(Slot).where(Slot.provider_id == second.id)).one()
    answer_slot(city, provider_of(slot), NOW, slot.id, True)
    proposal = proposal_of(city, "n4")
    accept_proposal(city, family_of(proposal), NOW, proposal.id, proposal.cap_cents)
    settle(city, NOW, CITY, slot.id)
    assert len(valid(city)["pinned"]) == 2
    city.exec(select(Provider).where(Provider.code == "q1")).one().windows = [{"day": 1, "start": 900, "end": 1020}]
    city.flush()
    instance = valid(city)
    assert instance["pinned"] == []
    assert [need["id"] for need in instance["needs"]] == ["n3"]


stretches = st.tuples(st.integers(0, 5), st.integers(0, 1440), st.integers(1, 400))


@settings(deadline=None)
@given(st.lists(stretches, max_size=6))
def test_cutting_windows_leaves_exactly_the_minutes_that_are_not_busy(drawn: list[tuple[int, int, int]]) -> None:
    busy = [(day, start, start + long) for day, start, long in drawn]
    left = {(w["day"], minute) for w in cut(AFTERNOONS, busy) for minute in range(w["start"], w["end"])}
    free = {
        (window["day"], minute)
        for window in AFTERNOONS
        for minute in range(window["start"], window["end"])
        if not any(day == window["day"] and start <= minute < end for day, start, end in busy)
    }
    assert left == free
