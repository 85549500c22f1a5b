"""Who wants paper gets paper: printed once, printed again at will, answered by the slip's code at the desk."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, AuditEntry, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import NOBODY, Scope, seeing, set_scope
from marketplace.documents.letters import batch_pdf, list_batches, list_unprinted, print_batch
from marketplace.errors import Conflict, Forbidden, NotFound, Rejected
from marketplace.households.models import Household
from marketplace.households.operations import choose_letters
from marketplace.messages.models import Channel, Message, MessageState
from marketplace.slots.advancing import advance
from marketplace.slots.models import ProposalState
from marketplace.slots.slips import answer_by_slip, find_by_slip, is_well_typed, slip_code, spaced
from tests.city import CITY, NOW, Group, add_need, family_of, proposal_of, proposed
from tests.slots.conftest import city, confirm

__all__ = ["city", "confirm"]

DESK = Actor(CITY, Role.OPERATOR, user_id=uuid4())


@pytest.fixture
def asked(city: Session) -> Session:
    """n1's family wants letters, n2's has e-mail; both have a proposal for one group."""
    for code in ("n1", "n2"):
        add_need(city, code)
    choose_letters(city, family(city, "n1"), NOW, wanted=True)
    proposed(city, [Group(["n1", "n2"])])
    return city


def family(session: Session, code: str) -> Actor:
    household = session.exec(select(Household).where(Household.family_name == f"Famiglia {code}")).one()
    return Actor(CITY, Role.FAMILY, household_id=household.id)


def code_of(session: Session) -> str:
    return slip_code(CITY, proposal_of(session, "n1").id)


def test_who_wants_letters_gets_no_e_mail_and_waits_for_the_printer(asked: Session) -> None:
    letter = list_unprinted(asked, DESK)[0]
    assert letter.recipient.splitlines() == ["Anna Famiglia n1", "Via Milano n1", "Alessandria"]
    assert letter.subject == "Proposta per Lei: rispondere entro martedì 1 dicembre, 10:00"
    assert "Paga " in letter.body
    assert "http" not in letter.body
    to = {one.recipient for one in asked.exec(select(Message)) if one.channel == Channel.EMAIL}
    assert to == {"n2@example.org", "q1@example.org"}


def test_who_has_nothing_else_gets_letters_unasked(city: Session) -> None:
    add_need(city, "n1")
    city.exec(select(Household)).one().email = None
    proposed(city, [Group(["n1"])])
    assert len(list_unprinted(city, DESK)) == 1


def test_a_letter_is_in_the_language_of_its_reader(city: Session) -> None:
    household_id = add_need(city, "n1").household_id
    reader = add_user(city, NOW, "reader@example.org", "Ann", "en")
    appoint(city, NOW, reader.id, CITY, Role.FAMILY, household_id=household_id)
    choose_letters(city, family(city, "n1"), NOW, wanted=True)
    proposed(city, [Group(["n1"])])
    letter = list_unprinted(city, DESK)[0]
    assert letter.locale == "en"
    assert letter.subject.startswith("A proposal for you")


def test_a_batch_marks_its_letters_once_and_prints_again_at_will(asked: Session) -> None:
    batch_id = print_batch(asked, DESK, NOW)
    assert list_unprinted(asked, DESK) == []
    with pytest.raises(NotFound):
        print_batch(asked, DESK, NOW)
    letter = asked.exec(select(Message).where(Message.batch_id == batch_id)).one()
    assert (letter.state, letter.sent_at) == (MessageState.SENT, NOW)
    assert [(one.id, one.count) for one in list_batches(asked, DESK)] == [(batch_id, 1)]
    first, second = (batch_pdf(asked, DESK, batch_id, "0131 515111") for _ in range(2))
    assert first[:5] == second[:5] == b"%PDF-"
    assert b"/StructTreeRoot" in first  # a tagged document: PDF/UA-1 is refused by the compiler otherwise
    assert letter.sent_at == NOW


def test_letters_are_the_desks_alone(asked: Session) -> None:
    batch_id = print_batch(asked, DESK, NOW)
    for by in (family(asked, "n1"), Actor(CITY, Role.PROVIDER), Actor(CITY)):
        for refused in (
            lambda by=by: list_unprinted(asked, by),
            lambda by=by: list_batches(asked, by),
            lambda by=by: print_batch(asked, by, NOW),
            lambda by=by: batch_pdf(asked, by, batch_id, ""),
            lambda by=by: find_by_slip(asked, by, code_of(asked)),
        ):
            with pytest.raises(Forbidden):
                refused()


def test_yes_on_a_slip_accepts_on_the_familys_behalf_and_the_family_is_told(asked: Session) -> None:
    for _ in range(2):
        answer_by_slip(asked, DESK, NOW, spaced(code_of(asked)), accept=True)
    proposal = proposal_of(asked, "n1")
    assert (proposal.state, proposal.decided_by) == (ProposalState.ACCEPTED, DESK.user_id)
    entry = asked.exec(
        select(AuditEntry).where(AuditEntry.subject_id == proposal.id, AuditEntry.action == "accept_proposal")
    ).one()
    assert (entry.on_behalf_of, entry.reason) == (proposal.household_id, "by the slip of a letter")
    told = [one for one in list_unprinted(asked, DESK) if one.subject == "Abbiamo ricevuto il tuo sì"]
    assert len(told) == 1
    assert "Se non è vero" in told[0].body


def test_no_on_a_slip_declines(asked: Session) -> None:
    answer_by_slip(asked, DESK, NOW, code_of(asked), accept=False)
    assert proposal_of(asked, "n1").state == ProposalState.DECLINED


def test_a_slip_that_comes_too_late_changes_nothing(asked: Session) -> None:
    late = proposal_of(asked, "n1").deadline + timedelta(minutes=1)
    with pytest.raises(Conflict):
        answer_by_slip(asked, DESK, late, code_of(asked), accept=True)
    assert proposal_of(asked, "n1").state == ProposalState.PROPOSED


def test_a_code_of_no_letter_finds_nothing(asked: Session) -> None:
    for typed in ("", "123", "x" * 12, slip_code(CITY, proposal_of(asked, "n2").id), slip_code(CITY, uuid4())):
        with pytest.raises(Rejected):
            find_by_slip(asked, DESK, typed)
    set_scope(asked, Scope("000000"))
    with pytest.raises(Rejected):
        find_by_slip(asked, Actor("000000", Role.OPERATOR), code_of_scope(asked))


def code_of_scope(session: Session) -> str:
    with seeing(session, Scope(CITY)):
        return code_of(session)


def test_a_reminder_of_the_last_day_is_not_put_in_the_post(asked: Session) -> None:
    before = len(list_unprinted(asked, DESK))
    advance(asked, proposal_of(asked, "n1").deadline - timedelta(hours=2), CITY)
    assert len(list_unprinted(asked, DESK)) == before


def test_who_has_had_enough_of_letters_gets_e_mail_again(asked: Session) -> None:
    choose_letters(asked, family(asked, "n1"), NOW, wanted=False)
    answer_by_slip(asked, DESK, NOW, code_of(asked), accept=True)
    newest = asked.exec(select(Message).order_by(Message.id.desc())).first()
    assert (newest.channel, newest.recipient) == (Channel.EMAIL, "n1@example.org")


def test_a_family_chooses_for_itself_alone_even_past_the_code(asked: Session) -> None:
    other = family(asked, "n2")
    with seeing(asked, Scope(CITY, other.household_id, NOBODY)), pytest.raises(NotFound):
        choose_letters(asked, family_of(proposal_of(asked, "n1")), NOW, wanted=False)


@given(st.uuids(), st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(proposal_id: object, place: int, change: int) -> None:
    from marketplace.sealed import keyring
    from tests.database import KEYS

    keyring.unlock(list(KEYS))
    code = slip_code(CITY, proposal_id)
    assert is_well_typed(code)
    wrong = code[:place] + str((int(code[place]) + change) % 10) + code[place + 1 :]
    assert not is_well_typed(wrong)
