"""A danger is reported by anybody, seen by officers alone, and what an officer suspends stops at once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, AuditEntry, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import NOBODY, Scope, set_scope
from marketplace.errors import Forbidden, NotFound, Rejected
from marketplace.messages.models import Message
from marketplace.needs.models import Need, NeedState
from marketplace.providers.models import Accreditation, Provider
from marketplace.providers.operations import when_stopped
from marketplace.safety.details import Sighting
from marketplace.safety.models import DangerReport
from marketplace.safety.operations import (
    ANSWER_WITHIN,
    answer_danger,
    get_case,
    list_cases,
    list_nearby_providers,
    press,
    report_danger,
)
from marketplace.slots.advancing import advance
from marketplace.slots.models import Meeting, MeetingState, ProposalState, SlotState
from marketplace.slots.settlement import settle
from marketplace.slots.stopping import stop_provider
from marketplace.vouchers.models import HoldState, VoucherHold
from tests.city import CITY, NOW, OFFICER, Group, add_need, add_programme, family_of, proposal_of, proposed, the_slot
from tests.slots.conftest import Confirm, city, confirm

__all__ = ["city", "confirm"]

STRANGER = Actor(CITY)
ABOUT_NERI = Sighting("Ha lasciato solo un bambino.", about="martedì")


@pytest.fixture(autouse=True)
def stops() -> None:
    """As `create_app` puts it together."""
    when_stopped(stop_provider)


def teacher(session: Session) -> Provider:
    return session.exec(select(Provider).where(Provider.code == "q1")).one()


def reported(session: Session, seen: Sighting = ABOUT_NERI, by: Actor = STRANGER) -> DangerReport:
    key = uuid4()
    report_danger(session, by, NOW, key, seen)
    return session.get_one(DangerReport, (CITY, key))


def add_staff(session: Session, role: Role) -> str:
    user = add_user(session, NOW, f"{role.value}@example.org", role.value)
    appoint(session, NOW, user.id, CITY, role)
    return user.email


def written_to(session: Session) -> list[str]:
    return [one.recipient for one in session.exec(select(Message).order_by(Message.created_at, Message.id))]


def test_a_report_is_sealed_and_reaches_every_officer_at_once(city: Session) -> None:
    officer = add_staff(city, Role.OFFICER)
    add_staff(city, Role.ADMINISTRATOR)
    report = reported(city)
    assert (report.words, report.answer_by) == (ABOUT_NERI.words, NOW + timedelta(hours=4))
    assert written_to(city) == [officer]
    letter = city.exec(select(Message)).one()
    assert ABOUT_NERI.words not in letter.body + letter.subject
    raw = city.connection().exec_driver_sql("select words from danger_report").scalar_one()
    assert b"bambino" not in bytes(raw)


def test_two_taps_are_one_report(city: Session) -> None:
    key = uuid4()
    for _tap in range(2):
        report_danger(city, STRANGER, NOW, key, ABOUT_NERI)
    waiting, answered = list_cases(city, OFFICER)
    assert ([case.report.id for case in waiting], answered) == ([key], [])
    assert len(city.exec(select(AuditEntry).where(AuditEntry.action == "report_danger")).all()) == 1


def test_a_stranger_a_family_and_a_provider_write_reports_and_read_none(city: Session) -> None:
    scopes = (
        Scope(CITY, NOBODY, NOBODY),
        Scope(CITY, uuid4(), NOBODY),
        Scope(CITY, NOBODY, teacher(city).id),
    )
    for scope in scopes:
        set_scope(city, scope)
        report_danger(city, STRANGER, NOW, uuid4(), ABOUT_NERI)
        assert city.exec(select(DangerReport)).all() == []
    set_scope(city, Scope(CITY))
    assert len(city.exec(select(DangerReport)).all()) == len(scopes)


def test_a_report_never_changes(city: Session) -> None:
    reported(city)
    with pytest.raises(DBAPIError), city.begin_nested():
        city.connection().exec_driver_sql("update danger_report set reported_at = now()")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OFFICER])
def test_only_an_officer_reads_and_answers(city: Session, role: Role) -> None:
    report = reported(city)
    by = Actor(CITY, role)
    for read in (
        lambda: list_cases(city, by),
        lambda: get_case(city, by, report.id),
        lambda: answer_danger(city, by, NOW, report.id, "Visto."),
    ):
        with pytest.raises(Forbidden):
            read()


def test_nobody_reports_somebody_who_is_not_there(city: Session) -> None:
    with pytest.raises(NotFound):
        report_danger(city, STRANGER, NOW, uuid4(), Sighting("x", provider_id=uuid4()))
    with pytest.raises(NotFound):
        report_danger(city, Actor(""), NOW, uuid4(), ABOUT_NERI)


def test_an_answer_is_in_words_and_tells_who_reported_without_quoting_it(city: Session) -> None:
    reporter = add_user(city, NOW, "anna@example.org", "Anna")
    report = reported(city, by=Actor(CITY, user_id=reporter.id))
    with pytest.raises(Rejected):
        answer_danger(city, OFFICER, NOW, report.id, "  ")
    answer_danger(city, OFFICER, NOW, report.id, "Parlato con la scuola: nessun rischio.")
    answer_danger(city, OFFICER, NOW, report.id, "Sentita anche la famiglia.")
    assert written_to(city) == [reporter.email]
    assert "scuola" not in city.exec(select(Message)).one().body
    waiting, answered = list_cases(city, OFFICER)
    assert waiting == []
    assert len(answered[0].answers) == 2


def test_while_nobody_answers_officers_are_told_again_and_then_administrators_too(city: Session) -> None:
    officer, administrator = add_staff(city, Role.OFFICER), add_staff(city, Role.ADMINISTRATOR)
    report = reported(city)
    work = press.func.__wrapped__
    work(city, CITY, NOW + timedelta(hours=2), report_id=str(report.id))
    assert written_to(city) == [officer, officer]
    for _again in range(2):
        work(city, CITY, NOW + ANSWER_WITHIN, report_id=str(report.id))
    assert sorted(written_to(city)) == sorted([administrator, officer, officer, officer])
    assert get_case(city, OFFICER, report.id).is_overdue(NOW + ANSWER_WITHIN + timedelta(minutes=1))


def test_once_answered_nobody_is_pressed(city: Session) -> None:
    add_staff(city, Role.OFFICER)
    report = reported(city)
    answer_danger(city, OFFICER, NOW, report.id, "Visto.")
    press.func.__wrapped__(city, CITY, NOW + ANSWER_WITHIN, report_id=str(report.id))
    assert len(written_to(city)) == 1


def test_a_family_may_name_those_of_its_groups_and_nobody_else(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1")
    add_need(city, "n2")
    confirm(Group(["n1"]))
    mine, other = family_of(proposal_of(city, "n1")), family_of_need(city, "n2")
    assert [one.code for one in list_nearby_providers(city, mine)] == ["q1"]
    assert list_nearby_providers(city, other) == []
    assert list_nearby_providers(city, STRANGER) == []
    assert [one.code for one in list_nearby_providers(city, OFFICER)] == ["q1"]


def family_of_need(session: Session, code: str) -> Actor:
    need = session.exec(select(Need).where(Need.code == code)).one()
    return Actor(CITY, Role.FAMILY, household_id=need.household_id)


def test_who_is_suspended_meets_nobody_any_more_and_families_are_told_and_first_in_line(
    city: Session, confirm: Confirm
) -> None:
    add_programme(city, 100_000)
    add_need(city, "n1", isee_cents=0)
    add_need(city, "n2")
    confirm(Group(["n1", "n2"], day=2))
    report = reported(city, Sighting("Urla ai bambini.", provider_id=teacher(city).id))
    in_between = NOW + timedelta(days=20)  # after the meetings of 2 and 9 December
    before = len(city.exec(select(Message)).all())
    answer_danger(city, OFFICER, in_between, report.id, "Sospeso in attesa di verifica.", teacher(city).id)
    assert teacher(city).accreditation == Accreditation.SUSPENDED
    meetings = city.exec(select(Meeting).order_by(Meeting.held_on)).all()
    city.expire_all()
    for meeting in meetings:
        begun = meeting.starts_at <= in_between
        assert meeting.state == (MeetingState.SCHEDULED if begun else MeetingState.DISSOLVED), meeting.held_on
    assert sum(meeting.state == MeetingState.SCHEDULED for meeting in meetings) == 2
    told = city.exec(select(Message).order_by(Message.id)).all()[before:]
    assert sorted(one.recipient for one in told) == ["n1@example.org", "n2@example.org"]
    held = city.exec(select(VoucherHold.week).where(VoucherHold.state == HoldState.HELD)).all()
    assert max(held) < in_between.date()
    advance(city, in_between + timedelta(days=1), CITY)
    for code in ("n1", "n2"):
        need = city.exec(select(Need).where(Need.code == code)).one()
        assert (proposal_of(city, code).state, need.state, need.first_in_line) == (
            ProposalState.LEFT,
            NeedState.OPEN,
            True,
        )
    assert the_slot(city).state == SlotState.ENDED


def test_what_was_today_before_the_suspension_still_counts_and_what_comes_later_today_does_not(
    city: Session, confirm: Confirm
) -> None:
    add_need(city, "n1")
    add_need(city, "n2")
    confirm(Group(["n1"], day=2, start=840), Group(["n2"], day=2, start=1080))
    noon = NOW.replace(month=12, day=2, hour=15)  # a Wednesday, 16:00 in Rome
    stop_provider(city, OFFICER, noon, teacher(city).id)
    city.expire_all()
    that_day = city.exec(select(Meeting).where(Meeting.held_on == noon.date()).order_by(Meeting.during)).all()
    assert [one.state for one in that_day] == [MeetingState.SCHEDULED, MeetingState.DISSOLVED]


def test_what_was_only_proposed_dissolves_at_no_charge(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    assert stop_provider(city, OFFICER, NOW, teacher(city).id) == 0
    settle(city, NOW, CITY, the_slot(city).id)
    assert proposal_of(city, "n1").state == ProposalState.DISSOLVED
    assert city.exec(select(Need).where(Need.code == "n1")).one().first_in_line


def test_stopping_twice_is_once(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1")
    confirm(Group(["n1"]))
    assert stop_provider(city, OFFICER, NOW, teacher(city).id) == 1
    count = len(city.exec(select(Message)).all())
    assert stop_provider(city, OFFICER, NOW, teacher(city).id) == 0
    assert len(city.exec(select(Message)).all()) == count
