"""A family's program reads its closed months line by line, and contests a line of its own."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from sqlmodel import Session

from marketplace.accounts.models import Role
from marketplace.db import db
from marketplace.installation import Installation
from marketplace.statements.operations import close_month
from marketplace.web import Application
from tests.api import keys
from tests.api.clock import Clock, clock
from tests.api.keys import Header, key_of
from tests.statements.world import CITY, CLOSED_AT, NOVEMBER, OFFICER, build

__all__ = ["clock"]
ROOT = "/api/v1"


@pytest.fixture
def families(
    app: Application, installation: Installation, clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Header]]:
    """Two families of a group whose November is closed."""
    monkeypatch.setattr(keys, "CITY", CITY)
    clock.at = CLOSED_AT
    engine = create_engine(installation.app_url)
    with Session(engine) as session:
        city = build(session)
        group = city.group()
        both = [city.household() for _ in range(2)]
        for one in both:
            city.join(group, one)
        city.everybody_came(group)
        session.commit()
        close_month(session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
        session.commit()
        ids = [one.id for one in both]
    with app.app_context():
        found = [key_of(Role.FAMILY, one, CLOSED_AT) for one in ids]
        db.session.commit()
    yield found
    engine.dispose()


def test_a_month_is_read_line_by_line_and_a_line_contested_once(client: FlaskClient, families: list[Header]) -> None:
    mine, theirs = families
    (listed,) = client.get(f"{ROOT}/statements", headers=mine).json["items"]
    path = f"{ROOT}/statements/{listed['month']}"
    seen = client.get(path, headers=mine)
    assert seen.json["statement"] == listed
    lines = [line for group in seen.json["groups"] for line in group["lines"]]
    assert sum(line["net_cents"] for line in lines) == listed["total_cents"] > 0
    body = {"line_id": lines[0]["line_id"], "reason": "We were not there."}
    assert client.post(f"{path}/contest", json=body, headers=theirs).status_code == 404
    assert client.post(f"{path}/contest", json=body, headers={**mine, "If-Match": '"other"'}).status_code == 412
    done = client.post(f"{path}/contest", json=body, headers={**mine, "If-Match": seen.headers["ETag"]})
    states = [line["contest_state"] for group in done.json["groups"] for line in group["lines"]]
    assert (done.status_code, states[0], states[1:]) == (200, "open", [None] * (len(lines) - 1))
    assert client.get(f"{ROOT}/documents", headers=mine).json == {"items": [], "next": None}
