"""What a family writes about itself; an address becomes a place only when the register, or the family, is sure."""

import re
from typing import Any

from babel import Locale
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlmodel import Session
from wtforms import (
    BooleanField,
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.validators import DataRequired, Email, InputRequired, Length, NumberRange, Optional

from marketplace.accounts.models import Municipality
from marketplace.errors import NotFound
from marketplace.fields import EurosField, TaxCodeField
from marketplace.filters import school_class
from marketplace.households.details import Applicant, Home, PersonDetails
from marketplace.households.models import Person
from marketplace.i18n import language
from marketplace.places.queries import LookUp, get_address, has_register, look_up_address
from marketplace.school import SCHOOLS
from marketplace.web import id_from

LANGUAGES = ("it", "en", "fr", "es", "ro", "sq", "ar", "uk", "ru", "zh", "bn", "ur", "pt", "de")
NONE_OF_THESE = "nessuno"


def strip(text: str | None) -> str:
    """A line without spaces around it."""
    return " ".join((text or "").split())


def strip_lines(text: str | None) -> str:
    """A text of several lines, each stripped as `strip` does; between paragraphs one empty line."""
    lines = [strip(line) for line in (text or "").strip().splitlines()]
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before)


def language_choices() -> list[tuple[str, str]]:
    """Spoken languages by their names in the page's own."""
    names = Locale(language()).languages
    return [(code, str(names[code]).capitalize()) for code in LANGUAGES]


def class_choices() -> list[tuple[str, str]]:
    """School classes; the first choice is none."""
    levels = [level for levels, _, _ in SCHOOLS for level in levels]
    return [("", gettext("Non va a scuola")), *((str(level), school_class(level)) for level in levels)]


def address_field() -> StringField:
    """What a family wrote; each form declares it in the order of its page."""
    return StringField(
        _("Indirizzo di casa"),
        filters=[strip],
        validators=[DataRequired(_("Scrivi via e numero civico")), Length(max=300)],
    )


def address_choice() -> RadioField:
    """Which house number of the register it meant."""
    return RadioField(_("Il tuo indirizzo"), choices=[], validate_choice=False)


class HomeForm(FlaskForm):
    """Where a family lives."""

    address = address_field()
    address_id = address_choice()
    address_asked = HiddenField()

    def find_home(self, session: Session, municipality: Municipality) -> Home | None:
        """The home, or None with an error and choices on the form."""
        text = str(self.address.data)
        if not has_register(session, municipality.id):
            return Home(text, municipality.lat, municipality.lon)
        if self.address_id.data and self.address_asked.data == text:
            if self.address_id.data != NONE_OF_THESE:
                return self._chosen(session, municipality)
            self.address.errors = [gettext("Scrivi l'indirizzo in un altro modo: via, numero, località")]
            return None
        found = look_up_address(session, municipality, text)
        if found.exact is not None:
            return Home(found.exact.words, found.exact.lat, found.exact.lon)
        self._ask(found, text)
        return None

    def _chosen(self, session: Session, municipality: Municipality) -> Home | None:
        try:
            address = get_address(session, municipality.id, id_from(str(self.address_id.data)))
        except NotFound:
            self.address_id.errors = [gettext("Scegli uno degli indirizzi")]
            return None
        return Home(address.words, address.lat, address.lon)

    def _ask(self, found: LookUp, text: str) -> None:
        if not found.choices:
            problem = found.problem
            assert problem is not None
            self.address.errors = [gettext(problem.message, **problem.values)]
            return
        self.address_asked.process_data(text)
        self.address_asked.raw_data = [text]
        self.address_id.choices = [
            *((str(one.id), one.words) for one in found.choices),
            (NONE_OF_THESE, gettext("Nessuno di questi: lo riscrivo sopra")),
        ]
        self.address_id.errors = [gettext("Non siamo sicuri dell'indirizzo: scegli il tuo")]


