"""Everybody concerned is told once, also by somebody who may not see whom."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import event
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.db import NOBODY, Scope, set_scope
from marketplace.households.models import MobileNumber
from marketplace.messages.models import Kind, Message
from marketplace.slots.advancing import advance
from marketplace.slots.leaving import leave_slot
from marketplace.slots.meetings import cancel_meeting
from marketplace.slots.models import Meeting
from marketplace.slots.notices import tell_proposals
from tests.city import CITY, NOW, Group, add_need, add_programme, family_of, proposal_of, proposed
from tests.slots.conftest import Confirm


def told(session: Session) -> list[str]:
    """Whom, and about what, in order."""
    return [
        f"{message.recipient.split('@')[0]}: {message.subject}"
        for message in session.exec(select(Message).order_by(Message.id)).all()
    ]


def test_families_and_providers_are_asked_and_reminded_once(city: Session) -> None:
    for code in ("n1", "n2"):
        add_need(city, code)
    proposed(city, [Group(["n1", "n2"])])
    asked = "C'è un posto per te: rispondi entro mercoledì 25 novembre, 10:00"
    assert sorted(told(city)) == [
        f"n1: {asked}",
        f"n2: {asked}",
        "q1: Un nuovo gruppo ti aspetta: rispondi entro mercoledì 25 novembre, 10:00",
    ]
    for _ in range(2):
        advance(city, NOW + timedelta(hours=30), CITY)
    reminded = told(city)[3:]
    assert sorted(reminded) == [
        "n1: Manca poco: rispondi entro mercoledì 25 novembre, 10:00",
        "n2: Manca poco: rispondi entro mercoledì 25 novembre, 10:00",
        "q1: Manca poco: un gruppo aspetta la tua risposta entro mercoledì 25 novembre, 10:00",
    ]


def test_all_are_told_that_it_is_confirmed_or_not(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1")
    confirm(Group(["n1"]))
    assert told(city)[-1] == "n1: Il tuo gruppo è confermato"


def test_who_stays_behind_is_told_though_the_leaver_may_not_see_it(city: Session, confirm: Confirm) -> None:
    add_programme(city, 100_000)
    add_need(city, "n1", price_max_cents_per_hour=1200)
    add_need(city, "n2", isee_cents=0, price_max_cents_per_hour=600)
    confirm(Group(["n1", "n2"]))
    proposal = proposal_of(city, "n1")
    set_scope(city, Scope(CITY, proposal.household_id, NOBODY))
    leave_slot(city, family_of(proposal), datetime(2027, 2, 3, 9, 0, tzinfo=UTC), proposal.id)
    set_scope(city, Scope(CITY))
    assert told(city)[-1] == "n2: Il tuo gruppo finisce il mercoledì 17 febbraio 2027"


def test_members_are_told_that_a_meeting_is_cancelled(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1")
    confirm(Group(["n1"]))
    meeting = city.exec(select(Meeting).order_by(Meeting.held_on)).first()
    set_scope(city, Scope(CITY, NOBODY, meeting.provider_id))
    by = Actor(CITY, Role.PROVIDER, provider_id=meeting.provider_id)
    cancel_meeting(city, by, NOW, meeting.id, "malattia")
    set_scope(city, Scope(CITY))
    assert told(city)[-1] == "n1: L'incontro di martedì 1 dicembre 2026 è annullato"


def test_the_rules_are_read_once_for_a_round_and_not_at_all_when_nobody_gets_sms(city: Session) -> None:
    for code in ("n1", "n2", "n3"):
        add_need(city, code)
    proposed(city, [Group(["n1", "n2", "n3"])])
    proposals = [proposal_of(city, code) for code in ("n1", "n2", "n3")]
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(city.connection(), "before_cursor_execute", note)
    tell_proposals(city, NOW, proposals, again=True)
    assert not [one for one in asked if "policy_version" in one]
    for one, number in zip(proposals, ("+393471234567", "+393471234568"), strict=False):
        row = {"municipality_id": CITY, "household_id": one.household_id, "number": number, "number_index": b""}
        city.add(MobileNumber(**row, code_hash=b"", asked_at=NOW, verified_at=NOW))
    city.flush()
    asked.clear()
    tell_proposals(city, NOW, proposals, again=True)
    assert len([one for one in asked if "policy_version" in one]) == 1
    assert len([one for one in told(city) if one.startswith("+39347")]) == 2


def test_an_illness_of_today_is_told_at_once_and_one_of_next_week_can_wait(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1")
    confirm(Group(["n1"]))
    meeting = city.exec(select(Meeting).order_by(Meeting.held_on)).first()
    by = Actor(CITY, Role.PROVIDER, provider_id=meeting.provider_id)
    cancel_meeting(city, by, meeting.starts_at - timedelta(hours=11), meeting.id, "malattia")
    later = city.exec(select(Meeting).order_by(Meeting.held_on).offset(1)).first()
    cancel_meeting(city, by, later.starts_at - timedelta(days=3), later.id, "malattia")
    kinds = [one.kind for one in city.exec(select(Message).order_by(Message.id)) if "annullato" in one.subject]
    assert kinds == [Kind.URGENT, Kind.TIMELY]
