"""What a provider writes about its work, and what an officer decides on it."""

from datetime import date
from decimal import Decimal
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, Email, InputRequired, Length, NumberRange, Optional

from marketplace.fields import EurosField, TaxCodeField
from marketplace.filters import distance, school_class
from marketplace.households.details import Home
from marketplace.households.forms import HomeForm, check_phone, language_choices, strip, strip_lines
from marketplace.places.models import Venue
from marketplace.providers.details import Profile, Terms
from marketplace.providers.models import DocumentKind, Provider
from marketplace.school import SCHOOLS
from marketplace.states import STATES
from marketplace.words import N_

SERVICES = STATES["service"]
DOCUMENTS = {
    DocumentKind.CRIMINAL_RECORD: N_("Certificato del casellario giudiziale"),
    DocumentKind.IDENTITY: N_("Documento d'identità"),
    DocumentKind.INSURANCE: N_("Assicurazione di responsabilità civile"),
    DocumentKind.QUALIFICATION: N_("Titolo di studio o qualifica"),
}
RATE_CENTS_MAX = 20_000
TRAVEL_KM = ("1", "2", "3", "5", "8", "10", "15", "20", "30", "50")


def age_field(label: Any) -> IntegerField:
    """A compulsory age in years."""
    return IntegerField(label, validators=[InputRequired(_("Scrivi un'età")), NumberRange(0, 110, _("Da 0 a 110"))])


def seats_field(label: Any) -> IntegerField:
    """A compulsory number of seats."""
    return IntegerField(label, validators=[InputRequired(_("Scrivi un numero")), NumberRange(1, 30, _("Da 1 a 30"))])


class ProfileForm(HomeForm):
    """Who a provider is, and where it works."""

    name = StringField(
        _("Nome e cognome, o nome della cooperativa"),
        filters=[strip],
        validators=[DataRequired(_("Scrivi il nome")), Length(max=200)],
    )
    tax_code = TaxCodeField(_("Codice fiscale"), validators=[DataRequired(_("Scrivi il tuo codice fiscale"))])
    email = EmailField(
        _("E-mail"),
        filters=[strip],
        validators=[DataRequired(_("Scrivi la tua e-mail")), Email(_("Scrivi l'e-mail per intero, con la @"))],
    )
    phone = StringField(
        _("Telefono"), filters=[strip], validators=[DataRequired(_("Scrivi un telefono")), Length(max=40)]
    )
    travel_km_max = SelectField(_("Fin dove vai"))
    languages = SelectMultipleField(_("Lingue che parli"), validators=[InputRequired(_("Scegli almeno una lingua"))])
    qualifications = StringField(
        _("Qualifiche, separate da una virgola"), filters=[strip], validators=[Optional(), Length(max=300)]
    )
    visits_homes = BooleanField(_("Lavoro anche a casa delle famiglie"))
    venues = SelectMultipleField(_("Luoghi in cui lavori"))

    def __init__(self, venues: list[Venue], *args: Any, travel_km_max: str = "5", **kwargs: Any) -> None:
        super().__init__(*args, travel_km_max=travel_km_max, **kwargs)
        self.languages.choices = language_choices()
        known = {travel_km_max, *TRAVEL_KM}
        self.travel_km_max.choices = [(one, distance(Decimal(one))) for one in sorted(known, key=Decimal)]
        self.venues.choices = [(str(venue.id), venue.name) for venue in venues]
        self.venues_known = {str(venue.id): venue.id for venue in venues}

    def validate_phone(self, field: StringField) -> None:
        """Digits enough to call."""
        check_phone(field)

    @classmethod
    def of(cls, provider: Provider, venues: list[Venue], chosen: list[str]) -> "ProfileForm":
        """The form as it opens on a provider already known."""
        data = {
            "name": provider.name,
            "tax_code": provider.tax_code,
            "email": provider.email,
            "phone": provider.phone,
            "address": provider.address,
            "languages": provider.languages,
            "qualifications": ", ".join(provider.qualifications),
            "visits_homes": provider.visits_homes,
            "venues": chosen,
        }
        return cls(venues, data=data, travel_km_max=provider.travel_km_max)

    def profile(self, home: Home) -> Profile:
        """What was written, at a known place."""
        qualifications = (word.strip().lower() for word in (self.qualifications.data or "").split(","))
        return Profile(
            name=self.name.data,
            tax_code=self.tax_code.data,
            email=self.email.data,
            phone=self.phone.data,
            address=home.address,
            lat=home.lat,
            lon=home.lon,
            travel_km_max=self.travel_km_max.data,
            languages=tuple(self.languages.data),
            qualifications=tuple(word for word in qualifications if word),
            visits_homes=self.visits_homes.data,
            venue_ids=tuple(self.venues_known[one] for one in self.venues.data),
        )


