"""A row of each file becomes a typed record, whole, or findings that say which cells stop it."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from marketplace.intake import cells
from marketplace.intake.reading import Reading
from marketplace.intake.report import Code
from marketplace.intake.tables import Row, Table
from marketplace.places.register import HouseNumber, Register
from marketplace.words import N_
from matching.instance import Window

DEMO_SUBJECTS = {
    "matematica": "maths", "inglese": "english", "italiano": "italian",
    "fisica": "physics", "latino": "latin", "chimica": "chemistry",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Defaults:
    """What an empty optional cell means in this municipality."""

    languages: tuple[str, ...] = ("it",)
    seats: int = 1
    sessions: int = 1
    travel_km_max: Decimal = Decimal("1.5")
    host_seats: int = 0
    group_max: int = 6
    seats_min: int = 1
    extra_seat_cents: int = 0
    minutes_min: int = 60
    level_min: int = 1
    level_max: int = 13
    age_min: int = 0
    age_max: int = 110
    hours_max_per_week: Decimal = Decimal(40)
    provider_km_max: Decimal = Decimal(5)
    visits_homes: bool = False
    venue_cents_per_hour: int = 0
    subjects: Mapping[str, str] = field(default_factory=lambda: DEMO_SUBJECTS)


@dataclass(frozen=True, slots=True)
class ProgrammeRow:
    """A voucher programme of one service."""

    code: str
    name: str
    service: str
    weekly_budget_cents: int
    isee_max_cents: int
    percent: Decimal
    cap_cents_per_hour: int | None


@dataclass(frozen=True, slots=True)
class VenueRow:
    """A place with seats and opening hours."""

    code: str
    name: str
    address: HouseNumber
    seats: int
    services: tuple[str, ...]
    cost_cents_per_hour: int
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A professional; `accredited` when its certificate is there and has not expired."""

    code: str
    name: str
    tax_code: str | None
    email: str | None
    phone: str | None
    address: HouseNumber
    services: tuple[str, ...]
    topics: tuple[str, ...]
    level_min: int
    level_max: int
    age_min: int
    age_max: int
    seats_max: int
    seats_min: int
    rate_cents_per_hour: int
    extra_seat_cents_per_hour: int
    minutes_min: int
    languages: tuple[str, ...]
    qualifications: tuple[str, ...]
    windows: tuple[Window, ...]
    minutes_max_per_week: int
    travel_km_max: Decimal
    venues: tuple[str, ...]
    visits_homes: bool
    certificate_until: dt.date | None
    accredited: bool


@dataclass(frozen=True, slots=True)
class NeedRow:
    """A family's need, with its applicant."""

    code: str
    surname: str
    name: str
    tax_code: str | None
    email: str | None
    phone: str | None
    address: HouseNumber
    service: str
    seats: int
    age: int | None
    topic: str | None
    level: int | None
    languages: tuple[str, ...]
    sessions: int
    minutes: int
    windows: tuple[Window, ...]
    travel_km_max: Decimal
    price_max_cents_per_hour: int | None
    host_seats: int
    group_max: int
    isee_cents: int | None
    note: str


def read_programme(reading: Reading) -> ProgrammeRow:
    """A row of programmi.csv."""
    return ProgrammeRow(
        code=reading.code,
        name=reading.needed("nome", cells.short_text, ""),
        service=reading.needed("servizio", cells.service, ""),
        weekly_budget_cents=reading.needed("budget_settimana", cells.amount, 0),
        isee_max_cents=reading.needed("isee_max", cells.amount, 0),
        percent=reading.needed("percentuale", cells.percent, Decimal()),
        cap_cents_per_hour=reading.optional("tetto_ora", cells.rate, None),
    )


def read_venue(reading: Reading, register: Register, defaults: Defaults) -> VenueRow:
    """A row of sedi.csv."""
    return VenueRow(
        code=reading.code,
        name=reading.needed("nome", cells.short_text, ""),
        address=reading.address(register),
        seats=reading.needed("posti", cells.whole(1, 30), 0),
        services=reading.needed("servizi", cells.services, ()),
        cost_cents_per_hour=reading.optional("costo_ora", cells.rate, defaults.venue_cents_per_hour),
        windows=reading.hours("apertura", 0),
    )


