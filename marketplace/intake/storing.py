"""A record becomes the rows of the same code: made if new, changed where it differs, left alone where it does not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.accounts.policy import Policy
from marketplace.db import Row
from marketplace.intake.rows import Defaults, ProgrammeRow, ProviderRow, VenueRow
from marketplace.places.models import Venue
from marketplace.places.operations import load_register
from marketplace.places.register import Register
from marketplace.providers.models import Accreditation, AccreditationDecision, Offer, Provider, ProviderVenue
from marketplace.sealed import keyring
from marketplace.vouchers.models import Programme
from marketplace.words import N_
from matching.instance import Window

Values = dict[str, Any]
AnyRow = TypeVar("AnyRow", bound=Row)
# States that an office decided with reason: a file does not overturn them.
DECIDED = (Accreditation.SUSPENDED, Accreditation.REFUSED, Accreditation.REVOKED)


class Change(StrEnum):
    """What a row of a file did."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    KEPT = "kept"  # it would change what a family was offered or has accepted: it does not


@dataclass(frozen=True)
class Intake:
    """In which session, for whom, when, and under which rules a city is brought in."""

    session: Session
    by: Actor
    now: datetime
    today: date
    policy: Policy

    @property
    def municipality_id(self) -> str:
        """Whose rows these are."""
        return self.by.municipality_id

    @cached_property
    def register(self) -> Register:
        """The municipality's addresses, as they stand when the first is looked up."""
        return load_register(self.session, self.municipality_id)

    @cached_property
    def defaults(self) -> Defaults:
        """What an empty cell means under the municipality's policy."""
        return Defaults(
            languages=self.policy.languages,
            travel_km_max=Decimal(self.policy.travel_km_max),
            group_max=self.policy.group_max,
            hours_max_per_week=Decimal(self.policy.provider_minutes_max_per_week) / 60,
            provider_km_max=Decimal(self.policy.provider_travel_km_max),
            subjects=self.policy.subjects,
        )

    def all_of(self, model: type[AnyRow]) -> list[AnyRow]:
        """Every row of the municipality, in the order of their making."""
        query = select(model).where(col(model.municipality_id) == self.municipality_id).order_by(col(model.id))
        return list(self.session.exec(query))

    def add(self, row: Row) -> None:
        """Write a new row at once, so that others may refer to it."""
        self.session.add(row)
        self.session.flush()


def change(row: Row, **values: object) -> bool:
    """Set the values that differ; whether any did."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def plain(value: Decimal) -> str:
    """A decimal as text, equal for equal values: `1.5`, `2`, `60`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_json(windows: Iterable[Window]) -> list[dict[str, int]]:
    """Windows as their column keeps them."""
    return [{"day": window.day, "start": window.start, "end": window.end} for window in windows]


class Programmes:
    """The voucher programmes of a municipality, by code."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.known = {row.code: row for row in intake.all_of(Programme)}

    def put(self, record: ProgrammeRow) -> Change:
        """Bring in one programme."""
        values: Values = {
            "name": record.name,
            "service": record.service,
            "weekly_budget_cents": record.weekly_budget_cents,
            "isee_max_cents": record.isee_max_cents,
            "percent": plain(record.percent),
            "cap_cents_per_hour": record.cap_cents_per_hour,
        }
        found = self.known.get(record.code)
        if found:
            return Change.CHANGED if change(found, **values) else Change.SAME
        made = Programme(
            municipality_id=self.intake.municipality_id, code=record.code, created_at=self.intake.now, **values
        )
        self.intake.add(made)
        self.known[record.code] = made
        return Change.NEW


class Venues:
    """The venues of a municipality, by code."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.known = {row.code: row for row in intake.all_of(Venue)}

    def put(self, record: VenueRow) -> Change:
        """Bring in one venue."""
        values: Values = {
            "name": record.name,
            "address": record.address.words(),
            "lat": record.address.lat,
            "lon": record.address.lon,
            "seats": record.seats,
            "services": list(record.services),
            "cost_cents_per_hour": record.cost_cents_per_hour,
            "windows": as_json(record.windows),
        }
        found = self.known.get(record.code)
        if found:
            return Change.CHANGED if change(found, **values) else Change.SAME
        made = Venue(
            municipality_id=self.intake.municipality_id, code=record.code, created_at=self.intake.now, **values
        )
        self.intake.add(made)
        self.known[record.code] = made
        return Change.NEW


