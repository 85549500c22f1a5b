"""A need is posted once, whole, or not at all."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.households.operations import PersonHasNeeds, remove_person
from marketplace.needs import drafts
from marketplace.needs import operations as needs
from marketplace.needs.models import Need, NeedState, Service
from matching.instance import Window
from tests.families import CITY, HOME, NOW, ROSSI, TODAY, child, city, family

MONDAY, WEDNESDAY = Window(0, 16 * 60, 19 * 60), Window(2, 16 * 60, 19 * 60)


@pytest.fixture
def by(session):
    city(session)
    return family(session)


@pytest.fixture
def wish(session, by):
    wished = drafts.Wish(
        Service.TUTORING, child(session, by).id, 2, 90, (MONDAY, WEDNESDAY), Decimal("1.5"), topic="maths"
    )
    drafts.save_draft(session, by, NOW, {"service": "tutoring"})
    return wished


def test_a_draft_becomes_an_open_need(session, by, wish):
    need = needs.post_need(session, by, NOW, TODAY, wish)
    assert (need.state, need.age, need.level, need.topic) == (NeedState.OPEN, 12, 7, "maths")
    assert need.windows == [{"day": 0, "start": 960, "end": 1140}, {"day": 2, "start": 960, "end": 1140}]
    assert need.travel_km_max == "1.5"
    assert drafts.find_draft(session, by) is None


def test_a_second_tap_posts_nothing_more(session, by, wish):
    needs.post_need(session, by, NOW, TODAY, wish)
    with pytest.raises(needs.NothingToPost):
        needs.post_need(session, by, NOW, TODAY, wish)
    assert len(session.exec(select(Need)).all()) == 1


@pytest.mark.parametrize(
    ("change", "step", "words"),
    [
        ({"minutes": 195, "sessions": 1}, "quando", "non sta in nessuna fascia"),
        ({"minutes": 50}, "quando", "quarto d'ora"),
        ({"minutes": 15}, "quando", "30 minuti"),
        ({"sessions": 3}, "quando", "più dei giorni"),
        ({"sessions": 7}, "quando", "da 1 a 6"),
        ({"windows": ()}, "quando", "nessuna fascia"),
        ({"price_max_cents_per_hour": 0}, "dove", "prezzo massimo"),
        ({"price_max_cents_per_hour": 20_001}, "dove", "prezzo massimo"),
        ({"travel_km_max": Decimal(51)}, "dove", "distanza"),
        ({"seats": 3, "group_max": 2}, "dove", "gruppo"),
        ({"seats": 3, "host_seats": 2}, "dove", "ospiti"),
        ({"seats": 7}, "cosa", "da 1 a 6"),
    ],
)
def test_what_could_never_be_met_is_refused_and_changes_nothing(session, by, wish, change, step, words):
    impossible = replace(wish, **change)
    assert needs.faults_of(impossible)[0][0] == step
    with pytest.raises(Rejected, match=words):
        needs.post_need(session, by, NOW, TODAY, impossible)
    assert session.exec(select(Need)).all() == []
    assert drafts.find_draft(session, by) is not None


@given(
    st.integers(1, 6),
    st.integers(2, 48).map(lambda quarters: quarters * 15),
    st.lists(
        st.builds(lambda day, start, length: Window(day, start, start + length), st.integers(0, 6),
                  st.integers(0, 40).map(lambda q: q * 15), st.integers(1, 40).map(lambda q: q * 15)), max_size=8),
)  # fmt: skip
def test_hours_without_fault_hold_every_session_on_a_day_of_its_own(sessions, minutes, windows):
    if not needs.faults_of_hours(sessions, minutes, windows):
        wide_enough = {
            one.day
            for one in windows
            for start in range(0, 1440, 15)
            if all(
                any(w.day == one.day and w.start <= at < w.end for w in windows)
                for at in range(start, start + minutes, 15)
            )
        }
        assert len(wide_enough) >= sessions


def test_an_open_need_is_changed_through_its_draft(session, by, wish):
    need = needs.post_need(session, by, NOW, TODAY, wish)
    needs.draft_from_need(session, by, NOW, need.id)
    draft = drafts.find_draft(session, by)
    again = drafts.wish_of(draft.answers)
    assert again == wish
    changed = needs.post_need(session, by, NOW, TODAY, replace(again, minutes=60))
    assert (changed.id, changed.minutes) == (need.id, 60)
    assert len(session.exec(select(Need)).all()) == 1


def test_an_unfinished_need_is_not_thrown_away_by_changing_another(session, by, wish):
    need = needs.post_need(session, by, NOW, TODAY, wish)
    drafts.save_draft(session, by, NOW, {"service": "babysitting"})
    with pytest.raises(needs.DraftInTheWay):
        needs.draft_from_need(session, by, NOW, need.id)


@pytest.mark.parametrize("state", [NeedState.PROPOSED, NeedState.SERVED, NeedState.EXPIRED])
def test_only_a_need_that_waits_is_changed_or_withdrawn(session, by, wish, state):
    need = needs.post_need(session, by, NOW, TODAY, wish)
    need.state = state
    session.flush()
    with pytest.raises(Conflict):
        needs.withdraw_need(session, by, NOW, need.id)
    with pytest.raises(Conflict):
        needs.draft_from_need(session, by, NOW, need.id)


def test_withdrawing_twice_is_withdrawing_once(session, by, wish):
    need = needs.post_need(session, by, NOW, TODAY, wish)
    needs.withdraw_need(session, by, NOW, need.id)
    assert needs.withdraw_need(session, by, NOW, need.id).state == NeedState.WITHDRAWN


def test_a_neighbours_need_is_not_there(session, by, wish):
    need = needs.post_need(session, by, NOW, TODAY, wish)
    other = family(session, replace(ROSSI, tax_code="VRDGPP13R10B293P"), "altra@example.org")
    with pytest.raises(NotFound):
        needs.get_need(session, other, need.id)
    assert needs.list_needs(session, other) == []
    assert other.municipality_id == CITY and HOME


def test_a_person_with_a_need_stays(session, by, wish):
    needs.post_need(session, by, NOW, TODAY, wish)
    with pytest.raises(PersonHasNeeds):
        remove_person(session, by, NOW, wish.person_id)


def test_steps_add_to_the_draft_and_take_nothing_away(session, by):
    drafts.save_draft(session, by, NOW, {"service": "tutoring", "topic": "maths"})
    drafts.save_draft(session, by, NOW, {"sessions": 2})
    drafts.save_draft(session, by, NOW, {"topic": None})
    assert drafts.find_draft(session, by).answers == {"service": "tutoring", "sessions": 2, "topic": None}
    drafts.discard_draft(session, by)
    assert drafts.find_draft(session, by) is None


@pytest.mark.parametrize(
    ("answers", "step"),
    [
        ({}, "cosa"),
        ({"service": "tutoring", "person_id": "1"}, "quando"),
        ({"service": "tutoring", "person_id": "1", "windows": [1], "sessions": 1}, "dove"),
        ({"service": "x", "person_id": "1", "windows": [1], "sessions": 1, "travel_km_max": "0"}, "riepilogo"),
    ],
)
def test_a_draft_goes_on_where_it_stopped(answers, step):
    assert drafts.first_open_step(answers) == step