def read_provider(
    reading: Reading, register: Register, defaults: Defaults, venues: Collection[str], today: dt.date
) -> ProviderRow:
    """A row of professionisti.csv; `today` decides whether the certificate has expired."""
    level_min = reading.optional("classe_da", cells.level, defaults.level_min)
    level_max = reading.optional("classe_a", cells.level, defaults.level_max)
    age_min = reading.optional("eta_da", cells.age, defaults.age_min)
    age_max = reading.optional("eta_a", cells.age, defaults.age_max)
    seats_max = reading.needed("posti_max", cells.whole(1, 30), 30)
    seats_min = reading.optional("posti_min", cells.whole(1, 30), min(defaults.seats_min, seats_max))
    rate = reading.needed("tariffa_ora", cells.rate, 20_000)
    extra_seat = reading.optional("supplemento_posto", cells.rate, min(defaults.extra_seat_cents, rate))
    reading.ordered("classe_a", level_min, level_max, N_("classe_a viene prima di classe_da: scambiale."))
    reading.ordered("eta_a", age_min, age_max, N_("eta_a è minore di eta_da: scambiale."))
    reading.ordered("posti_min", seats_min, seats_max, N_("posti_min è maggiore di posti_max: abbassalo."))
    reading.ordered("supplemento_posto", extra_seat, rate, N_("Il supplemento supera la tariffa: abbassalo."))
    hours = reading.optional("ore_max_settimana", cells.decimal(0, 168, "h|ore"), defaults.hours_max_per_week)
    until = reading.optional("scadenza_casellario", cells.date, None)
    if until and until < today:
        reading.warn(
            "scadenza_casellario",
            Code.EXPIRED_CERTIFICATE,
            N_("Il certificato è scaduto il %(date)s: la persona entra senza accreditamento, chiedine uno nuovo."),
            date=until.strftime("%d/%m/%Y"),
        )
    return ProviderRow(
        code=reading.code,
        name=reading.needed("nome", cells.short_text, ""),
        tax_code=reading.optional("codice_fiscale", cells.tax_code, None),
        email=reading.optional("email", cells.email, None),
        phone=reading.optional("telefono", cells.phone, None),
        address=reading.address(register),
        services=reading.needed("servizi", cells.services, ()),
        topics=reading.optional("materie", cells.subjects(defaults.subjects), ()),
        level_min=level_min,
        level_max=level_max,
        age_min=age_min,
        age_max=age_max,
        seats_max=seats_max,
        seats_min=seats_min,
        rate_cents_per_hour=rate,
        extra_seat_cents_per_hour=extra_seat,
        minutes_min=reading.optional("durata_min", cells.duration, defaults.minutes_min),
        languages=reading.optional("lingue", cells.languages, defaults.languages),
        qualifications=reading.optional("qualifiche", cells.words, ()),
        windows=reading.hours("disponibilita", 0),
        minutes_max_per_week=int(hours * 60),
        travel_km_max=reading.optional("raggio_km", cells.kilometres, defaults.provider_km_max),
        venues=reading.optional("sedi", cells.venue_codes(venues), ()),
        visits_homes=reading.optional("a_domicilio", cells.yes_no, defaults.visits_homes),
        certificate_until=until,
        accredited=until is not None and until >= today,
    )


def read_need(reading: Reading, register: Register, defaults: Defaults) -> NeedRow:
    """A row of bisogni.csv."""
    minutes = reading.needed("durata", cells.duration, 0)
    return NeedRow(
        code=reading.code,
        surname=reading.needed("cognome", cells.person_name, ""),
        name=reading.needed("nome", cells.person_name, ""),
        tax_code=reading.optional("codice_fiscale", cells.tax_code, None),
        email=reading.optional("email", cells.email, None),
        phone=reading.optional("telefono", cells.phone, None),
        address=reading.address(register),
        service=reading.needed("servizio", cells.service, ""),
        seats=reading.optional("persone", cells.whole(1, 6, "persone|persona"), defaults.seats),
        age=reading.optional("eta", cells.age, None),
        topic=reading.optional("materia", cells.subject(defaults.subjects), None),
        level=reading.optional("classe", cells.level, None),
        languages=reading.optional("lingue", cells.languages, defaults.languages),
        sessions=reading.optional("incontri_settimana", cells.whole(1, 6), defaults.sessions),
        minutes=minutes,
        windows=reading.hours("disponibilita", minutes),
        travel_km_max=reading.optional("distanza_km", cells.kilometres, defaults.travel_km_max),
        price_max_cents_per_hour=reading.optional("prezzo_max_ora", cells.price, None),
        host_seats=reading.optional("ospita_posti", cells.whole(0, 30), defaults.host_seats),
        group_max=reading.optional("gruppo_max", cells.whole(1, 30), defaults.group_max),
        isee_cents=reading.optional("isee", cells.amount, None),
        note=reading.optional("note", cells.note, ""),
    )


def read_house(reading: Reading) -> HouseNumber:
    """A row of the register of addresses."""
    return HouseNumber(
        street=reading.needed("odonimo", cells.street_name, ""),
        locality=reading.optional("localita", cells.place_name, ""),
        number=reading.needed("civico", cells.house_number, 0),
        exponent=reading.optional("esponente", cells.exponent, ""),
        lat=reading.needed("coord_y_comune", cells.latitude, 0.0),
        lon=reading.needed("coord_x_comune", cells.longitude, 0.0),
    )


def is_in(municipality: str) -> Callable[[Table, Row], bool]:
    """Whether a row of the register lies in the municipality of that ISTAT code (a sheet may have lost its zeros)."""
    return lambda table, row: (table.cell(row, "codice_istat") or municipality).zfill(6) == municipality
