"""SI or NO by SMS: from the number that gave its code back, with the proposal's own code, once."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

import pytest
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, AuditEntry, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.accounts.throttle import TooMany
from marketplace.config import SmsSettings
from marketplace.db import Scope, db, seeing, set_scope
from marketplace.errors import Rejected
from marketplace.households.models import MobileNumber
from marketplace.households.sms import ask_code, confirm_number, find_number, stop_sms
from marketplace.messages.models import Channel, Message
from marketplace.messages.sms import LENGTH_MAX, LETTERS, signature_of
from marketplace.slots.models import ProposalState
from marketplace.slots.sms_answers import TRIES_A_DAY, answer_by_sms
from marketplace.web import Application
from tests.city import CITY, NOW, Group, add_need, found_city, proposal_of, proposed

NUMBER = "+393471234567"


class Clock:
    """The hour of the web in these tests."""

    @classmethod
    def now(cls, zone: tzinfo) -> datetime:
        return NOW.astimezone(zone)


def sms(session: Session) -> list[str]:
    """The words of all SMS so far, in order."""
    with seeing(session, Scope(CITY)):
        found = select(Message).where(Message.channel == Channel.SMS).order_by(col(Message.created_at), col(Message.id))
        return [one.body for one in session.exec(found)]


def by_sms(session: Session, code: str, number: str = "347 1234567", now: datetime = NOW) -> Actor:
    """n's family, with a verified number."""
    by = Actor(CITY, None, household_id=add_need(session, code).household_id)
    ask_code(session, by, now, number)
    confirm_number(session, by, now, re.findall(r"\d{6}", sms(session)[-1])[0])
    return by


@pytest.fixture
def asked(city: Session) -> Session:
    """n1's family gets SMS, n2's e-mail; both have a proposal for one group."""
    by_sms(city, "n1")
    add_need(city, "n2")
    proposed(city, [Group(["n1", "n2"])])
    return city


def code_of(session: Session) -> str:
    return re.findall(r"SI (\d{4})", sms(session)[-1])[0]


def answer(session: Session, text: str, number: str = NUMBER, message_id: str = "m1", now: datetime = NOW) -> str:
    """What the SMS gets back."""
    before = len(sms(session))
    answer_by_sms(session, now, CITY, number, text, message_id)
    set_scope(session, Scope(CITY))
    after = sms(session)
    return after[-1] if len(after) > before else ""


def test_a_proposal_comes_as_one_sms_with_what_when_how_much_and_until(asked: Session) -> None:
    words = sms(asked)[-1]
    assert re.fullmatch(
        r"Condiviso: c'è un posto, Matematica \w{3} \d+:\d\d\. Al massimo [\d,]+ euro la settimana\."
        r" Rispondi SI (\d{4}) o NO \1 entro \w{3} \d+/\d+ \d\d:\d\d",
        words,
    )
    assert len(words) <= LENGTH_MAX
    assert set(words) <= LETTERS
    with seeing(asked, Scope(CITY)):
        to = {one.recipient for one in asked.exec(select(Message)) if one.subject.startswith("C'è un posto")}
    assert "n2@example.org" in to
    assert "n1@example.org" not in to


@pytest.mark.parametrize("word", ["SI", "si", "Sì", " sì, ", "yes"])
def test_yes_accepts(asked: Session, word: str) -> None:
    assert "hai accettato" in answer(asked, f"{word} {code_of(asked)}")
    proposal = proposal_of(asked, "n1")
    assert proposal.state == ProposalState.ACCEPTED
    entry = asked.exec(select(AuditEntry).where(AuditEntry.subject_id == proposal.id).limit(1)).one()
    assert entry.reason == "by SMS from the verified number"


def test_no_declines(asked: Session) -> None:
    assert "hai rifiutato" in answer(asked, f"NO{code_of(asked)}")
    assert proposal_of(asked, "n1").state == ProposalState.DECLINED


def test_a_code_counts_once_and_a_message_handed_in_twice_is_answered_once(asked: Session) -> None:
    code = code_of(asked)
    assert "hai accettato" in answer(asked, f"SI {code}")
    assert answer(asked, f"SI {code}") == ""
    assert "nessuna proposta" in answer(asked, f"NO {code}", message_id="m2")
    assert proposal_of(asked, "n1").state == ProposalState.ACCEPTED


def test_what_is_not_understood_changes_nothing_and_says_how(asked: Session) -> None:
    code = code_of(asked)
    for number, text in enumerate(("", "ciao", "SI", code, f"forse {code}", f"SI {code}9")):
        assert "Rispondi SI o NO" in answer(asked, text, message_id=f"m{number}"), text
    assert proposal_of(asked, "n1").state == ProposalState.PROPOSED


def test_the_answer_is_in_the_language_of_whoever_sent_it(asked: Session) -> None:
    household_id = proposal_of(asked, "n1").household_id
    reader = add_user(asked, NOW, "reader@example.org", "Ann", "en")
    appoint(asked, NOW, reader.id, CITY, Role.FAMILY, household_id=household_id)
    code = code_of(asked)
    assert answer(asked, "ciao", message_id="m1").startswith("Condiviso: we did not understand")
    assert answer(asked, f"YES {code}", message_id="m2").startswith("Condiviso: you have accepted")


