"""What an officer writes of the municipality's look."""

import re
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import ColorField, TextAreaField
from wtforms.validators import Length, Regexp

from marketplace.appearance.models import DEFAULT_COLOUR, Appearance

WORDS_MAX = 600
TEXTS = ("welcome_it", "welcome_en", "help_it", "help_en")
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")


def _text(label: Any) -> TextAreaField:
    return TextAreaField(
        label, validators=[Length(max=WORDS_MAX, message=_("Al massimo %(max)d caratteri"))], filters=[_stripped]
    )


def _stripped(text: str | None) -> str:
    return (text or "").strip()


class AppearanceForm(FlaskForm):
    """A colour and four texts."""

    colour = ColorField(
        _("Colore"),
        default=DEFAULT_COLOUR,
        validators=[Regexp(COLOUR, message=_("Scegli un colore, per esempio #0059b3"))],
    )
    welcome_it = _text(_("Benvenuto, in italiano"))
    welcome_en = _text(_("Benvenuto, in inglese"))
    help_it = _text(_("Dove trovare aiuto, in italiano"))
    help_en = _text(_("Dove trovare aiuto, in inglese"))

    @classmethod
    def of(cls, appearance: Appearance | None) -> "AppearanceForm":
        """Open on what is kept."""
        return cls(obj=appearance)

    @property
    def texts(self) -> dict[str, str]:
        """The words by the names of their columns."""
        return {name: self[name].data for name in TEXTS}
