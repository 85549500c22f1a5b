"""A group talks without telephone numbers; whoever complains hides a message until the municipality has decided."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, seeing
from marketplace.errors import Forbidden, NotFound, Rejected
from marketplace.messages.models import Message
from marketplace.slots.leaving import leave_slot
from marketplace.slots.models import Slot, SlotState
from marketplace.talk import operations
from marketplace.talk.models import Complaint, GroupMessage, Standing
from tests.city import CITY, NOW, Group, add_need, family_of, proposal_of, provider_of, the_slot
from tests.slots.conftest import Confirm

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def group(city: Session, confirm: Confirm) -> Session:
    """n1 and n2 in a confirmed group, an officer in the town hall."""
    for code in ("n1", "n2"):
        add_need(city, code)
    confirm(Group(["n1", "n2"]))
    user = add_user(city, NOW, "officer@example.org", "Officer")
    appoint(city, NOW, user.id, CITY, Role.OFFICER)
    return city


def family(session: Session, code: str) -> Actor:
    return replace(family_of(proposal_of(session, code)), user_id=uuid4())


def write(session: Session, by: Actor, words: str, now: datetime = LATER) -> UUID:
    made = uuid4()
    operations.write(session, by, now, the_slot(session).id, made, words)
    return made


def read(session: Session, by: Actor) -> list[str | None]:
    return [one.words for one in operations.read_talk(session, by, LATER, the_slot(session).id).said]


def officer(session: Session) -> Actor:
    return Actor(CITY, Role.OFFICER, user_id=uuid4())


def told(session: Session, subject: str) -> list[tuple[str, str]]:
    """Who was written to about it, and what."""
    with seeing(session, Scope(CITY)):
        found = [one for one in session.exec(select(Message)) if one.subject == subject]
        return sorted((one.recipient, one.body) for one in found)


def test_families_and_professional_read_what_each_writes(group: Session) -> None:
    anna, bruno, teacher = family(group, "n1"), family(group, "n2"), provider_of(the_slot(group))
    write(group, anna, "  Chi porta il libro?\nGrazie ")
    write(group, teacher, "Lo porto io.", LATER + timedelta(minutes=1))
    for who in (anna, bruno, teacher):
        assert read(group, who) == ["Chi porta il libro?\nGrazie", "Lo porto io."]
    talk = operations.read_talk(group, bruno, LATER, the_slot(group).id)
    assert [(one.is_mine, one.by_provider) for one in talk.said] == [(False, False), (False, True)]
    assert [one.is_mine for one in operations.read_talk(group, teacher, LATER, the_slot(group).id).said] == [
        False,
        True,
    ]


def test_the_others_are_told_once_a_day_without_a_word_of_it(group: Session) -> None:
    for _ in range(3):
        write(group, family(group, "n1"), "segreto")
    write(group, family(group, "n1"), "domani", LATER + timedelta(days=1))
    found = told(group, "C'è un messaggio nel tuo gruppo")
    assert len(found) == 4  # the other family and the professional, on two days
    assert not any("segreto" in body for _, body in found)


def test_two_taps_are_one_message(group: Session) -> None:
    made = write(group, family(group, "n1"), "una volta")
    operations.write(group, family(group, "n1"), LATER, the_slot(group).id, made, "una volta")
    assert read(group, family(group, "n2")) == ["una volta"]


def test_a_stranger_neither_reads_nor_writes_nor_complains(group: Session) -> None:
    made = write(group, family(group, "n1"), "tra noi")
    stranger = replace(family(group, "n1"), household_id=add_need(group, "n3").household_id)
    other_teacher = Actor(CITY, Role.PROVIDER, user_id=uuid4(), provider_id=uuid4())
    for who in (stranger, other_teacher, officer(group), Actor(CITY, user_id=uuid4())):
        with pytest.raises(NotFound):
            read(group, who)
        with pytest.raises(NotFound):
            write(group, who, "ciao")
        with pytest.raises(NotFound):
            operations.complain(group, who, LATER, made, "")


def test_who_has_left_hears_nothing_more_from_the_day_on(group: Session) -> None:
    anna = family(group, "n1")
    left = leave_slot(group, anna, NOW, proposal_of(group, "n1").id)
    assert left.left_on is not None
    after = datetime.combine(left.left_on, NOW.timetz()) + timedelta(days=1)
    with pytest.raises(NotFound):
        operations.read_talk(group, anna, after, the_slot(group).id)


def test_a_complaint_hides_a_message_and_an_officer_decides(group: Session) -> None:
    anna, bruno = family(group, "n1"), family(group, "n2")
    made = write(group, anna, "brutte parole")
    operations.complain(group, bruno, LATER, made, "offende")
    operations.complain(group, bruno, LATER, made, "offende ancora")
    assert read(group, anna) == read(group, bruno) == [None]
    [(to, _)] = told(group, "Un messaggio di un gruppo è stato segnalato")
    assert to == "officer@example.org"
    [case] = operations.list_to_check(group, officer(group))
    assert (case.message.words, case.whys) == ("brutte parole", ("offende",))
    operations.decide(group, officer(group), LATER, made, keep=True)
    assert read(group, bruno) == ["brutte parole"]
    operations.decide(group, officer(group), LATER, made, keep=False)
    assert read(group, anna) == [None]
    assert operations.list_to_check(group, officer(group)) == []


def test_only_officers_decide_and_only_of_what_was_reported(group: Session) -> None:
    made = write(group, family(group, "n1"), "ciao")
    with pytest.raises(NotFound):
        operations.get_case(group, officer(group), made)
    with pytest.raises(NotFound):
        operations.decide(group, officer(group), LATER, made, keep=False)
    for deed in (operations.list_to_check, lambda session, by: operations.decide(session, by, LATER, made, keep=False)):
        with pytest.raises(Forbidden):
            deed(group, family(group, "n2"))


def test_nobody_complains_about_oneself(group: Session) -> None:
    made = write(group, family(group, "n1"), "ciao")
    with pytest.raises(Rejected):
        operations.complain(group, family(group, "n1"), LATER, made, "")


def test_a_family_cannot_read_complaints_even_past_the_code(group: Session) -> None:
    made = write(group, family(group, "n1"), "ciao")
    bruno = family(group, "n2")
    operations.complain(group, bruno, LATER, made, "perché")
    with seeing(group, Scope(CITY, bruno.household_id, "nobody")):
        assert group.exec(select(Complaint)).all() == []
    with seeing(group, Scope(CITY)):
        assert len(group.exec(select(Complaint)).all()) == 1


@pytest.mark.parametrize("words", ["", "  \n ", "x" * 1001])
def test_a_message_has_words_and_not_too_many(group: Session, words: str) -> None:
    with pytest.raises(Rejected):
        write(group, family(group, "n1"), words)
    assert read(group, family(group, "n1")) == []


def test_a_day_has_thirty_messages_of_one_family(group: Session) -> None:
    for _ in range(operations.A_DAY):
        write(group, family(group, "n1"), "ciao")
    with pytest.raises(operations.TooMuch):
        write(group, family(group, "n1"), "ciao")
    write(group, family(group, "n2"), "anch'io")
    write(group, family(group, "n1"), "domani", LATER + timedelta(days=1, seconds=1))


def test_a_group_that_is_over_is_only_read_and_after_three_months_forgotten(group: Session) -> None:
    made = write(group, family(group, "n1"), "ciao")
    operations.complain(group, family(group, "n2"), LATER, made, "")
    slot = group.get_one(Slot, (CITY, the_slot(group).id))
    slot.state = SlotState.ENDED
    group.flush()
    with pytest.raises(operations.Over):
        write(group, family(group, "n2"), "ancora?")
    end = datetime.combine(slot.last_date, NOW.timetz())
    operations.forget_old_talk(group, CITY, end + timedelta(days=90))
    assert group.get_one(GroupMessage, (CITY, made)).standing == Standing.REPORTED
    group.expunge_all()
    operations.forget_old_talk(group, CITY, end + timedelta(days=91))
    assert group.exec(select(GroupMessage)).all() == []
    with seeing(group, Scope(CITY)):
        assert group.exec(select(Complaint)).all() == []
