"""Nobody is disturbed at night, by the clocks of Italy: what can wait goes in the morning, once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from marketplace.accounts.models import PolicyVersion
from marketplace.accounts.policy import quiet_hours
from marketplace.messages import operations
from marketplace.messages.models import Kind, Message, MessageState
from marketplace.messages.operations import Recipient, quiet_by, send_by, tell
from marketplace.messages.quiet import ROME, QuietHours, free_from
from tests.city import CITY, NOW
from tests.slots.conftest import city

__all__ = ["city"]

NIGHT = QuietHours(21, 8)
HOURS = st.integers(0, 23)
AROUND_A_CHANGE = st.sampled_from((datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2027, 3, 27, 12, tzinfo=UTC)))
INSTANTS = st.builds(lambda day, minutes: day + timedelta(minutes=minutes), AROUND_A_CHANGE, st.integers(0, 36 * 60))


def rome(*when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=ROME, fold=fold)  # type: ignore[misc, arg-type]


@given(INSTANTS, HOURS, HOURS)
def test_it_is_the_first_instant_that_is_not_quiet(now: datetime, begins: int, ends: int) -> None:
    quiet = QuietHours(begins, ends)
    free = free_from(now, quiet)
    assert free >= now
    assert not quiet.holds(free.astimezone(ROME).hour)
    minute = now
    while minute < free:
        assert quiet.holds(minute.astimezone(ROME).hour), minute
        minute += timedelta(minutes=1)


@pytest.mark.parametrize(
    ("now", "free"),
    [
        (rome(2026, 11, 27, 20, 59), rome(2026, 11, 27, 20, 59)),
        (rome(2026, 11, 27, 21, 0), rome(2026, 11, 28, 8, 0)),
        (rome(2026, 11, 28, 7, 59), rome(2026, 11, 28, 8, 0)),
        (rome(2026, 11, 28, 8, 0), rome(2026, 11, 28, 8, 0)),
        (rome(2026, 10, 24, 22, 0), rome(2026, 10, 25, 8, 0)),  # twelve hours have passed, not ten
        (rome(2026, 10, 25, 2, 30, fold=1), rome(2026, 10, 25, 8, 0)),
        (rome(2027, 3, 27, 22, 0), rome(2027, 3, 28, 8, 0)),
        (rome(2026, 12, 31, 23, 0), rome(2027, 1, 1, 8, 0)),
    ],
)
def test_the_night_is_from_nine_to_eight_also_when_the_clocks_change(now: datetime, free: datetime) -> None:
    found = free_from(now.astimezone(UTC), NIGHT)
    assert found == free.astimezone(UTC)
    assert NIGHT.holds(20) is False


def test_equal_hours_are_never_quiet() -> None:
    assert not any(QuietHours(9, 9).holds(hour) for hour in range(24))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The subjects of what goes out; jobs that are put off are noted as `later`."""
    found: list[str] = []
    before = list(operations._transport), list(operations._quiet_by)
    send_by(lambda email: found.append(email["Subject"]), "Condiviso <no-reply@example.org>")
    quiet_by(quiet_hours)
    yield found
    operations._transport[:], operations._quiet_by[:] = before


def deliver(session: Session, now: datetime) -> list[tuple[datetime, MessageState]]:
    """Run the job of each message at `now`; what was put off, until when."""
    put_off: list[datetime] = []
    original = operations.defer
    operations.defer = lambda *_, at, **__: put_off.append(at)  # type: ignore[assignment]
    try:
        for message in session.exec(select(Message).order_by(Message.id)).all():
            operations.deliver.func.__wrapped__(session, CITY, now, message_id=str(message.id))
    finally:
        operations.defer = original
    return put_off


def write(session: Session, kind: Kind) -> None:
    tell(session, CITY, NOW, Recipient("anna@example.org"), f"k {kind}", kind.value, "Parole", kind=kind)


def test_at_night_only_what_is_urgent_goes_and_the_rest_once_in_the_morning(city: Session, sent: list[str]) -> None:
    for kind in Kind:
        write(city, kind)
    night, morning = rome(2026, 11, 27, 23, 15), rome(2026, 11, 28, 8, 0)
    assert deliver(city, night) == [morning] * 3
    assert sent == ["urgent"]
    deliver(city, morning)
    deliver(city, morning)
    assert sorted(sent) == ["optional", "ordinary", "timely", "urgent"]


def test_each_municipality_says_when_its_night_is(city: Session, sent: list[str]) -> None:
    settings = {"quiet_from_hour": 13, "quiet_until_hour": 15}
    city.add(PolicyVersion(municipality_id=CITY, valid_from=NOW.date(), settings=settings, created_at=NOW))
    city.flush()
    write(city, Kind.ORDINARY)
    assert deliver(city, rome(2026, 11, 27, 14, 0)) == [rome(2026, 11, 27, 15, 0)]
    assert deliver(city, rome(2026, 11, 27, 23, 0)) == []
    assert sent == ["ordinary"]
