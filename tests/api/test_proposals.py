"""A program answers a proposal only with the cap that it read, once, and learns nothing of the neighbours."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.accounts.tokens import SCOPES, make_token
from marketplace.db import Scope, db, set_scope
from marketplace.households.models import Household, Person
from marketplace.slots.models import Proposal
from marketplace.web import Application
from tests.city import CITY, Group, add_need, found_city, proposal_of, proposed

Keys = dict[str, dict[str, str]]
CODES = ("n1", "n2", "n3")


@pytest.fixture
def keys(app: Application) -> Keys:
    """A proposal made just now to three families; the header of a program of the first and of the second."""
    made = datetime.now(UTC)
    with app.app_context():
        found_city(db.session)
        for code in CODES:
            add_need(db.session, code)
        proposed(db.session, [Group(CODES)], made)
        found = {code: header_of(code) for code in ("n1", "n2")}
        db.session.commit()
    return found


def header_of(code: str) -> dict[str, str]:
    household_id, made = proposal_of(db.session, code).household_id, datetime.now(UTC)
    user = add_user(db.session, made, f"{code}@example.org", code)
    appoint(db.session, made, user.id, CITY, Role.FAMILY, household_id=household_id)
    by = Actor(CITY, Role.FAMILY, user.id, household_id=household_id)
    return {"Authorization": f"Bearer {make_token(db.session, by, made, 'home', list(SCOPES), 30)[1]}"}


def the_proposal(client: FlaskClient, header: dict[str, str]) -> dict[str, object]:
    (only,) = client.get("/api/v1/proposals", headers=header).json["items"]
    return only


def test_it_is_accepted_with_the_cap_that_was_read_and_with_no_other(client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    path, cap = f"/api/v1/proposals/{mine['id']}", mine["cap_cents"]
    for other in (cap - 1, cap + 1):
        answer = client.post(f"{path}/accept", json={"cap_cents": other}, headers=keys["n1"])
        assert answer.status_code == 409
    assert client.get(path, headers=keys["n1"]).json["state"] == "proposed"
    for _ in range(2):
        answer = client.post(f"{path}/accept", json={"cap_cents": cap}, headers=keys["n1"])
        assert (answer.status_code, answer.json["state"]) == (200, "accepted")


def test_a_wrong_body_is_refused_without_repeating_it(client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    path, cap = f"/api/v1/proposals/{mine['id']}", mine["cap_cents"]
    wrong = [b"", b"{", b"[]", b"null", b"{}", b"\xff", b'{"cap_cents": true}', b'{"cap_cents": "secret"}']
    wrong += [b'{"cap_cents": %d, "secret": 1}' % cap, b'{"cap_cents": 1e99}', b'{"cap_cents": %d.5}' % cap]
    for body in wrong:
        answer = client.post(f"{path}/accept", data=body, headers=keys["n1"])
        assert (answer.status_code, answer.mimetype) == (422, "application/problem+json"), body
        assert "secret" not in answer.text
    for reason in ("x" * 401, "a\0b", 1):
        assert client.post(f"{path}/decline", json={"reason": reason}, headers=keys["n1"]).status_code == 422
    assert client.get(path, headers=keys["n1"]).json["state"] == "proposed"


def test_a_cap_may_be_written_as_any_json_number_that_is_whole(client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    path, cap = f"/api/v1/proposals/{mine['id']}/accept", mine["cap_cents"]
    assert client.post(path, data=b'{"cap_cents": %d.0}' % (cap + 1), headers=keys["n1"]).status_code == 409
    answer = client.post(path, data=b'{"cap_cents": %d.0}' % cap, headers=keys["n1"])
    assert (answer.status_code, answer.json["state"]) == (200, "accepted")


def test_declining_opens_the_need_again(client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    answer = client.post(f"/api/v1/proposals/{mine['id']}/decline", json={}, headers=keys["n1"])
    assert answer.json["state"] == "declined"
    assert client.get(f"/api/v1/needs/{mine['need_id']}", headers=keys["n1"]).json["state"] == "open"


def test_nothing_is_accepted_after_the_deadline(app: Application, client: FlaskClient, keys: Keys) -> None:
    mine = the_proposal(client, keys["n1"])
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        for one in db.session.exec(select(Proposal)):
            one.deadline = datetime.now(UTC) - timedelta(seconds=1)
        db.session.commit()
    path = f"/api/v1/proposals/{mine['id']}/accept"
    assert client.post(path, json={"cap_cents": mine["cap_cents"]}, headers=keys["n1"]).status_code == 409


def test_neighbours_stay_unknown_and_their_proposal_is_not_here(
    app: Application, client: FlaskClient, keys: Keys
) -> None:
    mine = the_proposal(client, keys["n1"])
    path = f"/api/v1/proposals/{mine['id']}"
    assert client.get(path, headers=keys["n2"]).status_code == 404
    for answer in ("accept", "decline"):
        body = {"cap_cents": mine["cap_cents"]} if answer == "accept" else {}
        assert client.post(f"{path}/{answer}", json=body, headers=keys["n2"]).status_code == 404
    shown = client.get(path, headers=keys["n1"]).text
    assert mine["sessions"][0]["fellows"] == 2
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        theirs = [str(one.id) for table in (Household, Person) for one in db.session.exec(select(table))]
        theirs += [proposal_of(db.session, code).household_id.hex for code in CODES]
    assert not any(one in shown for one in theirs)


def test_the_examples_of_the_docs_work(client: FlaskClient, keys: Keys) -> None:
    mine, other = the_proposal(client, keys["n1"]), the_proposal(client, keys["n2"])
    lines = [one for one in Path("docs/api.md").read_text().splitlines() if one.startswith("curl ")]
    assert len(lines) == 8
    answers = {}
    for line in lines:
        # a need with a proposal is not withdrawn: the first family declines and withdraws, the second accepts
        who, about = ("n2", other) if line.endswith("/accept") else ("n1", mine)
        values = {"NEED": about["need_id"], "PROPOSAL": about["id"], "CAP": str(about["cap_cents"])}
        words = re.sub(r"\$(NEED|PROPOSAL|CAP)", lambda found, values=values: values[found[1]], line)
        body = re.search(r"--json '(.*?)'", words)
        header = {**(keys[who] if "$KEY" in line else {}), **({"Content-Type": "application/json"} if body else {})}
        method, path = "POST" if "-X POST" in line else "GET", words.rsplit("condiviso.example", 1)[1]
        answers[line] = (method, path, body[1] if body else None, header)
    for line in sorted(lines, key=lambda one: one.endswith("/withdraw")):
        method, path, data, header = answers[line]
        assert client.open(path, method=method, data=data, headers=header).status_code == 200, line
