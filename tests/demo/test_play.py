"""A city that is played ends with books that balance, and the same seed plays the same."""

from datetime import date

from sqlmodel import Session, select

from marketplace.demo.play import accept_all, close_played, play_month
from marketplace.rounds.models import Round, RoundState
from marketplace.slots.models import Attendance, Meeting, MeetingState, Slot, SlotState
from marketplace.statements.audit import audit
from tests.city import CITY, NOW, Group, add_need, add_programme, found_city, proposed

DECEMBER = date(2026, 12, 1)


def test_all_accept_a_month_is_played_and_closed_and_the_audit_finds_nothing(session: Session) -> None:
    found_city(session)
    add_programme(session, 100_000)
    for number in range(8):
        add_need(session, f"n{number}", isee_cents=500_000 if number % 2 else None)
    proposed(session, [Group(["n0", "n1", "n2", "n3"], day=0), Group(["n4", "n5"], day=2), Group(["n6", "n7"], day=4)])
    assert accept_all(session, NOW, CITY) == 8
    assert session.exec(select(Round)).one().state == RoundState.SETTLED
    happened = play_month(session, CITY, DECEMBER, seed=5)
    assert happened["held"] == len(session.exec(select(Meeting).where(Meeting.state == MeetingState.HELD)).all())
    assert happened["present"] > happened["absent_notified"] > 0
    assert {slot.state for slot in session.exec(select(Slot))} == {SlotState.RUNNING}
    rows = len(session.exec(select(Attendance)).all())
    assert play_month(session, CITY, DECEMBER, seed=5) == {}
    assert len(session.exec(select(Attendance)).all()) == rows
    totals = close_played(session, CITY, DECEMBER)
    assert (totals["statements"], totals["meetings_waiting"]) == (8, 0)
    assert totals["share_cents"] == totals["net_cents"] + totals["subsidy_cents"] + totals["guarantee_cents"]
    assert list(audit(session, CITY, ())) == []
