"""One more session of a group: asked at a price, answered, joined by consent, never above a cap or the seats."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, PolicyVersion, Role
from marketplace.db import NOBODY, Scope, db, seeing
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.home.own_data import own_data
from marketplace.messages.models import Message
from marketplace.places.models import CalendarEntry, CalendarKind, Venue
from marketplace.slots.advancing import advance
from marketplace.slots.agenda import get_provider_meeting, list_household_meetings, read_presence
from marketplace.slots.extra_facts import get_extra, list_asked, list_extras
from marketplace.slots.extra_models import ExtraSeat, ExtraSession, ExtraState, SeatState
from marketplace.slots.extra_prices import quote_absence, quote_extra
from marketplace.slots.extras import answer_extra, ask_extra, join_extra, step_out
from marketplace.slots.feed import event_of
from marketplace.slots.leaving import leave_slot
from marketplace.slots.meetings import cancel_meeting, expected_members, report_absence
from marketplace.slots.models import Meeting, MeetingState, Presence, Slot
from marketplace.slots.moving import list_days
from marketplace.slots.substitutes import seek_for_days, seek_substitute
from tests.city import CITY, NOW, Group, add_need, family_of, found_city, membership_of, proposal_of, proposed, the_slot
from tests.city import provider_of as teacher_of
from tests.slots.conftest import Confirm
from tests.slots.test_at_once import Act, at_once

__all__ = ["at_once"]

FRIDAY = date(2026, 12, 4)
HOURS = (15 * 60, 16 * 60)
CODES = ("n1", "n2", "n3")
ALONE = 2000


def family(session: Session, code: str) -> Actor:
    return replace(family_of(proposal_of(session, code)), user_id=uuid4())


def place(session: Session, code: str) -> UUID:
    return membership_of(session, code).id


@pytest.fixture
def group(city: Session, confirm: Confirm) -> Session:
    """Three pupils on Tuesdays at four."""
    for code in CODES:
        add_need(city, code)
    confirm(Group(CODES))
    return city


def asked(session: Session, code: str = "n1", cap: int = ALONE) -> ExtraSession:
    return ask_extra(session, family(session, code), NOW, place(session, code), FRIDAY, HOURS, cap)


def accepted(session: Session) -> ExtraSession:
    return answer_extra(session, teacher_of(the_slot(session)), NOW, asked(session).id, True)


def test_the_price_is_shown_before_asking_and_falls_as_others_join(group: Session) -> None:
    quote = quote_extra(group, family(group, "n1"), NOW, place(group, "n1"), FRIDAY, HOURS)
    assert quote.alone_cents == ALONE
    assert quote.shares == ((1, 2000), (2, 1150), (3, 867), (4, 725), (5, 640))
    assert quote.answer_by == NOW + timedelta(days=1)
    assert quote.join_until == datetime(2026, 12, 3, 14, tzinfo=UTC)


def test_it_is_asked_answered_and_joined_and_stands_in_every_calendar(group: Session) -> None:
    extra = asked(group)
    assert asked(group).id == extra.id
    teacher = teacher_of(the_slot(group))
    (waiting,) = list_asked(group, teacher, NOW)
    assert (waiting.seats, waiting.provider_cents) == (1, 1800)
    answer_extra(group, teacher, NOW, extra.id, True)
    answer_extra(group, teacher, NOW, extra.id, True)
    join_extra(group, family(group, "n2"), NOW, extra.id, place(group, "n2"), ALONE)
    join_extra(group, family(group, "n2"), NOW, extra.id, place(group, "n2"), ALONE)
    meeting = group.exec(select(Meeting).where(Meeting.extra_id == extra.id)).one()
    assert expected_members(group, meeting) == {place(group, "n1"), place(group, "n2")}
    sheet = get_provider_meeting(group, teacher, meeting.id)
    assert [(one.start_minute, one.end_minute) for one in sheet.attendees] == [HOURS, HOURS]
    for code, there in (("n1", 1), ("n2", 1), ("n3", 0)):
        household = membership_of(group, code).household_id
        shown = [one for one in list_household_meetings(group, CITY, household, FRIDAY, FRIDAY) if one.extra_id]
        assert len(shown) == there
        for one in shown:
            event = event_of(one, NOW)
            assert (event["status"], event["sequence"]) == ("CONFIRMED", 0)
            assert event.decoded("dtstart") == datetime(2026, 12, 4, 14, tzinfo=UTC)
    mine = get_extra(group, family(group, "n3"), NOW, extra.id)
    assert (mine.seats, mine.seats_left, mine.can_join) == (2, 3, True)
    assert [(one.is_in, one.share_cents, one.cap_cents) for one in mine.parts] == [(False, 866, ALONE)]
    told = [one.recipient for one in group.exec(select(Message)) if "ncontro in più" in one.subject + one.body]
    assert {"q1@example.org", "n1@example.org", "n2@example.org", "n3@example.org"} == set(told)
    kept = own_data(group, family(group, "n1"))
    assert [row["state"] for row in kept["extra_session"]] == ["accepted"]
    assert [row["cap_cents"] for row in kept["extra_seat"]] == [ALONE]


def test_the_price_that_was_shown_is_the_one_consented_to(group: Session) -> None:
    with pytest.raises(Conflict):
        asked(group, cap=ALONE - 1)
    extra = accepted(group)
    with pytest.raises(Conflict):
        join_extra(group, family(group, "n2"), NOW, extra.id, place(group, "n2"), 1150)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (NOW.date() + timedelta(days=2), HOURS),  # nobody would have the time to answer
        (date(2026, 12, 8), HOURS),  # a holiday
        (date(2026, 12, 6), HOURS),  # the school is closed on Sundays
        (FRIDAY, (12 * 60, 13 * 60)),  # and in the morning
        (FRIDAY, (900, 915)),
        (FRIDAY, (960, 900)),
        (date(2026, 12, 1), (960, 1020)),  # the group's own meeting
        (date(2027, 9, 3), HOURS),  # after the last one
    ],
)
def test_a_day_or_an_hour_that_cannot_be_is_refused_before_asking(
    group: Session, day: date, hours: tuple[int, int]
) -> None:
    with pytest.raises(Rejected):
        quote_extra(group, family(group, "n1"), NOW, place(group, "n1"), day, hours)


def test_strangers_neither_ask_nor_see_nor_join_nor_answer(group: Session) -> None:
    add_need(group, "n9")
    extra = accepted(group)
    stranger = Actor(CITY, Role.FAMILY, household_id=uuid4())
    other = Actor(CITY, Role.PROVIDER, provider_id=uuid4())
    for act in (
        lambda: quote_extra(group, stranger, NOW, place(group, "n1"), FRIDAY, HOURS),
        lambda: get_extra(group, stranger, NOW, extra.id),
        lambda: join_extra(group, stranger, NOW, extra.id, place(group, "n2"), ALONE),
        lambda: step_out(group, stranger, NOW, extra.id, place(group, "n1")),
        lambda: answer_extra(group, other, NOW, extra.id, False),
    ):
        with pytest.raises(NotFound):
            act()
    for scope, seen in (
        (Scope(CITY, membership_of(group, "n2").household_id, NOBODY), 1),
        (Scope(CITY, NOBODY, the_slot(group).provider_id), 1),
        (Scope(CITY, stranger.household_id, NOBODY), 0),
        (Scope(CITY, NOBODY, uuid4()), 0),
    ):
        with seeing(group, scope):
            assert len(group.exec(select(ExtraSession)).all()) == len(group.exec(select(ExtraSeat)).all()) == seen
    with seeing(group, Scope(CITY, membership_of(group, "n2").household_id, NOBODY)):
        with pytest.raises(ProgrammingError, match="row-level security"), group.begin_nested():
            group.connection().execute(text("update extra_seat set cap_cents = 1"))
        join_extra(group, family(group, "n2"), NOW, extra.id, place(group, "n2"), ALONE)


def test_who_steps_out_in_time_pays_nothing_and_without_anybody_it_is_off(group: Session) -> None:
    extra = accepted(group)
    join_extra(group, family(group, "n2"), NOW, extra.id, place(group, "n2"), ALONE)
    step_out(group, family(group, "n1"), NOW, extra.id, place(group, "n1"))
    step_out(group, family(group, "n1"), NOW, extra.id, place(group, "n1"))
    assert extra.state == ExtraState.ACCEPTED
    meeting = group.exec(select(Meeting).where(Meeting.extra_id == extra.id)).one()
    late = extra.join_until + timedelta(minutes=1)
    with pytest.raises(Conflict):
        step_out(group, family(group, "n2"), late, extra.id, place(group, "n2"))
    with pytest.raises(Conflict):
        join_extra(group, family(group, "n3"), late, extra.id, place(group, "n3"), ALONE)
    assert report_absence(group, family(group, "n2"), late, meeting.id, place(group, "n2")) == Presence.ABSENT
    step_out(group, family(group, "n2"), extra.join_until, extra.id, place(group, "n2"))
    assert (extra.state, meeting.state) == (ExtraState.WITHDRAWN, MeetingState.DISSOLVED)
    asked(group)  # the day is free again


def test_no_answer_is_a_no_and_what_was_held_is_held(group: Session) -> None:
    extra = asked(group)
    advance(group, NOW + timedelta(hours=25), CITY)
    assert extra.state == ExtraState.EXPIRED
    with pytest.raises(Conflict):
        answer_extra(group, teacher_of(the_slot(group)), NOW, extra.id, True)
    second = accepted(group)
    meeting = group.exec(select(Meeting).where(Meeting.extra_id == second.id)).one()
    advance(group, meeting.ends_at, CITY)
    assert second.state == ExtraState.HELD


def test_a_refused_one_costs_nothing_and_may_be_asked_again(group: Session) -> None:
    extra = asked(group)
    assert answer_extra(group, teacher_of(the_slot(group)), NOW, extra.id, False).state == ExtraState.REFUSED
    assert list_extras(group, family(group, "n1"), NOW, the_slot(group).id) == []
    assert asked(group).id != extra.id


def test_who_leaves_the_group_is_out_of_its_extra_sessions(group: Session) -> None:
    extra = accepted(group)
    with seeing(group, Scope(CITY, membership_of(group, "n1").household_id, NOBODY)):
        leave_slot(group, family(group, "n1"), NOW, proposal_of(group, "n1").id)
    assert group.exec(select(ExtraSeat.state)).all() == [SeatState.WITHDRAWN]
    group.refresh(extra)
    assert extra.state == ExtraState.WITHDRAWN


def test_it_neither_moves_nor_looks_for_a_substitute_but_may_be_cancelled(group: Session) -> None:
    extra = accepted(group)
    meeting = group.exec(select(Meeting).where(Meeting.extra_id == extra.id)).one()
    teacher = replace(teacher_of(the_slot(group)), user_id=uuid4())
    assert list_days(group, teacher, NOW, meeting.id) == []
    with pytest.raises(Conflict):
        seek_substitute(group, teacher, NOW, meeting.id)
    assert seek_for_days(group, teacher, NOW, FRIDAY, FRIDAY) == 1
    assert meeting.state == MeetingState.CANCELLED_BY_PROVIDER
    assert cancel_meeting(group, teacher, NOW, meeting.id, "").state == MeetingState.CANCELLED_BY_PROVIDER
    advance(group, NOW, CITY)
    assert extra.state == ExtraState.WITHDRAWN


def test_a_closure_after_asking_and_a_full_venue_stop_the_yes(group: Session) -> None:
    extra = asked(group)
    venue = group.exec(select(Venue)).one()
    windows, venue.windows = venue.windows, []
    group.flush()
    with pytest.raises(Rejected):
        answer_extra(group, teacher_of(the_slot(group)), NOW, extra.id, True)
    venue.windows = windows
    group.add(CalendarEntry(municipality_id=CITY, kind=CalendarKind.CLOSURE, name="neve", first=FRIDAY, last=FRIDAY))
    group.flush()
    with pytest.raises(Rejected):
        answer_extra(group, teacher_of(the_slot(group)), NOW, extra.id, True)
    assert extra.state == ExtraState.ASKED


def test_a_new_group_of_the_same_provider_is_confirmed_but_for_the_promised_day(
    group: Session, confirm: Confirm
) -> None:
    accepted(group)
    add_need(group, "n4")
    confirm(Group(["n4"], day=4, start=900))
    held_on = group.exec(
        select(Meeting.held_on).join(Slot, col(Slot.id) == Meeting.slot_id).where(Slot.day == 4).order_by("held_on")
    ).all()
    assert FRIDAY not in held_on
    assert FRIDAY + timedelta(days=7) in held_on


@pytest.mark.parametrize(
    "wrong",
    [
        "update extra_session set state = 'asked'",
        "update extra_session set end_minute = end_minute + 30",
        "update extra_seat set seats = 2",
        "insert into meeting (municipality_id, id, slot_id, provider_id, held_on, during, state, reason, extra_id)"
        " select municipality_id, uuidv7(), slot_id, provider_id, held_on, '[2030-01-01,2030-01-02)', state, '',"
        " extra_id"
        " from meeting where extra_id is not null",
        "insert into meeting (municipality_id, id, slot_id, provider_id, held_on, during, state, reason)"
        " select municipality_id, uuidv7(), slot_id, provider_id, held_on, '[2030-01-01,2030-01-02)', state, ''"
        " from meeting where extra_id is null limit 1",
    ],
)
def test_the_database_itself_refuses_what_no_page_offers(group: Session, wrong: str) -> None:
    accepted(group)
    with pytest.raises(IntegrityError), group.begin_nested():
        group.connection().execute(text(wrong))


def meeting_on(session: Session, day: date) -> Meeting:
    return session.exec(select(Meeting).where(Meeting.held_on == day, col(Meeting.extra_id).is_(None))).one()


def test_another_day_instead_costs_what_both_cost_and_waits_for_the_yes(group: Session) -> None:
    given_up = meeting_on(group, date(2026, 12, 1))
    by, mine = family(group, "n1"), membership_of(group, "n1")
    quote = quote_extra(group, by, NOW, mine.id, FRIDAY, HOURS, given_up.id)
    assert quote.missed is not None
    assert (quote.missed.held_on, quote.missed.most_cents, quote.alone_cents) == (given_up.held_on, 0, ALONE)
    extra = ask_extra(group, by, NOW, mine.id, FRIDAY, HOURS, ALONE, given_up.id)
    assert read_presence(group, CITY, [given_up.id]) == {}
    answer_extra(group, teacher_of(the_slot(group)), NOW, extra.id, True)
    told = read_presence(group, CITY, [given_up.id])
    assert {key: row.presence for key, row in told.items()} == {(given_up.id, mine.id): Presence.ABSENT_NOTIFIED}
    with pytest.raises(Conflict):
        quote_extra(group, by, NOW, mine.id, FRIDAY + timedelta(days=7), HOURS, given_up.id)


def test_a_late_wish_for_another_day_says_that_the_first_is_paid_too(group: Session) -> None:
    settings = {"absence_notice_hours": 72}
    group.add(PolicyVersion(municipality_id=CITY, valid_from=NOW.date(), settings=settings, created_at=NOW))
    group.flush()
    given_up = meeting_on(group, date(2026, 12, 1))
    by, mine = family(group, "n1"), membership_of(group, "n1")
    late = given_up.starts_at - timedelta(hours=30)
    day = date(2026, 12, 11)
    quote = quote_extra(group, by, late, mine.id, day, HOURS, given_up.id)
    assert quote.missed is not None and quote.missed.most_cents == mine.cap_cents
    extra = ask_extra(group, by, late, mine.id, day, HOURS, ALONE, given_up.id)
    answer_extra(group, teacher_of(the_slot(group)), late, extra.id, True)
    assert [one.presence for one in read_presence(group, CITY, [given_up.id]).values()] == [Presence.ABSENT]
    with pytest.raises(Conflict):
        quote_absence(group, late + timedelta(hours=7), membership_of(group, "n2"), given_up.id)


def test_a_no_leaves_the_first_day_as_it_was_and_strangers_give_up_nothing(group: Session) -> None:
    given_up = meeting_on(group, date(2026, 12, 1))
    extra = ask_extra(group, family(group, "n1"), NOW, place(group, "n1"), FRIDAY, HOURS, ALONE, given_up.id)
    answer_extra(group, teacher_of(the_slot(group)), NOW, extra.id, False)
    assert read_presence(group, CITY, [given_up.id]) == {}
    with pytest.raises(NotFound):
        quote_extra(group, family(group, "n1"), NOW, place(group, "n1"), FRIDAY, HOURS, uuid4())


@pytest.fixture
def committed(app) -> Iterator[Session]:
    """A committed group whose extra session has one seat left."""
    with app.app_context():
        found_city(db.session)
        for code in CODES:
            add_need(db.session, code)
        proposed(db.session, [Group(CODES)])
        from marketplace.slots.operations import accept_proposal, answer_slot
        from marketplace.slots.settlement import settle

        slot = the_slot(db.session)
        answer_slot(db.session, teacher_of(slot), NOW, slot.id, True)
        for code in CODES:
            mine = proposal_of(db.session, code)
            accept_proposal(db.session, family_of(mine), NOW, mine.id, mine.cap_cents)
        settle(db.session, NOW, CITY, slot.id)
        accepted(db.session)
        slot.seats_limit = 2
        db.session.commit()
        yield db.session
        db.session.rollback()


def test_the_last_extra_seat_is_taken_once(committed: Session, at_once: Callable[..., list[str]]) -> None:
    extra_id = committed.exec(select(ExtraSession.id)).one()
    coming = [(family(committed, code), place(committed, code)) for code in ("n2", "n3")]
    committed.rollback()

    def join(by: Actor, mine: UUID) -> Act:
        return lambda session: join_extra(session, by, NOW, extra_id, mine, ALONE) and None

    assert at_once(*(join(*one) for one in coming)) == ["done", "extra_seats_within_limit"]
    assert len(committed.exec(select(ExtraSeat)).all()) == 2
