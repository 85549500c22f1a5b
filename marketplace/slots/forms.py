"""What a family writes when it declines, stays away or asks for more; consent is to the figure that was shown."""

from datetime import time

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, IntegerField, RadioField, TextAreaField, TimeField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

REASONS = (
    ("prezzo", _("Costa troppo")),
    ("orario", _("L'orario non va bene")),
    ("luogo", _("È troppo lontano")),
    ("gruppo", _("Il gruppo non va bene")),
    ("altro", _("Un altro motivo")),
)


class AcceptForm(FlaskForm):
    """The cap that was on the screen: consent is to that figure alone; who acts for a family has read it aloud."""

    cap_cents = IntegerField(validators=[InputRequired()])
    read_aloud = BooleanField()


class DeclineForm(FlaskForm):
    """Why not; both are optional."""

    why = RadioField(
        _("Perché?"), choices=[SelectChoice(code, words) for code, words in REASONS], validators=[Optional()]
    )
    words = TextAreaField(_("Vuoi aggiungere qualcosa?"), validators=[Optional(), Length(max=400)])

    def reason(self) -> str:
        """One text of both."""
        parts = [self.why.data or "", (self.words.data or "").strip()]
        return ": ".join(part for part in parts if part)


class AbsenceForm(FlaskForm):
    """Why somebody stays away: an illness told in time is free even on the day."""

    illness = BooleanField(_("È per malattia"))


class LeaveForm(FlaskForm):
    """Leaving is said twice: the page, then the tap."""


class ExtraForm(FlaskForm):
    """Day and hours; the price is consented to with the figure that was shown (none yet: it is shown first)."""

    held_on = DateField(_("Che giorno?"), validators=[InputRequired(_("Scegli il giorno"))])
    start = TimeField(_("Dalle"), validators=[InputRequired(_("Scrivi l'ora di inizio"))])
    end = TimeField(_("Alle"), validators=[InputRequired(_("Scrivi l'ora di fine"))])

    def hours(self) -> tuple[int, int]:
        """Local minutes."""
        return _minute(self.start.data), _minute(self.end.data)


class SeatForm(FlaskForm):
    """The most that the extra session can cost, as it was shown."""

    cap_cents = IntegerField(validators=[InputRequired()])


def _minute(value: time) -> int:
    return value.hour * 60 + value.minute
