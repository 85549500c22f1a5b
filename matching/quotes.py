"""A group gets the cheapest offer that covers all of it and fits its size, and pays what that costs (rules 2, 5, 8)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from billing.split import Presence, exact_cost, moments, split_slot
from matching.instance import Instance, Mode, Need, Offer, Place, PlaceAtVenue, Provider, Service


@dataclass(frozen=True, slots=True)
class Quote:
    """The offer that applies to a slot, the slot's cost and its members' shares in cents, in their order."""

    offer: Offer
    cost_cents: int
    shares_cents: tuple[int, ...]


def offer_suits(offer: Offer, need: Need) -> bool:
    """Whether the offer itself covers the need: service, topic, level and age (null: any)."""
    return (
        offer.service == need.service
        and (need.topic is None or need.topic in offer.topics)
        and (need.level is None or offer.level_min <= need.level <= offer.level_max)
        and (need.age is None or offer.age_min <= need.age <= offer.age_max)
    )


def provider_suits(provider: Provider, need: Need) -> bool:
    """Whether the provider may serve the need at all: qualifications, a common language, no exclusion either way."""
    return (
        need.id not in provider.excludes
        and provider.id not in need.excludes
        and any(language in provider.languages for language in need.languages)
        and all(required in provider.qualifications for required in need.requires)
    )


def have_common_language(provider: Provider, needs: Iterable[Need]) -> bool:
    """Whether the provider and all of them speak one language (asked in `class`)."""
    common = set(provider.languages)
    for need in needs:
        common &= set(need.languages)
    return bool(common)


def offers_that_cover(provider: Provider, service_id: str, service: Service, needs: Sequence[Need]) -> list[Offer]:
    """The provider's offers for the service that cover every one of the group (rule 2), in their order."""
    if not all(provider_suits(provider, need) for need in needs):
        return []
    if service.mode == Mode.CLASS and not have_common_language(provider, needs):
        return []
    return [
        offer
        for offer in provider.offers
        if offer.service == service_id and all(offer_suits(offer, need) for need in needs)
    ]


def peak_seats(presences: Iterable[Presence]) -> int:
    """The most seats present at once."""
    return max((seats for _, _, seats in moments(presences)), default=0)


def most_seats_met(presences: Sequence[Presence]) -> list[int]:
    """For each presence, the most seats (its own included) present at once while it lasts."""
    stretches = list(moments(presences))
    since = {start: index for index, (start, _, _) in enumerate(stretches)}
    until = {end: index for index, (_, end, _) in enumerate(stretches)}
    seats = [present for _, _, present in stretches]
    return [max(seats[since[start] : until[end] + 1]) for start, end, _ in presences]


def fits_size(offer: Offer, service: Service, presences: Sequence[Presence]) -> bool:
    """Whether a group of these seats and times is neither too large nor too small for the offer (rule 5)."""
    peak = peak_seats(presences)
    return peak <= offer.seats_max and size_of(service, presences, peak) >= offer.seats_min


def size_of(service: Service, presences: Sequence[Presence], peak: int) -> int:
    """What `seats_min` is held against: the most seats present at once, in a round the members."""
    return len(presences) if service.mode == Mode.ROUND else peak


def quote(instance: Instance, offers: Iterable[Offer], place: Place, presences: Sequence[Presence]) -> Quote | None:
    """The price by the cheapest of these offers that fits the group's size, the first of equals; None if none does."""
    venue_cents = instance.venues[place.venue].cost_cents_per_hour if isinstance(place, PlaceAtVenue) else 0
    fitting = [offer for offer in offers if fits_size(offer, instance.services[offer.service], presences)]
    if not fitting:
        return None

    def cost(offer: Offer) -> Fraction:
        return exact_cost(*_prices(offer, venue_cents), presences)

    best = fitting[0] if len(fitting) == 1 else min(fitting, key=cost)
    cents, shares = split_slot(*_prices(best, venue_cents), presences)
    return Quote(best, cents, tuple(shares))


def _prices(offer: Offer, venue_cents: int) -> tuple[int, int, int, int]:
    return offer.rate_cents_per_hour, offer.extra_seat_cents_per_hour, venue_cents, offer.minutes_min
