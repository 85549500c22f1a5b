"""A week of slots, looked at from each side; slots name only what the instance has."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from billing.split import Presence
from matching.instance import (
    Instance,
    Need,
    Offer,
    PlaceAtHomes,
    PlaceAtHost,
    PlaceAtVenue,
    Provider,
    Service,
    Venue,
    Window,
)
from matching.plan import Member, Slot
from matching.quotes import Quote, offers_that_cover, quote


@dataclass(frozen=True)
class SlotView:
    """A slot with what its ids stand for."""

    instance: Instance
    slot: Slot

    @cached_property
    def provider(self) -> Provider:
        """Who holds the slot."""
        return self.instance.providers[self.slot.provider]

    @cached_property
    def service(self) -> Service:
        """The service it is of."""
        return self.instance.services[self.slot.service]

    @cached_property
    def needs(self) -> list[Need]:
        """The needs of its members, in their order."""
        return [self.instance.needs[member.need] for member in self.slot.members]

    @cached_property
    def presences(self) -> list[Presence]:
        """Start, end and seats of each member, in their order."""
        return [
            (member.start, member.end, need.seats) for member, need in zip(self.slot.members, self.needs, strict=True)
        ]

    @cached_property
    def place(self) -> Venue | Need | None:
        """The venue, or the host; None for a round from home to home."""
        if isinstance(self.slot.place, PlaceAtVenue):
            return self.instance.venues[self.slot.place.venue]
        if isinstance(self.slot.place, PlaceAtHost):
            return self.instance.needs[self.slot.place.need]
        return None

    @cached_property
    def covering(self) -> list[Offer]:
        """The provider's offers that cover all members (rule 2)."""
        return offers_that_cover(self.provider, self.slot.service, self.service, self.needs)

    @cached_property
    def quote(self) -> Quote | None:
        """The price by the offer that applies; None where none does."""
        return quote(self.instance, self.covering, self.slot.place, self.presences)

    @property
    def name(self) -> str:
        """The slot in a message."""
        return f"slot {self.slot.id}"


Session = tuple[SlotView, int]
"""A slot, and which of its members is meant."""


@dataclass(frozen=True)
class Week:
    """All slots of a plan."""

    instance: Instance
    slots: tuple[Slot, ...]

    @cached_property
    def views(self) -> list[SlotView]:
        """The slots with what their ids stand for, in their order."""
        return [SlotView(self.instance, slot) for slot in self.slots]

    @cached_property
    def sessions(self) -> dict[str, list[Session]]:
        """By need: each slot that it is in, and which of the slot's members it is."""
        found = defaultdict(list)
        for view in self.views:
            for index, member in enumerate(view.slot.members):
                found[member.need].append((view, index))
        return dict(found)

    @cached_property
    def by_venue_and_day(self) -> dict[tuple[str, int], list[SlotView]]:
        """The slots at each venue on each day."""
        found = defaultdict(list)
        for view in self.views:
            if isinstance(view.slot.place, PlaceAtVenue):
                found[view.slot.place.venue, view.slot.day].append(view)
        return dict(found)

    @cached_property
    def by_provider(self) -> dict[str, list[SlotView]]:
        """Each provider's slots."""
        found = defaultdict(list)
        for view in self.views:
            found[view.slot.provider].append(view)
        return dict(found)

    def share_cents(self, view: SlotView, index: int) -> int:
        """What the member must pay by the rules; what the plan says where no offer applies."""
        return view.quote.shares_cents[index] if view.quote else view.slot.members[index].share_cents

    def cost_cents(self, view: SlotView) -> int:
        """What the slot costs by the rules; what the plan says where no offer applies."""
        return view.quote.cost_cents if view.quote else view.slot.cost_cents


def lies_in_one(windows: Iterable[Window], day: int, start: int, end: int) -> bool:
    """Whether one window holds all of the time."""
    return any(window.day == day and window.start <= start and end <= window.end for window in windows)


def overlap(first: Slot | Member, second: Slot | Member) -> bool:
    """Whether two stretches of one day have a moment in common."""
    return first.start < second.end and second.start < first.end


def is_same_place(first: Slot, second: Slot) -> bool:
    """Equal `place` is the same place; rounds are always at different places."""
    return first.place == second.place and not isinstance(first.place, PlaceAtHomes)


def overlapping(sessions: Iterable[tuple[int, int, str]]) -> Iterator[tuple[str, str]]:
    """Pairs of names whose stretches (start, end, name) of one day overlap; of many at once, neighbours at least."""
    latest: tuple[int, str] | None = None
    for start, end, name in sorted(sessions):
        if latest and start < latest[0]:
            yield latest[1], name
        if latest is None or end > latest[0]:
            latest = (end, name)
