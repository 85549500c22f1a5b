"""What is written to a group, why a message is out of place, and how a month went."""

from typing import Any
from uuid import UUID, uuid4

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from marketplace.talk.models import WORDS_MAX


class WriteForm(FlaskForm):
    """A message; `key` makes two taps on the button one message."""

    key = HiddenField()
    words = TextAreaField(
        _("Il tuo messaggio"),
        validators=[
            DataRequired(_("Scrivi il messaggio.")),
            Length(max=WORDS_MAX, message=_("Il messaggio è troppo lungo: al massimo %(max)d caratteri.")),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.key.data:
            self.key.data = str(uuid4())

    def message_id(self) -> UUID:
        """The message's id to be."""
        try:
            return UUID(str(self.key.data))
        except ValueError:
            return uuid4()


class ComplaintForm(FlaskForm):
    """Why a message is out of place, if one wishes to say it."""

    why = TextAreaField(
        _("Vuoi dire perché?"),
        validators=[Optional(), Length(max=WORDS_MAX, message=_("È troppo lungo: al massimo %(max)d caratteri."))],
    )


class FeedbackForm(FlaskForm):
    """One to five stars, and words if one wishes."""

    stars = RadioField(
        _("Quante stelle dai?"),
        choices=[("5", _("5, molto bene")), ("4", "4"), ("3", "3"), ("2", "2"), ("1", _("1, molto male"))],
        validators=[DataRequired(_("Scegli da una a cinque stelle."))],
    )
    words = TextAreaField(
        _("Vuoi dire perché?"),
        validators=[Optional(), Length(max=WORDS_MAX, message=_("È troppo lungo: al massimo %(max)d caratteri."))],
    )
