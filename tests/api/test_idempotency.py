"""A write with an Idempotency-Key is done once, however often and at whatever moment it is repeated."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from marketplace.accounts.models import AuditEntry
from marketplace.api import serving
from marketplace.api.jobs import forget
from marketplace.api.models import ApiRequest
from marketplace.db import Scope, db, set_scope
from marketplace.jobs import defer, run_waiting
from marketplace.web import Application
from tests.api.test_proposals import Keys, keys, the_proposal
from tests.city import CITY

__all__ = ["keys"]


def rows(app: Application) -> list[ApiRequest]:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return list(db.session.exec(select(ApiRequest)))


def test_the_same_request_has_the_same_answer_and_another_none(
    app: Application, client: FlaskClient, keys: Keys
) -> None:
    mine = the_proposal(client, keys["n1"])
    path, cap = f"/api/v1/proposals/{mine['id']}/accept", mine["cap_cents"]
    header = {**keys["n1"], "Idempotency-Key": "a1"}
    first = client.post(path, json={"cap_cents": cap}, headers=header)
    assert first.status_code == 200
    assert "Idempotency-Replayed" not in first.headers
    client.post(f"/api/v1/proposals/{mine['id']}/decline", json={}, headers=keys["n1"])
    again = client.post(path, json={"cap_cents": cap}, headers=header)
    assert (again.status_code, again.data) == (200, first.data)
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.get(f"/api/v1/proposals/{mine['id']}", headers=keys["n1"]).json["state"] == "declined"
    other = client.post(path, json={"cap_cents": cap + 1}, headers=header)
    assert (other.status_code, other.mimetype) == (422, "application/problem+json")
    (kept,) = rows(app)
    assert kept.body == first.data
    for key in ("", "x" * 256, "a b", "é"):
        wrong = client.post(path, json={"cap_cents": cap}, headers={**keys["n1"], "Idempotency-Key": key})
        assert wrong.status_code == 422


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
def test_a_body_counts_whatever_kind_the_program_calls_it(client: FlaskClient, keys: Keys, kind: str) -> None:
    mine = the_proposal(client, keys["n1"])
    path, header = f"/api/v1/proposals/{mine['id']}/accept", {**keys["n1"], "Idempotency-Key": "a1"}
    first, other = (b'{"cap_cents": %d}' % (mine["cap_cents"] + more) for more in (0, 1))
    assert client.post(path, data=first, headers=header, content_type=kind).status_code == 200
    assert client.post(path, data=other, headers=header, content_type=kind).status_code == 422


def test_another_programs_key_of_the_same_name_is_another(client: FlaskClient, keys: Keys) -> None:
    for who in ("n1", "n2"):
        mine = the_proposal(client, keys[who])
        path = f"/api/v1/proposals/{mine['id']}/accept"
        answer = client.post(
            path, json={"cap_cents": mine["cap_cents"]}, headers={**keys[who], "Idempotency-Key": "a1"}
        )
        assert answer.json["id"] == mine["id"]


def test_what_a_rule_refused_is_kept_too_and_changes_nothing(app: Application, client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    path = f"/api/v1/proposals/{mine['id']}/accept"
    header, other = ({**keys["n1"], "Idempotency-Key": key} for key in ("a1", "a2"))
    first = client.post(path, json={"cap_cents": mine["cap_cents"] + 1}, headers=header)
    assert (first.status_code, first.mimetype) == (409, "application/problem+json")
    client.post(path, json={"cap_cents": mine["cap_cents"]}, headers=other)
    again = client.post(path, json={"cap_cents": mine["cap_cents"] + 1}, headers=header)
    assert (again.status_code, again.mimetype, again.data) == (409, first.mimetype, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert sorted(one.status for one in rows(app)) == [200, 409]
    assert client.post(path, json={"cap_cents": mine["cap_cents"]}, headers=header).status_code == 422


def test_a_body_that_is_none_leaves_the_key_free(app: Application, client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    path, header = f"/api/v1/proposals/{mine['id']}/accept", {**keys["n1"], "Idempotency-Key": "a1"}
    assert client.post(path, json={}, headers=header).status_code == 422
    assert rows(app) == []
    assert client.post(path, json={"cap_cents": mine["cap_cents"]}, headers=header).status_code == 200


def test_many_at_once_do_one_deed(app: Application, client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    path, header = f"/api/v1/proposals/{mine['id']}/accept", {**keys["n1"], "Idempotency-Key": "a1"}
    start = Barrier(8)

    def accept(_: int) -> tuple[int, bytes]:
        start.wait()
        answer = app.test_client().post(path, json={"cap_cents": mine["cap_cents"]}, headers=header)
        return answer.status_code, answer.data if answer.status_code == 200 else b""

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(accept, range(8)))
    assert {status for status, _ in answers} <= {200, 409}
    assert len({data for status, data in answers if status == 200}) == 1
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        done = db.session.exec(select(AuditEntry).where(AuditEntry.action == "accept_proposal")).all()
    assert len(done) == len(rows(app)) == 1


def test_while_the_first_is_at_work_the_second_is_told_to_wait(
    app: Application, client: FlaskClient, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = the_proposal(client, keys["n1"])
    path, header = f"/api/v1/proposals/{mine['id']}/accept", {**keys["n1"], "Idempotency-Key": "a1"}
    seen, keep = [], serving.keep

    def keep_later(*given: object) -> None:
        with ThreadPoolExecutor(1) as apart:  # of its own connection, as another process is
            seen.append(apart.submit(accept_again).result())
        keep(*given)

    def accept_again() -> TestResponse:
        return app.test_client().post(path, json={"cap_cents": mine["cap_cents"]}, headers=header)

    monkeypatch.setattr(serving, "keep", keep_later)
    assert client.post(path, json={"cap_cents": mine["cap_cents"]}, headers=header).status_code == 200
    assert seen[0].status_code == 409
    assert seen[0].headers["Retry-After"] == "1"


def test_after_a_day_it_is_forgotten(app: Application, client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    path, header = f"/api/v1/proposals/{mine['id']}/decline", {**keys["n1"], "Idempotency-Key": "a1"}
    client.post(path, json={}, headers=header)
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        db.session.exec(select(ApiRequest)).one().at -= timedelta(hours=25)
        db.session.commit()
    assert "Idempotency-Replayed" not in client.post(path, json={}, headers=header).headers
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        db.session.exec(select(ApiRequest)).one().at -= timedelta(hours=25)
        defer(db.session, forget, CITY)
        db.session.commit()
        url = db.engine.url.render_as_string(hide_password=False)
    run_waiting(app, url)
    assert rows(app) == []
