"""A municipality's program does an officer's work, under the officer's own rules and with what it saw."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.api.posting import Poster
from marketplace.api.webhooks import post_by
from marketplace.db import Scope, db, set_scope
from marketplace.households.models import MeansTest
from marketplace.providers.models import Provider
from marketplace.safety.details import Sighting
from marketplace.safety.operations import report_danger
from marketplace.slots.models import Slot
from marketplace.web import Application
from tests.api.keys import Header, key_of
from tests.api.test_proposals import Keys, keys
from tests.city import CITY, add_need, add_programme, found_city

__all__ = ["keys"]
ROOT = "/api/v1"
Work = Callable[[], None]


@pytest.fixture
def officer(app: Application) -> Header:
    """A city with two open needs and a programme; an officer's key."""
    with app.app_context():
        found_city(db.session)
        db.session.exec(select(Provider)).one().certificate_expires = date(2099, 12, 31)
        for code in ("n1", "n2"):
            add_need(db.session, code, isee_cents=900_000)
        add_programme(db.session, 50_000)
        header = key_of(Role.OFFICER)
        db.session.commit()
    return header


def test_a_round_is_started_followed_and_sent(client: FlaskClient, officer: Header, work: Work) -> None:
    again = {**officer, "Idempotency-Key": "monday"}
    started = client.post(f"{ROOT}/rounds", json={"seconds": 5, "seed": 3}, headers=again)
    assert (started.status_code, started.json["state"]) == (200, "preparing")
    assert client.post(f"{ROOT}/rounds", json={"seconds": 5, "seed": 3}, headers=again).data == started.data
    assert client.post(f"{ROOT}/rounds", json={}, headers=officer).status_code == 409
    path = f"{ROOT}/rounds/{started.json['id']}"
    work()
    solved = client.get(path, headers=officer)
    assert solved.json["state"] == "solved"
    assert solved.json["summary"]["needs"] == 2
    early = client.post(f"{path}/propose", headers={**officer, "If-Match": started.headers["ETag"]})
    assert early.status_code == 412
    sent = client.post(f"{path}/propose", headers={**officer, "If-Match": solved.headers["ETag"]})
    assert (sent.status_code, sent.json["state"]) == (200, "proposed")
    (listed,) = client.get(f"{ROOT}/rounds", headers=officer).json["items"]
    assert listed == sent.json
    assert client.post(f"{path}/discard", headers=officer).status_code == 409


def test_a_provider_is_suspended_with_a_reason_and_only_as_it_was_seen(
    app: Application, client: FlaskClient, officer: Header
) -> None:
    one = client.get(f"{ROOT}/providers?accreditation=accredited&limit=1", headers=officer).json["items"][0]
    path = f"{ROOT}/providers/{one['id']}"
    seen = client.get(path, headers=officer)
    assert seen.json["steps"] == ["suspended", "revoked"]
    assert client.post(f"{path}/decide", json={"state": "suspended"}, headers=officer).status_code == 422
    body = {"state": "suspended", "reason": "A check is under way."}
    other = client.post(f"{path}/decide", json=body, headers={**officer, "If-Match": '"another"'})
    assert other.status_code == 412
    done = client.post(f"{path}/decide", json=body, headers={**officer, "If-Match": seen.headers["ETag"]})
    assert done.json["provider"]["accreditation"] == "suspended"
    assert done.json["decisions"][0]["reason"] == body["reason"]
    assert client.get(f"{ROOT}/providers?accreditation=nobody", headers=officer).status_code == 422
    assert "tax" not in seen.text


def test_means_tests_are_decided_and_come_page_by_page(app: Application, client: FlaskClient, officer: Header) -> None:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        for row in db.session.exec(select(MeansTest)):
            row.state = "declared"
        db.session.commit()
    first = client.get(f"{ROOT}/means-tests?limit=1", headers=officer).json
    second = client.get(f"{ROOT}/means-tests?limit=1&after={first['next']}", headers=officer).json
    (one,), (other,) = first["items"], second["items"]
    assert (one["isee_cents"], second["next"]) == (900_000, None)
    for _ in range(2):
        done = client.post(f"{ROOT}/means-tests/{one['id']}/verify", headers=officer)
        assert (done.status_code, done.json["state"]) == (200, "verified")
    assert client.post(f"{ROOT}/means-tests/{other['id']}/refuse", headers=officer).json["state"] == "refused"
    assert client.get(f"{ROOT}/means-tests", headers=officer).json["items"] == []


