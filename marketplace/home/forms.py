"""What strangers ask, of which nothing is kept; what a family says that leaves; when a provider is away."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, RadioField, SelectField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length

from marketplace.fields import EurosField
from marketplace.filters import duration, subject_words
from marketplace.households.forms import HomeForm, address_choice, address_field, class_choices
from marketplace.i18n import language
from marketplace.needs.models import Service
from marketplace.states import STATES

LENGTHS = (60, 90, 120, 180, 240)
AWAY_DAYS_MAX = 60


class PriceForm(HomeForm):
    """What the help is for, how long a session is, and what decides the voucher."""

    service = RadioField(_("Che servizio ti serve?"), validators=[InputRequired(_("Scegli un servizio"))])
    topic = SelectField(_("Materia"))
    level = SelectField(_("Classe"))
    minutes = SelectField(_("Quanto dura ogni volta?"), default="90")
    address = address_field()
    address_id = address_choice()
    isee = EurosField(_("ISEE"))

    def __init__(self, subjects: Mapping[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service.choices = [(one.value, gettext(STATES["service"][one.value])) for one in Service]
        words = sorted(subject_words(subjects).items(), key=lambda subject: subject[1])
        self.topic.choices = [("", gettext("Tutte le materie")), *words]
        self.level.choices = [("", gettext("Tutte le classi")), *class_choices()[1:]]
        self.minutes.choices = [(str(length), duration(length, locale=language())) for length in LENGTHS]
        self.address.validators = [Length(max=300)]
        self.address.flags.required = False


class FarewellForm(FlaskForm):
    """Leaving is said twice: the tick, then the tap."""

    sure = BooleanField(
        _("Ho capito: voglio lasciare il servizio"),
        validators=[DataRequired(_("Se vuoi lasciare il servizio, segna la casella."))],
    )


class NearForm(HomeForm):
    """From where to look for what is near."""


class AwayForm(FlaskForm):
    """From when to when a provider is away."""

    first = DateField(_("Dal"), validators=[DataRequired(_("Scrivi il primo giorno"))])
    last = DateField(_("Al"), validators=[DataRequired(_("Scrivi l'ultimo giorno"))])

    def __init__(self, today: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def validate_last(self, field: DateField) -> None:
        """Not before the first day, not in the past, and no longer than a leave that colleagues can bridge."""
        first: date | None = self.first.data
        if first is None or field.data is None:
            return
        if field.data < max(first, self.today):
            raise ValidationError(gettext("L'ultimo giorno viene dopo il primo, e non è passato"))
        if field.data - first > timedelta(days=AWAY_DAYS_MAX):
            raise ValidationError(
                gettext("Al massimo %(days)s giorni: per più tempo scrivi al Comune", days=AWAY_DAYS_MAX)
            )