class Providers:
    """The professionals of a municipality, by code, with their offers and venues."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.known = {row.code: row for row in intake.all_of(Provider)}
        self.offers: dict[UUID, list[Offer]] = {}
        self.venues: dict[UUID, list[ProviderVenue]] = {}
        for offer in intake.all_of(Offer):
            self.offers.setdefault(offer.provider_id, []).append(offer)
        for link in intake.all_of(ProviderVenue):
            self.venues.setdefault(link.provider_id, []).append(link)
        self.venue_ids = {venue.code: venue.id for venue in intake.all_of(Venue)}

    def put(self, record: ProviderRow) -> Change:
        """Bring in one professional; whose certificate holds is accredited, unless an office decided otherwise."""
        found, wanted = self.known.get(record.code), self._values(record)
        provider = found or Provider(
            municipality_id=self.intake.municipality_id,
            code=record.code,
            minutes_max_per_day=self.intake.policy.provider_minutes_max_per_day,
            gap_minutes=self.intake.policy.gap_minutes,
            created_at=self.intake.now,
            **wanted,
        )
        if found and record.tax_code and keyring.is_index(found.tax_code_index or b"", record.tax_code):
            wanted["tax_code_index"] = found.tax_code_index  # of an older key: `rotate-keys` makes it anew
        changed = found is not None and change(found, **wanted)
        if not found:
            self.intake.add(provider)
            self.known[record.code] = provider
        # Every one of these has its effect: no short cut between them.
        effects = (self._offer(provider, record), self._place(provider, record), self._accredit(provider, record))
        if not found:
            return Change.NEW
        return Change.CHANGED if changed or any(effects) else Change.SAME

    def _values(self, record: ProviderRow) -> Values:
        return {
            "name": record.name,
            "tax_code": record.tax_code,
            "tax_code_index": keyring.index(record.tax_code) if record.tax_code else None,
            "email": record.email,
            "phone": record.phone,
            "address": record.address.words(),
            "lat": record.address.lat,
            "lon": record.address.lon,
            "travel_km_max": plain(record.travel_km_max),
            "languages": list(record.languages),
            "qualifications": list(record.qualifications),
            "minutes_max_per_week": record.minutes_max_per_week,
            "visits_homes": record.visits_homes,
            "windows": as_json(record.windows),
            "certificate_expires": record.certificate_until,
        }

    def _offer(self, provider: Provider, record: ProviderRow) -> bool:
        values: Values = {
            "topics": list(record.topics),
            "level_min": record.level_min,
            "level_max": record.level_max,
            "age_min": record.age_min,
            "age_max": record.age_max,
            "seats_max": record.seats_max,
            "seats_min": record.seats_min,
            "rate_cents_per_hour": record.rate_cents_per_hour,
            "extra_seat_cents_per_hour": record.extra_seat_cents_per_hour,
            "minutes_min": record.minutes_min,
        }
        changed = False
        kept: list[Offer] = []
        for offer in self.offers.get(provider.id, []):
            if offer.service in record.services and offer.service not in {one.service for one in kept}:
                changed = change(offer, **values) or changed
                kept.append(offer)
            else:
                self.intake.session.delete(offer)
                changed = True
        for service in record.services:
            if service not in {offer.service for offer in kept}:
                made = Offer(
                    municipality_id=provider.municipality_id, provider_id=provider.id, service=service, **values
                )
                self.intake.add(made)
                kept.append(made)
                changed = True
        self.offers[provider.id] = kept
        return changed

    def _place(self, provider: Provider, record: ProviderRow) -> bool:
        wanted = {self.venue_ids[code] for code in record.venues}
        links = self.venues.get(provider.id, [])
        here = {link.venue_id for link in links}
        for link in links:
            if link.venue_id not in wanted:
                self.intake.session.delete(link)
        made = [
            ProviderVenue(municipality_id=provider.municipality_id, provider_id=provider.id, venue_id=venue_id)
            for venue_id in sorted(wanted - here)
        ]
        self.intake.session.add_all(made)
        self.venues[provider.id] = [link for link in links if link.venue_id in wanted] + made
        return here != wanted

    def _accredit(self, provider: Provider, record: ProviderRow) -> bool:
        """The state that the certificate gives, as a dated decision where it is another than now."""
        if record.accredited:
            state, reason = Accreditation.ACCREDITED, N_("Certificato valido nell'elenco del Comune.")
        elif record.certificate_until:
            state, reason = Accreditation.EXPIRED, N_("Certificato scaduto nell'elenco del Comune.")
        else:
            state, reason = Accreditation.APPLIED, N_("Manca il certificato nell'elenco del Comune.")
        if provider.accreditation == state or provider.accreditation in DECIDED:
            return False
        if state is Accreditation.APPLIED and provider.accreditation is Accreditation.IN_REVIEW:
            return False
        provider.accreditation = state
        self.intake.session.add(
            AccreditationDecision(
                municipality_id=provider.municipality_id,
                provider_id=provider.id,
                state=state,
                at=self.intake.now,
                by_user_id=self.intake.by.user_id,
                reason=reason,
            )
        )
        return True
