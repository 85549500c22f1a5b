"""Who wants one e-mail a day gets one; who wants no optional ones says so with one click, which can do nothing else."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.policy import quiet_hours
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import NOBODY, Scope, db, seeing, set_scope
from marketplace.errors import NotFound
from marketplace.messages import operations
from marketplace.messages.choices import choose_mail, find_choice, stop_optional, stop_secret
from marketplace.messages.digests import morning_before, send_digests
from marketplace.messages.models import Kind, MailChoice, Message, MessageState
from marketplace.messages.operations import Folder, Recipient, quiet_by, send_by, tell
from marketplace.messages.quiet import ROME
from marketplace.web import Application
from tests.city import CITY, NOW, found_city
from tests.families import sign_in
from tests.slots.conftest import city

__all__ = ["city"]

ANNA = "anna@example.org"
MORNING = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Path]:
    """The folder that stands in for the mail server."""
    before = list(operations._transport), list(operations._quiet_by)
    send_by(Folder(tmp_path), "Condiviso <no-reply@example.org>")
    quiet_by(quiet_hours)
    yield tmp_path
    operations._transport[:], operations._quiet_by[:] = before


def sent(folder: Path) -> list:
    """The e-mails of the folder."""
    return [message_from_bytes(one.read_bytes(), policy=policy.default) for one in sorted(folder.glob("*.eml"))]


def deliver(session: Session, now: datetime) -> None:
    for message in session.exec(select(Message).order_by(Message.id)).all():
        operations.deliver.func.__wrapped__(session, CITY, now, message_id=str(message.id))


def write(session: Session, kind: Kind, what: str = "", locale: str = "it", now: datetime = NOW) -> None:
    subject = what or kind.value
    tell(session, CITY, now, Recipient(ANNA, locale), f"k {subject}", subject, f"Parole di {subject}", kind=kind)


def states(session: Session) -> dict[str, str]:
    return {one.subject: one.state.value for one in session.exec(select(Message))}


def test_a_daily_digest_holds_what_can_wait_and_comes_once(city: Session, mail: Path) -> None:
    choose_mail(city, CITY, NOW, ANNA, is_daily=True)
    for kind in Kind:
        write(city, kind)
    deliver(city, NOW)
    assert sorted(one["Subject"] for one in sent(mail)) == ["timely", "urgent"]
    assert send_digests(city, MORNING - timedelta(minutes=1), CITY) == 0
    assert send_digests(city, MORNING, CITY) == 1
    assert send_digests(city, MORNING, CITY) == 0
    deliver(city, MORNING)
    deliver(city, MORNING)
    digest = next(one for one in sent(mail) if "novità" in one["Subject"])
    assert digest["Subject"] == "Le tue novità di oggi (2)"
    assert "Parole di ordinary" in digest.get_content()
    assert "Parole di optional" in digest.get_content()
    assert len(sent(mail)) == 3
    assert {states(city)["ordinary"], states(city)["optional"]} == {"gathered"}


def test_a_digest_that_was_rolled_back_is_made_again_whole(city: Session, mail: Path) -> None:
    choose_mail(city, CITY, NOW, ANNA, is_daily=True)
    write(city, Kind.ORDINARY)
    deliver(city, NOW)
    killed = city.begin_nested()
    assert send_digests(city, MORNING, CITY) == 1
    killed.rollback()
    city.expire_all()
    assert states(city) == {"ordinary": "held"}
    assert send_digests(city, MORNING, CITY) == 1
    deliver(city, MORNING)
    assert len(sent(mail)) == 1


def test_what_is_held_after_the_mornings_digest_waits_for_the_next(city: Session, mail: Path) -> None:
    choose_mail(city, CITY, NOW, ANNA, is_daily=True)
    write(city, Kind.ORDINARY, "first")
    write(city, Kind.ORDINARY, "late")
    first, late = city.exec(select(Message).order_by(Message.id)).all()
    operations.deliver.func.__wrapped__(city, CITY, NOW, message_id=str(first.id))
    assert send_digests(city, MORNING, CITY) == 1
    operations.deliver.func.__wrapped__(city, CITY, MORNING, message_id=str(late.id))
    assert send_digests(city, MORNING + timedelta(hours=1), CITY) == 0
    assert late.state == MessageState.HELD
    assert send_digests(city, MORNING + timedelta(days=1), CITY) == 1


def test_a_digest_speaks_its_readers_language(city: Session, mail: Path) -> None:
    choose_mail(city, CITY, NOW, ANNA, is_daily=True)
    write(city, Kind.ORDINARY, locale="en")
    deliver(city, NOW)
    send_digests(city, MORNING, CITY)
    deliver(city, MORNING)
    assert sent(mail)[0]["Subject"] == "Your news of today (1)"


MINUTES = st.integers(0, 24 * 60 * 160).map(
    lambda minutes: datetime(2026, 10, 20, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(MINUTES, st.integers(0, 23))
def test_the_morning_before_is_within_a_day_and_not_to_come(now: datetime, hour: int) -> None:
    morning = morning_before(now, hour)
    assert now - timedelta(hours=25) <= morning <= now
    assert morning.astimezone(ROME).minute == 0


def test_only_optional_mail_has_the_headers_of_rfc_8058(city: Session, mail: Path) -> None:
    for kind in Kind:
        write(city, kind)
    deliver(city, MORNING)
    for one in sent(mail):
        if one["Subject"] == "optional":
            assert one["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
            stop = re.fullmatch(r"<(.+)>", one["List-Unsubscribe"].replace("\n", "").replace(" ", ""))
            assert stop is not None
            assert stop[1].endswith(f"/avvisi/basta/{stop_secret(CITY, ANNA)}")
            assert stop[1] in one.get_content()
        else:
            assert one["List-Unsubscribe"] is None


def test_who_has_unsubscribed_gets_what_is_contractual_and_may_come_back(city: Session, mail: Path) -> None:
    stop_optional(city, NOW, stop_secret(CITY, ANNA))
    set_scope(city, Scope(CITY))
    for kind in Kind:
        write(city, kind)
    deliver(city, MORNING)
    assert sorted(one["Subject"] for one in sent(mail)) == ["ordinary", "timely", "urgent"]
    assert states(city)["optional"] == "dropped"
    choose_mail(city, CITY, NOW, ANNA, no_optional=False)
    write(city, Kind.OPTIONAL, "again")
    deliver(city, MORNING)
    assert "again" in {one["Subject"] for one in sent(mail)}


def test_the_link_keeps_the_daily_digest_and_touches_no_other_address(city: Session) -> None:
    choose_mail(city, CITY, NOW, ANNA, is_daily=True)
    stop_optional(city, NOW, stop_secret(CITY, ANNA))
    chosen = find_choice(city, CITY, ANNA)
    assert chosen is not None
    assert (chosen.is_daily, chosen.no_optional) == (True, True)
    assert find_choice(city, CITY, "bruno@example.org") is None


def test_a_changed_link_stops_nothing(city: Session) -> None:
    secret = stop_secret(CITY, ANNA)
    for wrong in (secret[:-2] + "AA", "999999" + secret[6:], secret[:20], "x", "", "à" * 80, secret + "AAAA"):
        with pytest.raises(NotFound):
            stop_optional(city, NOW, wrong)
    assert city.exec(select(MailChoice)).all() == []


def test_no_family_reads_choices_even_past_the_code(city: Session) -> None:
    choose_mail(city, CITY, NOW, ANNA, is_daily=True)
    with seeing(city, Scope(CITY, uuid4(), NOBODY)):
        assert city.exec(select(MailChoice)).all() == []


def test_one_click_without_cookie_and_the_page_with_its_way_back(app: Application, client: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = True  # as in production: a mail program has no token
    with app.app_context():
        found_city(db.session)
        user = add_user(db.session, NOW, "q1@example.org", "Laura")
        set_scope(db.session, Scope(CITY))
        appoint(db.session, NOW, user.id, CITY, Role.OPERATOR)
        db.session.commit()
        who, path = Actor(CITY, Role.OPERATOR, user.id), f"/avvisi/basta/{stop_secret(CITY, user.email)}"
    page = client.get(path)
    assert "Questi arrivano sempre" in page.text
    assert page.headers["Cache-Control"] == "no-store"

    def silent() -> bool:
        with app.app_context():
            chosen = find_choice(db.session, CITY, "q1@example.org")
            return chosen is not None and chosen.no_optional

    assert not silent()
    assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert silent()
    assert client.post(path[:-3]).status_code == 404
    app.config["WTF_CSRF_ENABLED"] = False
    sign_in(client, who)
    assert client.post("/avvisi", data={"quando": "ogni-giorno", "facoltativi": "y"}).status_code == 303
    assert not silent()
    assert 'value="ogni-giorno" checked' in client.get("/avvisi").text
