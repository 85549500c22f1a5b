"""A day before it is too late, whoever has not answered is reminded, once."""

from datetime import timedelta

from sqlmodel import Session, col, select

from marketplace.messages.models import Kind, Message
from marketplace.slots.extras import answer_extra, join_extra
from marketplace.slots.operations import answer_slot
from marketplace.slots.reminders import remind
from tests.city import CITY, NOW, Group, add_need, proposed, the_slot
from tests.city import provider_of as teacher_of
from tests.slots.test_extras import ALONE, asked, family, group, place

__all__ = ["group"]

HOUR = timedelta(hours=1)


def reminded(session: Session) -> list[str]:
    """Whom, and of what."""
    found = select(Message).where(col(Message.subject).is_not(None)).order_by(col(Message.id))
    return [
        f"{one.recipient.split('@')[0]}: {one.subject.split(': ')[1][:16]}"
        for one in session.exec(found)
        if one.subject.startswith("Manca poco")
    ]


def test_a_provider_is_reminded_once_for_all_its_slots_and_not_once_it_has_answered(city: Session) -> None:
    for code in ("n1", "n2"):
        add_need(city, code)
    proposed(city, [Group(["n1"]), Group(["n2"], day=3)])
    for hour in range(20, 47):
        remind(city, NOW + hour * HOUR, CITY)
    assert sorted(reminded(city)) == [
        "n1: rispondi entro m",
        "n2: rispondi entro m",
        "q1: un gruppo aspett",
    ]


def test_who_has_answered_is_left_alone(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    answer_slot(city, teacher_of(the_slot(city)), NOW, the_slot(city).id, True)
    remind(city, NOW + 30 * HOUR, CITY)
    assert reminded(city) == ["n1: rispondi entro m"]


def test_who_was_asked_a_moment_ago_is_not_reminded(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    the_slot(city).created_at = NOW + 20 * HOUR
    city.flush()
    remind(city, NOW + 30 * HOUR, CITY)
    assert reminded(city) == ["n1: rispondi entro m"]


def test_an_extra_session_reminds_its_provider_and_then_who_has_not_said_whether_it_comes(group: Session) -> None:
    extra = asked(group)
    for hour in (11, 13, 14):
        remind(group, NOW + hour * HOUR, CITY)
    assert reminded(group) == ["q1: rispondi sull'in"]
    answer_extra(group, teacher_of(the_slot(group)), NOW, extra.id, True)
    join_extra(group, family(group, "n2"), NOW, extra.id, place(group, "n2"), ALONE)
    for hour in (25, 3, 1):
        remind(group, extra.join_until - hour * HOUR, CITY)
    assert reminded(group)[1:] == ["n3: vieni all'incont"]
    kinds = {one.kind for one in group.exec(select(Message)) if one.subject.startswith("Manca poco")}
    assert kinds == {Kind.TIMELY}
