"""A change of state reaches the municipality's program, signed and naming nobody, whatever happens on the way."""

import base64
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.api import posting, webhooks
from marketplace.api.models import Webhook, WebhookDelivery
from marketplace.api.posting import NotTaken, Poster
from marketplace.api.webhooks import deliver, post_by, register_webhook, replay_delivery, spread
from marketplace.db import NOBODY, Scope, db, set_scope
from marketplace.errors import Conflict, Rejected
from marketplace.jobs import defer
from marketplace.needs.models import Need
from marketplace.needs.operations import withdraw_need
from marketplace.operating.dead_letters import list_dead_letters
from marketplace.web import Application
from tests.api.receiver import Receiver, receiving
from tests.city import CITY, NOW, add_need, found_city
from tests.families import sign_in

OFFICER = Actor(CITY, Role.OFFICER)
Work = Callable[[], None]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A program that takes what it is sent."""
    with receiving() as found:
        yield found


@pytest.fixture
def hooked(app: Application, receiver: Receiver) -> Iterator[str]:
    """A city with an open need, whose receiver is told of needs; its secret."""
    post_by(Poster(local=True, seconds_max=0.6))
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        secret = register_webhook(db.session, OFFICER, NOW, receiver.url, ["need"])[1]
        db.session.commit()
    yield secret
    post_by(Poster())


def change(app: Application) -> None:
    """The family withdraws its need: in its own scope, which sees no address of the municipality's."""
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        need = db.session.exec(select(Need)).one()
        by = Actor(CITY, Role.FAMILY, household_id=need.household_id)
        set_scope(db.session, Scope(CITY, need.household_id, NOBODY))
        withdraw_need(db.session, by, NOW, need.id)
        db.session.commit()


def send(app: Application, work: Work) -> None:
    """What the minute's job does."""
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        defer(db.session, spread, CITY)
        db.session.commit()
    work()


def the_delivery(app: Application) -> WebhookDelivery:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return db.session.exec(select(WebhookDelivery)).one()


def test_a_change_is_told_once_signed_and_without_a_name(
    app: Application, work: Work, receiver: Receiver, hooked: str
) -> None:
    change(app)
    for _ in range(2):
        send(app, work)
    ((headers, body),) = receiver.taken
    told = json.loads(body)
    assert (told["type"], told["before"], told["after"]) == ("need.withdrawn", "open", "withdrawn")
    assert set(told) == {"id", "type", "subject", "subject_id", "before", "after", "at", "municipality_id"}
    assert told["id"] == headers["webhook-id"] == str(the_delivery(app).id)
    (example,) = re.findall(r"```python\n(import base64.*?)```", Path("docs/api.md").read_text(), re.S)
    documented: dict[str, Callable[..., bool]] = {}
    exec(example, documented)
    is_ours = documented["is_ours"]
    assert is_ours(hooked, headers, body)
    assert not is_ours(hooked, headers, body + b" ")
    assert not is_ours("whsec_" + base64.b64encode(b"another").decode(), headers, body)
    assert not is_ours(hooked, {**headers, "webhook-timestamp": "1"}, body)


def test_what_is_rolled_back_is_told_to_nobody_and_what_was_not_asked_for_neither(
    app: Application, work: Work, receiver: Receiver, hooked: str
) -> None:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        need = db.session.exec(select(Need)).one()
        withdraw_need(db.session, Actor(CITY, Role.FAMILY, household_id=need.household_id), NOW, need.id)
        assert db.session.exec(select(WebhookDelivery)).one().after == "withdrawn"
        db.session.rollback()
        hook = db.session.exec(select(Webhook)).one()
        hook.events = ["payment"]
        db.session.commit()
    change(app)
    send(app, work)
    assert receiver.taken == []


