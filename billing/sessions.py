"""A shared session as a file, `session/1`: its price, who was there when, and with attendance what each is billed."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from billing.absence import AbsenceRule, Attended, Attendee, Bearer, Bill, bill_meeting
from billing.reading import CENTS_MAX, Cents, Data, Name, Whole
from billing.split import Presence, Price, Sharing, Split, groups_better_off_alone, share_among_families

MINUTES_MAX = 31 * 24 * 60
FAMILIES_MAX = 60
Minutes = Annotated[Whole, Field(le=MINUTES_MAX)]


class Offered(Data):
    """What provider and place ask (rule 8 of the matching contract)."""

    rate_cents_per_hour: Cents
    extra_seat_cents_per_hour: Cents = 0
    venue_cents_per_hour: Cents = 0
    minutes_min: Minutes = 0

    @model_validator(mode="after")
    def _an_extra_seat_costs_no_more_than_the_first(self) -> "Offered":
        if self.extra_seat_cents_per_hour > self.rate_cents_per_hour:
            raise ValueError("extra_seat_cents_per_hour must be at most rate_cents_per_hour")
        return self

    @property
    def price(self) -> Price:
        return Price(**self.model_dump())


class Stay(Data):
    """Somebody's time in the session, in minutes (of a day, or since its start), and the seats taken."""

    start: Minutes
    end: Minutes
    seats: Annotated[Whole, Field(ge=1, le=100)] = 1

    @model_validator(mode="after")
    def _it_ends_after_it_starts(self) -> "Stay":
        if self.end <= self.start:
            raise ValueError("end must be after start")
        return self


class Family(Data):
    """Who pays one share; `attended` and `cap_cents` (net, a meeting) are for the bill."""

    id: Name
    presences: Annotated[tuple[Stay, ...], Field(min_length=1, max_length=20)]
    attended: Attended | None = None
    cap_cents: Cents | None = None

    @property
    def stays(self) -> list[Presence]:
        return [(stay.start, stay.end, stay.seats) for stay in self.presences]


class AbsencePolicy(Data):
    """What an absence told in time costs, and who bears what it adds to the others."""

    notified_is_free: bool = True
    rise_borne_by: Bearer = Bearer.OTHERS


class Shared(Data):
    """The file: `split` is what the group chose (null: all are shown); with `attended` of all families, a bill."""

    format: Literal["session/1"]
    price: Offered
    split: Split | None = None
    families: Annotated[tuple[Family, ...], Field(min_length=1, max_length=FAMILIES_MAX)]
    policy: AbsencePolicy = AbsencePolicy()

    @model_validator(mode="after")
    def _it_is_one_session(self) -> "Shared":
        twice = [name for name, count in Counter(family.id for family in self.families).items() if count > 1]
        if twice:
            raise ValueError(f'families: "{twice[0]}" is there twice')
        recorded = [family for family in self.families if family.attended is not None]
        if recorded and len(recorded) < len(self.families):
            raise ValueError("families: attended must be said of all or of none")
        if recorded and any(len(family.presences) > 1 for family in self.families):
            raise ValueError("families: a bill is made of one presence a family")
        if recorded and self.split not in (None, Split.BY_SEAT):
            raise ValueError("split: a bill is made by_seat")
        return self

    @property
    def stays(self) -> list[list[Presence]]:
        return [family.stays for family in self.families]

    @property
    def is_recorded(self) -> bool:
        """Whether attendance is told, so that there is a bill."""
        return self.families[0].attended is not None

    def share(self, split: Split) -> Sharing:
        """The cost by one way of splitting; ValueError where it cannot be enumerated."""
        return share_among_families(split, self.price.price, self.stays)

    def alone_cents(self) -> list[int]:
        """What each family would pay alone at the same place."""
        price = self.price.price
        return [share_among_families(Split.BY_SEAT, price, [stays]).cost_cents for stays in self.stays]

    def better_off_alone(self, sharing: Sharing) -> list[tuple[str, ...]]:
        """The sub-groups that would pay less on their own (the core check); ValueError above 12 families."""
        groups = groups_better_off_alone(self.price.price, self.stays, sharing.shares_cents)
        return [tuple(self.families[index].id for index in group) for group in groups]

    def bill(self) -> Bill:
        """What each family is billed for what took place, by the function that bills the month."""
        attendees = [
            Attendee(
                id=family.id,
                start=family.presences[0].start,
                end=family.presences[0].end,
                seats=family.presences[0].seats,
                attended=family.attended or Attended.PRESENT,
                cap_cents=CENTS_MAX if family.cap_cents is None else family.cap_cents,
            )
            for family in self.families
        ]
        rule = AbsenceRule(self.policy.notified_is_free, self.policy.rise_borne_by)
        return bill_meeting(self.price.price, attendees, rule)