def test_a_programme_tells_its_budget_week_by_week(client: FlaskClient, officer: Header) -> None:
    (one,) = client.get(f"{ROOT}/programmes", headers=officer).json["items"]
    told = client.get(f"{ROOT}/programmes/{one['id']}", headers=officer).json
    assert told["programme"] == one
    assert one["weekly_budget_cents"] == 50_000
    assert all(week["used_cents"] <= week["budget_cents"] for week in told["weeks"])


def test_a_month_is_closed_once_by_a_job_and_reported(client: FlaskClient, officer: Header, work: Work) -> None:
    path = f"{ROOT}/months/2026-01"
    seen = client.get(path, headers=officer)
    assert seen.json["state"] == "open"
    assert client.get(f"{path}/report", headers=officer).status_code == 404
    asked = client.post(f"{path}/close", headers={**officer, "If-Match": seen.headers["ETag"]})
    assert asked.json["state"] == "closing"
    assert client.post(f"{path}/close", headers=officer).json["state"] == "closing"
    work()
    closed = client.get(path, headers=officer).json
    assert (closed["state"], closed["owed_cents"]) == ("closed", 0)
    assert client.get(f"{ROOT}/months", headers=officer).json["items"] == [closed]
    assert client.get(f"{path}/report", headers=officer).json["rows"] == []
    assert client.post(f"{ROOT}/months/2099-12/close", headers=officer).status_code == 422


def test_a_file_is_checked_before_it_is_brought_in(client: FlaskClient, officer: Header, work: Work) -> None:
    body = {"files": [{"name": "needs.csv", "text": "nothing;that;is;known\n1;2;3;4\n"}]}
    made = client.post(f"{ROOT}/imports", json=body, headers=officer).json
    path = f"{ROOT}/imports/{made['id']}"
    assert made["state"] == "checking"
    assert client.post(f"{path}/confirm", headers=officer).status_code == 409
    work()
    checked = client.get(path, headers=officer).json
    assert (checked["state"], checked["files"][0]["name"]) == ("checked", "needs.csv")
    assert client.post(f"{path}/discard", headers=officer).json["state"] == "discarded"
    assert client.post(f"{path}/discard", headers=officer).status_code == 409


def test_a_danger_is_answered_and_its_provider_suspended(app: Application, client: FlaskClient, keys: Keys) -> None:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        provider_id = db.session.exec(select(Slot.provider_id)).first()
        officer = key_of(Role.OFFICER)
        seen = Sighting("He shouted.", provider_id=provider_id)
        report_danger(db.session, Actor(CITY), datetime.now(UTC), uuid4(), seen)
        db.session.commit()
    (one,) = client.get(f"{ROOT}/dangers", headers=officer).json["items"]
    assert (one["words"], one["answers"]) == ("He shouted.", [])
    path = f"{ROOT}/dangers/{one['id']}/answer"
    assert client.post(path, json={"words": "   "}, headers=officer).status_code == 422
    body = {"words": "Suspended while we look.", "suspend_id": str(provider_id)}
    told = client.post(path, json=body, headers=officer).json
    assert told["answers"][0]["suspended_id"] == str(provider_id)
    provider = client.get(f"{ROOT}/providers/{provider_id}", headers=officer).json["provider"]
    assert provider["accreditation"] == "suspended"
    assert client.get(f"{ROOT}/dangers", headers=keys["n1"]).status_code == 403


def test_a_webhook_is_registered_and_ended_by_a_program(client: FlaskClient, officer: Header) -> None:
    post_by(Poster())
    body = {"url": "https://city.example/hook", "events": ["need", "round"]}
    made = client.post(f"{ROOT}/webhooks", json=body, headers=officer).json
    assert made["secret"].startswith("whsec_")
    listed = client.get(f"{ROOT}/webhooks", headers=officer)
    assert [one["url"] for one in listed.json["items"]] == [body["url"]]
    assert "whsec_" not in listed.text
    for wrong in ({**body, "url": "https://10.0.0.1/"}, {**body, "events": ["person"]}):
        assert client.post(f"{ROOT}/webhooks", json=wrong, headers=officer).status_code == 422
    ended = client.post(f"{ROOT}/webhooks/{made['webhook']['id']}/end", headers=officer).json
    assert ended["ended_at"] is not None
    assert client.get(f"{ROOT}/webhooks", headers=officer).json["items"] == []
    assert client.get(f"{ROOT}/webhook-deliveries", headers=officer).json["items"] == []
    assert client.post(f"{ROOT}/webhook-deliveries/{uuid4()}/replay", headers=officer).status_code == 404