def level_choices() -> list[tuple[str, str]]:
    """School classes 1-13."""
    return [(str(level), school_class(level)) for levels, _word, _school in SCHOOLS for level in levels]


class OfferForm(FlaskForm):
    """One offer: for whom, for how many, at which price."""

    service = SelectField(_("Servizio"))
    topics = SelectMultipleField(_("Materie"))
    level_min = SelectField(_("Dalla classe"))
    level_max = SelectField(_("Alla classe"))
    age_min = IntegerField(
        _("Età, da"), validators=[InputRequired(_("Scrivi un'età")), NumberRange(0, 110, _("Da 0 a 110"))]
    )
    age_max = IntegerField(
        _("Età, fino a"), validators=[InputRequired(_("Scrivi un'età")), NumberRange(0, 110, _("Da 0 a 110"))]
    )
    seats_min = IntegerField(
        _("Posti, almeno"), validators=[InputRequired(_("Scrivi un numero")), NumberRange(1, 30, _("Da 1 a 30"))]
    )
    seats_max = IntegerField(
        _("Posti, al massimo"), validators=[InputRequired(_("Scrivi un numero")), NumberRange(1, 30, _("Da 1 a 30"))]
    )
    rate = EurosField(_("Tariffa l'ora, per la prima persona"), validators=[InputRequired(_("Scrivi la tariffa"))])
    extra = EurosField(
        _("In più l'ora, per ogni altra persona"), validators=[InputRequired(_("Scrivi l'importo, anche 0"))]
    )
    minutes_min = SelectField(_("Durata minima pagata"))

    def __init__(self, subjects: dict[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service.choices = [(code, gettext(words)) for code, words in SERVICES.items()]
        self.topics.choices = [(code, word.capitalize()) for word, code in subjects.items()]
        self.level_min.choices = self.level_max.choices = level_choices()
        self.minutes_min.choices = [(str(m), f"{m // 60}:{m % 60:02d}") for m in range(30, 241, 15)]

    def validate_rate(self, field: EurosField) -> None:
        """At most 200 euros."""
        if field.data is not None and field.data > RATE_CENTS_MAX:
            raise ValueError(gettext("La tariffa va da 0 a 200 euro l'ora"))

    def terms(self) -> Terms:
        """What was written."""
        tutoring = self.service.data == "tutoring"
        return Terms(
            service=self.service.data,
            topics=tuple(self.topics.data) if tutoring else (),
            level_min=int(self.level_min.data) if tutoring else 1,
            level_max=int(self.level_max.data) if tutoring else 13,
            age_min=self.age_min.data,
            age_max=self.age_max.data,
            seats_min=self.seats_min.data,
            seats_max=self.seats_max.data,
            rate_cents_per_hour=self.rate.data or 0,
            extra_seat_cents_per_hour=self.extra.data or 0,
            minutes_min=int(self.minutes_min.data),
        )


class DocumentForm(FlaskForm):
    """A document of the application."""

    kind = SelectField(_("Che documento è"))
    file = FileField(_("File (PDF o foto, al massimo 10 MB)"), validators=[FileRequired(_("Scegli un file"))])
    expires = DateField(_("Scade il"), validators=[Optional()])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind.choices = [(kind.value, gettext(words)) for kind, words in DOCUMENTS.items()]


class DecisionForm(FlaskForm):
    """An officer's decision on an application."""

    reason = TextAreaField(_("Motivo"), filters=[strip_lines], validators=[Optional(), Length(max=1000)])
    certificate_expires = DateField(_("Il certificato del casellario scade il"), validators=[Optional()])

    def expires(self) -> date | None:
        """The certificate's expiry, when written."""
        return self.certificate_expires.data if isinstance(self.certificate_expires.data, date) else None
