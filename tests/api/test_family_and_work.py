"""What a family and its provider do by their programs is what they do on their pages, under the same rules."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.db import Scope, db, set_scope
from marketplace.needs.drafts import find_draft, save_draft
from marketplace.needs.models import Need
from marketplace.slots.models import Slot
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from marketplace.web import Application
from tests.api.clock import Clock, clock
from tests.api.keys import Header, key_of
from tests.city import CITY, NOW, Group, add_need, family_of, found_city, proposal_of, proposed, provider_of

__all__ = ["clock"]
ROOT = "/api/v1"
CODES = ("n1", "n2")


@pytest.fixture
def group(app: Application, clock: type[Clock]) -> dict[str, Header]:
    """A group proposed to two families; the keys of both, and of their provider."""
    with app.app_context():
        found_city(db.session)
        for code in CODES:
            add_need(db.session, code)
        proposed(db.session, [Group(CODES)])
        found = {code: key_of(Role.FAMILY, proposal_of(db.session, code).household_id, NOW) for code in CODES}
        found["provider"] = key_of(Role.PROVIDER, made=NOW)
        db.session.commit()
    return found


@pytest.fixture
def confirmed(app: Application, group: dict[str, Header]) -> dict[str, Header]:
    """The same, when all have said yes."""
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        slot = db.session.exec(select(Slot)).one()
        answer_slot(db.session, provider_of(slot), NOW, slot.id, True)
        for code in CODES:
            proposal = proposal_of(db.session, code)
            accept_proposal(db.session, family_of(proposal), NOW, proposal.id, proposal.cap_cents)
        settle(db.session, NOW, CITY, slot.id)
        db.session.commit()
    return group


def test_a_family_asks_for_something_and_its_draft_stays(
    app: Application, client: FlaskClient, group: dict[str, Header]
) -> None:
    key = group["n1"]
    told = client.get(f"{ROOT}/household", headers=key).json
    person = told["people"][0]["id"]
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        need = db.session.exec(select(Need).where(Need.code == "n1")).one()
        by = Actor(CITY, Role.FAMILY, household_id=need.household_id)
        topic = need.topic
        save_draft(db.session, by, NOW, {"service": "babysitting"})
        db.session.commit()
    wish = {"service": "tutoring", "person_id": person, "sessions": 1, "minutes": 60, "travel_km_max": "2.5",
            "topic": topic,
            "windows": [{"day": 1, "start": 900, "end": 960}, {"day": 1, "start": 960, "end": 1020}]}  # fmt: skip
    once = {**key, "Idempotency-Key": "a"}
    made = client.post(f"{ROOT}/needs", json=wish, headers=once)
    assert (made.status_code, made.json["state"]) == (200, "open")
    assert made.json["windows"] == [{"day": 1, "start": 900, "end": 1020}]
    assert client.post(f"{ROOT}/needs", json=wish, headers=once).json["id"] == made.json["id"]
    backwards = [{"day": 1, "start": 960, "end": 900}]
    for wrong in ({"topic": "alchemy"}, {"minutes": 600}, {"sessions": 2}, {"person_id": person.replace("-", "")},
                  {"windows": backwards}, {"minutes": 61}, {"group_max": True}):  # fmt: skip
        assert client.post(f"{ROOT}/needs", json={**wish, **wrong}, headers=key).status_code == 422, wrong
    stranger = client.get(f"{ROOT}/household", headers=group["n2"]).json["people"][0]["id"]
    assert client.post(f"{ROOT}/needs", json={**wish, "person_id": stranger}, headers=key).status_code == 404
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        assert find_draft(db.session, by).answers == {"service": "babysitting"}
    assert client.get(f"{ROOT}/needs/{made.json['id']}/openings", headers=key).json == {"openings": []}
    join = client.post(f"{ROOT}/needs/{made.json['id']}/join", json={"slot_id": str(uuid4())}, headers=key)
    assert join.status_code == 409


def test_a_family_takes_its_data_away_and_nobody_elses(client: FlaskClient, group: dict[str, Header]) -> None:
    mine, theirs = (client.get(f"{ROOT}/household/data", headers=group[code]) for code in CODES)
    ids = [row["id"] for row in theirs.json["tables"]["person"] + theirs.json["tables"]["household"]]
    assert ids
    assert not any(one in mine.text for one in ids)


def test_a_provider_answers_the_group_that_it_saw(client: FlaskClient, group: dict[str, Header]) -> None:
    key = group["provider"]
    (slot,) = client.get(f"{ROOT}/work/week", headers=key).json["answers_due"]
    path = f"{ROOT}/work/slots/{slot['slot_id']}"
    seen = client.get(path, headers=key)
    assert seen.json == slot
    assert client.post(f"{path}/accept", headers={**key, "If-Match": '"other"'}).status_code == 412
    said = client.post(f"{path}/accept", headers={**key, "If-Match": seen.headers["ETag"]})
    assert said.json["provider_answer"] == "accepted"
    assert client.post(f"{path}/decline", headers={**key, "If-Match": seen.headers["ETag"]}).status_code == 412
    assert client.post(f"{path}/decline", headers=key).json["provider_answer"] == "declined"
    assert client.post(f"{path}/accept", headers=group["n1"]).status_code == 403


def test_an_absence_is_told_and_attendance_recorded(
    client: FlaskClient, confirmed: dict[str, Header], clock: type[Clock]
) -> None:
    days = f"first={NOW.date()}&last={NOW.date() + timedelta(days=60)}"
    meetings = client.get(f"{ROOT}/meetings?{days}", headers=confirmed["n1"]).json["meetings"]
    first, later = meetings[0], meetings[2]
    body = {"membership_id": later["membership_id"]}
    path = f"{ROOT}/meetings/{later['meeting_id']}/absence"
    assert client.post(path, json=body, headers=confirmed["n2"]).status_code == 404
    assert client.post(path, json=body, headers=confirmed["n1"]).json["presence"] == "absent_notified"
    key, sheet = confirmed["provider"], f"{ROOT}/work/meetings/{first['meeting_id']}"
    seen = client.get(sheet, headers=key)
    marks = [{"membership_id": one["membership_id"], "presence": "present"} for one in seen.json["attendees"]]
    assert len(marks) == 2
    early = client.post(f"{sheet}/attendance", json={"marks": marks}, headers=key)
    assert early.status_code == 409
    clock.at = datetime.fromisoformat(first["ends_at"])
    done = client.post(f"{sheet}/attendance", json={"marks": marks}, headers={**key, "If-Match": seen.headers["ETag"]})
    assert {one["presence"] for one in done.json["attendees"]} == {"present"}
    assert client.post(f"{sheet}/cancel", json={}, headers=key).status_code == 409
    strange = [{"membership_id": str(uuid4()), "presence": "present"}]
    assert client.post(f"{sheet}/attendance", json={"marks": strange}, headers=key).status_code == 422
    other = f"{ROOT}/work/meetings/{meetings[1]['meeting_id']}"
    assert client.post(f"{other}/cancel", json={"reason": "Ill."}, headers=key).json["state"] == "cancelled_by_provider"
    week = client.get(f"{ROOT}/work/week?day={meetings[1]['held_on']}", headers=key).json
    assert [one["state"] for one in week["meetings"]] == ["cancelled_by_provider"]
    for wrong in ("", "first=2026-01-01", "first=2026-01-01&last=2026-12-31", "first=1&last=2", f"{days}&x=1"):
        assert client.get(f"{ROOT}/meetings?{wrong}", headers=confirmed["n1"]).status_code == 422, wrong


def test_offers_and_hours_are_changed_within_the_citys_rules(client: FlaskClient, group: dict[str, Header]) -> None:
    key = group["provider"]
    before = client.get(f"{ROOT}/work/offers", headers=key).json["items"]
    offer = {"service": "babysitting", "seats_max": 3, "rate_cents_per_hour": 2_000}
    assert (
        client.post(f"{ROOT}/work/offers", json={**offer, "extra_seat_cents_per_hour": 2_001}, headers=key).status_code
        == 422
    )
    assert client.post(f"{ROOT}/work/offers", json={**offer, "topics": ["alchemy"]}, headers=key).status_code == 422
    made = client.post(f"{ROOT}/work/offers", json=offer, headers=key).json
    assert client.get(f"{ROOT}/work/offers?limit=1", headers=key).json["items"] == [made]
    for _ in range(2):
        assert client.post(f"{ROOT}/work/offers/{made['id']}/remove", headers=key).status_code == 200
    assert client.get(f"{ROOT}/work/offers", headers=key).json["items"] == before
    seen = client.get(f"{ROOT}/work/hours", headers=key)
    hours = {"windows": [{"day": 0, "start": 600, "end": 660}, {"day": 0, "start": 645, "end": 720}]}
    done = client.put(f"{ROOT}/work/hours", json=hours, headers={**key, "If-Match": seen.headers["ETag"]})
    assert done.json == {"windows": [{"day": 0, "start": 600, "end": 720}]}
    again = client.put(f"{ROOT}/work/hours", json=hours, headers={**key, "If-Match": seen.headers["ETag"]})
    assert again.status_code == 412
    assert client.get(f"{ROOT}/work/earnings", headers=key).json["due_cents"] == 0
