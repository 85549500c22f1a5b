"""The three steps in which a need is written; each gives JSON answers for the draft."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField, SelectMultipleField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from marketplace.fields import EurosField
from marketplace.filters import distance, duration, subject_words
from marketplace.i18n import language
from marketplace.needs.models import Service
from marketplace.states import STATES

Choices = Sequence[tuple[str, str]]

# Minutes: by quarters up to three hours, then by the half hour to eight, then whole hours.
LENGTHS = (*range(30, 181, 15), *range(210, 481, 30), *range(540, 721, 60))
DISTANCES_KM = ("0.5", "1", "1.5", "2", "3", "5", "10")
NO_LIMIT, LIMIT = "nessuno", "limite"
PRICE_MAX_CENTS = 20_000


def numbers(low: int, high: int) -> list[SelectChoice]:
    """Choices of whole numbers, both ends included."""
    return [SelectChoice(str(number)) for number in range(low, high + 1)]


def whole(text: str | None) -> int | None:
    """The number of a chosen text; None for none."""
    return int(text) if text and text.isascii() and text.isdecimal() else None


class WhatForm(FlaskForm):
    """Step 1: which service, for whom, which subject."""

    service = RadioField(
        _("Che servizio ti serve?"),
        validators=[InputRequired(_("Scegli un servizio"))],
    )
    person_id = RadioField(_("Per chi?"), validators=[InputRequired(_("Scegli per chi"))])
    topic = SelectField(_("Materia"))
    seats = SelectField(_("Quante persone vengono insieme?"), choices=numbers(1, 6), default="1")

    def __init__(self, people: Choices, subjects: Mapping[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service.choices = [(one.value, gettext(STATES["service"][one.value])) for one in Service]
        self.person_id.choices = list(people)
        self.topic.choices = [
            ("", gettext("Scegli la materia")),
            *sorted(subject_words(subjects).items(), key=lambda subject: subject[1]),
        ]

    def validate_topic(self, field: SelectField) -> None:
        """Help with studying is help with a subject."""
        if self.service.data == Service.TUTORING and not field.data:
            raise ValidationError(gettext("Scegli la materia"))

    def answers(self) -> dict[str, Any]:
        """What the draft keeps."""
        return {
            "service": self.service.data or None,
            "person_id": self.person_id.data or None,
            "topic": self.topic.data or None,
            "seats": whole(self.seats.data) or 1,
        }


class WhenForm(FlaskForm):
    """Step 2: how often, how long; the hours have their own editor."""

    sessions = SelectField(_("Quante volte alla settimana?"), choices=numbers(1, 6), default="1")
    minutes = SelectField(_("Quanto dura ogni volta?"), default="60")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.minutes.choices = [(str(length), duration(length, locale=language())) for length in LENGTHS]
        asked = whole(self.minutes.data)
        if asked is not None and asked not in LENGTHS and asked % 15 == 0 and 30 <= asked <= 720:
            self.minutes.choices.append((str(asked), duration(asked, locale=language())))

    def answers(self) -> dict[str, Any]:
        """What the draft keeps."""
        return {"sessions": whole(self.sessions.data), "minutes": whole(self.minutes.data)}


class WhereForm(FlaskForm):
    """Step 3: how far, for how much; folded, what few people change."""

    travel_km_max = RadioField(_("Quanto lontano puoi andare?"), validators=[InputRequired(_("Scegli una distanza"))])
    price_kind = RadioField(_("Prezzo massimo"), default=NO_LIMIT)
    price = EurosField(_("Al massimo, per ogni persona e ogni ora"))
    host_seats = SelectField(_("Puoi ospitare il gruppo a casa tua?"), default="0")
    group_max = SelectField(_("Quante persone al massimo nel gruppo?"), default="")
    languages = SelectMultipleField(
        _("In quale lingua?"), default=["it"], validators=[InputRequired(_("Scegli almeno una lingua"))]
    )

    def __init__(self, at_home: bool, languages: Choices, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        distances = [(km, _distance(km)) for km in DISTANCES_KM]
        known = self.travel_km_max.data
        if known and known != "0" and known not in DISTANCES_KM and self.travel_km_max.raw_data is None:
            distances.append((known, _distance(known)))
        self.travel_km_max.choices = [("0", gettext("Solo a casa mia")), *([] if at_home else distances)]
        self.price_kind.choices = [
            (NO_LIMIT, gettext("Nessun limite")),
            (LIMIT, gettext("Un limite, dopo il buono del Comune")),
        ]
        self.host_seats.choices = [
            ("0", gettext("No")),
            *((str(seats), gettext("Sì, fino a %(seats)s persone in tutto", seats=seats)) for seats in range(2, 7)),
        ]
        self.group_max.choices = [SelectChoice("", gettext("Decide il servizio")), *numbers(1, 6)]
        self.languages.choices = list(languages)

    def validate_price(self, field: EurosField) -> None:
        """A limit is an amount above zero."""
        if self.price_kind.data != LIMIT:
            return
        if field.data is None:
            raise ValidationError(gettext("Scrivi il prezzo, oppure scegli «Nessun limite»"))
        if not 0 < field.data <= PRICE_MAX_CENTS:
            raise ValidationError(
                gettext("Il prezzo massimo va da 0,01 a 200 € l'ora: con 0 € nessuno potrebbe risponderti")
            )

    def answers(self) -> dict[str, Any]:
        """What the draft keeps."""
        return {
            "travel_km_max": self.travel_km_max.data or None,
            "price_max_cents_per_hour": self.price.data if self.price_kind.data == LIMIT else None,
            "host_seats": whole(self.host_seats.data) or 0,
            "group_max": whole(self.group_max.data),
            "languages": list(self.languages.data or ["it"]),
        }


class PublishForm(FlaskForm):
    """Step 4: a last word for the professional, and the tap that posts."""

    notes = TextAreaField(_("Qualcosa che il professionista deve sapere?"), validators=[Optional(), Length(max=2000)])


def _distance(km: str) -> str:
    return distance(float(km), locale=language())