class WelcomeForm(HomeForm):
    """A new family's first page."""

    given_name = StringField(
        _("Nome"), filters=[strip], validators=[DataRequired(_("Scrivi il tuo nome")), Length(max=120)]
    )
    family_name = StringField(
        _("Cognome"), filters=[strip], validators=[DataRequired(_("Scrivi il tuo cognome")), Length(max=120)]
    )
    tax_code = TaxCodeField(_("Codice fiscale"), validators=[DataRequired(_("Scrivi il tuo codice fiscale"))])
    address = address_field()
    address_id = address_choice()
    phone = StringField(_("Telefono"), filters=[strip], validators=[Optional(), Length(max=40)])
    notice = BooleanField(
        _("Ho letto come il Comune usa questi dati"),
        validators=[DataRequired(_("Leggi l'informativa e metti la spunta"))],
    )

    def validate_phone(self, field: StringField) -> None:
        """Digits enough to call."""
        check_phone(field)

    def applicant(self, email: str) -> Applicant:
        """Who registers."""
        return Applicant(
            self.given_name.data, self.family_name.data, self.tax_code.data, email, self.phone.data or None
        )


def check_phone(field: StringField) -> None:
    """A telephone number, as people write it. Raises ValidationError."""
    if field.data and not re.fullmatch(r"\+?[0-9 ./-]{6,20}", field.data):
        raise ValidationError(gettext("Scrivi il numero in cifre, per esempio 347 1234567"))


class ContactsForm(FlaskForm):
    """How a family is reached."""

    email = StringField(
        _("E-mail"), filters=[strip], validators=[Optional(), Email(_("Scrivi l'e-mail per intero, con la @"))]
    )
    phone = StringField(_("Telefono"), filters=[strip], validators=[Optional(), Length(max=40)])

    def validate_phone(self, field: StringField) -> None:
        """Digits enough to call."""
        check_phone(field)


class SmsNumberForm(FlaskForm):
    """The mobile number to which messages go."""

    number = StringField(
        _("Numero di cellulare"),
        filters=[strip],
        validators=[DataRequired(_("Scrivi il numero di cellulare")), Length(max=40)],
    )


class SmsCodeForm(FlaskForm):
    """The code that came by SMS."""

    code = StringField(
        _("Le sei cifre"), filters=[strip], validators=[DataRequired(_("Scrivi le sei cifre dell'SMS")), Length(max=20)]
    )


class PersonForm(FlaskForm):
    """Somebody who needs care."""

    name = StringField(
        _("Nome"),
        filters=[strip],
        validators=[DataRequired(_("Scrivi il nome, anche solo l'iniziale")), Length(max=120)],
    )
    age = IntegerField(
        _("Età"),
        validators=[
            InputRequired(_("Scrivi l'età in anni compiuti, in cifre")),
            NumberRange(0, 110, _("L'età va da 0 a 110 anni")),
        ],
    )
    level = SelectField(_("Classe"), validate_choice=True, validators=[Optional()])
    languages = SelectMultipleField(_("Lingue che capisce"), validators=[InputRequired(_("Scegli almeno una lingua"))])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.level.choices = class_choices()
        self.languages.choices = language_choices()

    @classmethod
    def of(cls, person: Person, age: int | None) -> "PersonForm":
        """The form as it opens on somebody already known."""
        return cls(
            data={"name": person.name, "age": age, "level": str(person.level or ""), "languages": person.languages}
        )

    def details(self) -> PersonDetails:
        """Who it is."""
        level = int(self.level.data) if self.level.data else None
        return PersonDetails(self.name.data, self.age.data, level, tuple(self.languages.data))


class MeansTestForm(FlaskForm):
    """The household's ISEE."""

    isee = EurosField(_("ISEE"), validators=[InputRequired(_("Scrivi l'importo dell'attestazione ISEE"))])
    is_resident = BooleanField(_("Risiediamo in questo Comune"))
    has_disability = BooleanField(_("Nel nucleo c'è una persona con disabilità"))