@pytest.mark.parametrize("how", ["HTTP 500", "HTTP 302", "timeout", "connection"])
def test_what_is_not_taken_is_tried_again_and_says_why(
    app: Application, work: Work, receiver: Receiver, hooked: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(app)
    with receiving() as other:
        if how.startswith("HTTP"):
            receiver.status, receiver.location = int(how[5:]), other.url
        elif how == "timeout":
            receiver.drips = True
        else:
            monkeypatch.setattr(posting.socket, "create_connection", refuse)
        send(app, work)
        assert other.taken == []  # a redirection leads nowhere
    found = the_delivery(app)
    assert (found.attempts, found.failure, found.delivered_at) == (1, how, None)
    monkeypatch.undo()
    receiver.status, receiver.drips = 204, False
    hurry(app)
    work()
    found = the_delivery(app)
    assert (found.attempts, found.failure) == (2, "")
    assert found.delivered_at is not None


def refuse(*_: object) -> socket.socket:
    raise ConnectionRefusedError


def hurry(app: Application) -> None:
    """Whatever waits for its next attempt waits no longer."""
    with app.app_context():
        db.session.connection().execute(text("update procrastinate_jobs set scheduled_at = null where status = 'todo'"))
        db.session.commit()


def test_given_up_it_is_a_dead_letter_and_the_office_sends_it_again(
    app: Application, client: FlaskClient, work: Work, receiver: Receiver, hooked: str
) -> None:
    change(app)
    receiver.status = 503
    send(app, work)
    for _ in range(webhooks.ATTEMPTS_MAX + 2):
        hurry(app)
        work()
    assert len(receiver.taken) == webhooks.ATTEMPTS_MAX
    assert len({body for _, body in receiver.taken}) == 1
    with app.app_context():
        (dead,) = list_dead_letters(db.session, CITY)
        assert dead.task == "api.deliver"
    receiver.status = 200
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        for _ in range(2):  # two taps
            replay_delivery(db.session, OFFICER, NOW, the_delivery(app).id)
        db.session.commit()
    work()
    assert len(receiver.taken) == webhooks.ATTEMPTS_MAX + 1
    assert the_delivery(app).delivered_at is not None


def test_a_worker_killed_after_sending_sends_again_with_the_same_id(
    app: Application, work: Work, receiver: Receiver, hooked: str
) -> None:
    change(app)
    send(app, work)
    with app.app_context():  # as if it had been killed between the receiver's answer and its own note
        set_scope(db.session, Scope(CITY))
        found = db.session.exec(select(WebhookDelivery)).one()
        found.delivered_at = None
        defer(db.session, deliver, CITY, delivery_id=str(found.id))
        db.session.commit()
    work()
    (first, first_body), (second, second_body) = receiver.taken
    assert (first["webhook-id"], first_body) == (second["webhook-id"], second_body)


def test_while_it_waits_for_the_receiver_it_holds_no_row(
    app: Application, work: Work, receiver: Receiver, hooked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(app)
    seen = []

    def look(self: Poster, url: str, body: bytes, headers: object) -> int:
        with db.engine.connect() as apart:
            busy = text("select count(*) from pg_stat_activity where datname = current_database() and xact_start"
                        " is not null and pid <> pg_backend_pid() and query ilike '%webhook%'")  # fmt: skip
            seen.append(apart.execute(busy).scalar_one())
        return 204

    monkeypatch.setattr(Poster, "__call__", look)
    send(app, work)
    assert seen == [0]


def test_an_address_that_has_ended_is_told_nothing_more(
    app: Application, work: Work, receiver: Receiver, hooked: str
) -> None:
    change(app)
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        hook = db.session.exec(select(Webhook)).one()
        webhooks.end_webhook(db.session, OFFICER, NOW, hook.id)
        db.session.commit()
        with pytest.raises(Conflict):
            replay_delivery(db.session, OFFICER, NOW, the_delivery(app).id)
        db.session.rollback()
    send(app, work)
    assert receiver.taken == []


def test_a_certificate_that_nobody_signed_is_not_believed(tmp_path: Path) -> None:
    with receiving(tmp_path) as found, pytest.raises(NotTaken, match="TLS"):
        Poster(local=True)(found.url, b"{}", {})
    assert found.taken == []


@pytest.mark.parametrize(
    "url",
    [
        "http://city.example/x", "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://[::1]/",
        "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://10.0.0.1/", "https://169.254.169.254/",
        "https://100.64.0.1/", "https://localhost/", "https://u:p@city.example/", "https://city.example/#x",
        "https://city.example:0/", "https://city.example:99999/", "ftp://city.example/", "https:///x", "",
        "https://city.example/" + "x" * 500, "https://[fe80::1%25eth0]/", "https://città.example/",
        "https://a b.example/",
    ],
)  # fmt: skip
def test_nothing_is_sent_to_an_address_that_is_not_public(url: str) -> None:
    with pytest.raises(Rejected):
        Poster().require_good(url)


@pytest.mark.parametrize("url", ["https://city.example/hook?a=1", "https://8.8.8.8:8443/", "https://[2606:4700::1]/"])
def test_a_public_address_is_good(url: str) -> None:
    Poster().require_good(url)


def test_a_public_name_that_leads_to_a_private_address_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def lead(*addresses: str) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in addresses]
        monkeypatch.setattr(posting.socket, "getaddrinfo", lambda *_, **__: found)

    called: list[object] = []
    monkeypatch.setattr(posting.socket, "create_connection", lambda *given: called.append(given) or refuse())
    for addresses in (["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], []):
        lead(*addresses)
        with pytest.raises(NotTaken, match="address"):
            Poster()("https://city.example/", b"", {})
    assert called == []
    lead("8.8.8.8")
    with pytest.raises(NotTaken, match="connection"):
        Poster()("https://city.example/", b"", {})
    assert called == [(("8.8.8.8", 443), 10.0)]  # the address that was looked at, not the name again


def test_the_office_registers_an_address_sees_its_secret_once_and_sends_again(
    app: Application, client: FlaskClient, work: Work, receiver: Receiver, hooked: str
) -> None:
    with app.app_context():
        user = add_user(db.session, NOW, "officer@example.org", "Olga")
        appoint(db.session, NOW, user.id, CITY, Role.OFFICER)
        by = Actor(CITY, Role.OFFICER, user.id)
        db.session.commit()
    sign_in(client, by)
    page = "/comune/notifiche"
    assert client.post(page, data={"url": "https://10.0.0.1/", "events": ["need"]}).status_code == 303  # local here
    post_by(Poster())
    assert client.post(page, data={"url": "https://10.0.0.1/", "events": ["need"]}).status_code == 422
    assert client.post(page, data={"url": "https://city.example/", "events": ["person"]}).status_code == 422
    post_by(Poster(local=True))
    made = client.post(page, data={"url": receiver.url, "events": ["need"]})
    shown = client.get(made.location)
    assert shown.headers["Cache-Control"] == "no-store"
    secret = re.search(r"whsec_[\w+/]{43}=", shown.text).group()  # type: ignore[union-attr]
    assert client.get(made.location).location == page
    assert secret not in client.get(page).text
    receiver.status = 500
    change(app)
    send(app, work)
    listed = client.get(page).text
    assert listed.count("HTTP 500") == 2  # the same address twice
    receiver.status = 200
    receiver.taken.clear()
    assert client.post(re.search(r"/comune/notifiche/avvisi/[\w-]+/ripeti", listed).group()).status_code == 303  # type: ignore[union-attr]
    work()
    assert len(receiver.taken) == 1
    for path in re.findall(r"/comune/notifiche/[\w-]+/togli", listed):
        assert client.post(path).status_code == 303
    assert "/togli" not in client.get(page).text


def test_addresses_and_deliveries_are_staffs_alone_and_the_secret_lies_sealed(session: Session) -> None:
    found_city(session)
    secret = register_webhook(session, OFFICER, NOW, "https://city.example/", ["need"])[1]
    raw = session.connection().execute(text("select secret from webhook")).scalar_one()
    assert secret.encode() not in bytes(raw)
    set_scope(session, Scope(CITY, NOBODY, NOBODY))
    for table in ("webhook", "webhook_delivery"):
        assert session.connection().execute(text(f"select count(*) from {table}")).scalar_one() == 0
    with pytest.raises(ProgrammingError):
        register_webhook(session, OFFICER, NOW, "https://other.example/", ["need"])