def test_codes_are_not_tried_without_end_from_a_forged_number(asked: Session) -> None:
    code = code_of(asked)
    for tried in range(TRIES_A_DAY):
        wrong = f"{(int(code) + 1 + tried) % 10_000:04}"
        assert answer(asked, f"SI {wrong}", message_id=f"m{tried}") != ""
    assert answer(asked, f"SI {code}", message_id="late") == ""
    assert answer(asked, "Risposta automatica: sono via", message_id="loop") == ""
    assert proposal_of(asked, "n1").state == ProposalState.PROPOSED
    assert "hai accettato" in answer(asked, f"SI {code}", message_id="next", now=NOW + timedelta(days=1))


def test_a_number_that_answers_rightly_may_answer_as_often_as_it_is_asked(asked: Session) -> None:
    code = code_of(asked)
    for tried in range(TRIES_A_DAY - 1):
        answer(asked, "?", message_id=f"m{tried}")
    assert "hai accettato" in answer(asked, f"SI {code}", message_id="right")
    assert answer(asked, "?", message_id="after") != ""


def test_a_strangers_number_does_nothing_and_hears_nothing(asked: Session) -> None:
    assert answer(asked, f"SI {code_of(asked)}", "+393479999999") == ""
    assert answer(asked, f"SI {code_of(asked)}", "no number") == ""
    assert proposal_of(asked, "n1").state == ProposalState.PROPOSED


def test_another_familys_code_from_ones_own_number_does_nothing(city: Session) -> None:
    by_sms(city, "n1")
    by_sms(city, "n2", "348 7654321")
    proposed(city, [Group(["n1", "n2"])])
    codes = {re.findall(r"SI (\d{4})", words)[0] for words in sms(city)[-2:]}
    for code in codes:
        answer(city, f"NO {code}", NUMBER, message_id=code)
    states = {code: proposal_of(city, code).state for code in ("n1", "n2")}
    assert states == {"n1": ProposalState.DECLINED, "n2": ProposalState.PROPOSED}


def test_an_answer_after_the_deadline_is_told_so(asked: Session) -> None:
    late = proposal_of(asked, "n1").deadline + timedelta(minutes=1)
    assert answer(asked, f"SI {code_of(asked)}", now=late).startswith("Condiviso: ")
    assert proposal_of(asked, "n1").state == ProposalState.PROPOSED


def test_a_number_counts_only_once_its_code_has_come_back(city: Session) -> None:
    by = Actor(CITY, None, household_id=add_need(city, "n1").household_id)
    ask_code(city, by, NOW, "347 1234567")
    proposed(city, [Group(["n1"])])
    assert len(sms(city)) == 1
    code = re.findall(r"\d{6}", sms(city)[0])[0]
    with pytest.raises(Rejected):
        confirm_number(city, by, NOW, "000000" if code != "000000" else "000001")
    with pytest.raises(Rejected):
        confirm_number(city, by, NOW + timedelta(minutes=31), code)
    found = find_number(city, by)
    assert found is not None
    assert found.verified_at is None


def test_codes_are_neither_guessed_nor_sent_without_end(city: Session) -> None:
    by = Actor(CITY, None, household_id=add_need(city, "n1").household_id)
    ask_code(city, by, NOW, "347 1234567")
    code = re.findall(r"\d{6}", sms(city)[0])[0]
    for guess in range(5):
        with pytest.raises(Rejected):
            confirm_number(city, by, NOW, f"{(int(code) + guess + 1) % 1_000_000:06}")
    with pytest.raises(TooMany):
        confirm_number(city, by, NOW, code)
    for _ in range(4):
        ask_code(city, by, NOW, "347 1234567")
    with pytest.raises(TooMany):
        ask_code(city, by, NOW, "347 1234567")


def test_who_stops_gets_e_mail_again_and_the_number_is_forgotten(city: Session) -> None:
    by = by_sms(city, "n1")
    stop_sms(city, by, NOW)
    proposed(city, [Group(["n1"])])
    assert len(sms(city)) == 1
    assert city.exec(select(MobileNumber)).all() == []


def test_only_mobile_numbers_get_a_code(city: Session) -> None:
    by = Actor(CITY, None, household_id=add_need(city, "n1").household_id)
    with pytest.raises(Rejected):
        ask_code(city, by, NOW, "0521 123456")
    assert sms(city) == []


def test_the_provider_hands_in_by_its_signature_alone(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.web.datetime", Clock)
    with app.app_context():
        found_city(db.session)
        by_sms(db.session, "n1")
        proposed(db.session, [Group(["n1"])])
        code = code_of(db.session)
        db.session.commit()
    client, page = app.test_client(), f"/sms/{CITY}"
    body = json.dumps({"from": NUMBER, "text": f"NO {code}", "id": "x"}).encode()

    def hand_in(to: str, what: bytes, secret: str = "secret") -> int:
        return client.post(to, data=what, headers={"X-Signature": signature_of(what, secret)}).status_code

    assert hand_in(page, body) == 404  # where no provider is set up
    provider = SmsSettings("https://sms.invalid", "token", "secret")
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], sms=provider))
    assert client.post(page, data=body).status_code == 400
    assert hand_in(page, body, "other") == 400
    assert hand_in(page, b"[]") == 400
    assert hand_in("/sms/999999", body) == 404
    assert hand_in(page, body) == 204
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        assert proposal_of(db.session, "n1").state == ProposalState.DECLINED


def test_a_family_sees_no_others_number_even_past_the_code(city: Session) -> None:
    by_sms(city, "n1")
    other = add_need(city, "n2").household_id
    with seeing(city, Scope(CITY, other, "nobody")):
        assert city.exec(select(MobileNumber)).all() == []
