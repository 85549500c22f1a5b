"""What is asked of whoever reports a danger, as little as possible; and of the officer who answers."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from marketplace.households.forms import strip, strip_lines
from marketplace.providers.models import Provider
from marketplace.safety.details import Sighting

WORDS_MAX = 4000
SOMEBODY_ELSE = ""


class DangerForm(FlaskForm):
    """A report; `key` makes two taps on the button one report."""

    key = HiddenField()
    words = TextAreaField(
        _("Che cosa hai visto o sentito"),
        filters=[strip_lines],
        validators=[DataRequired(_("Scrivi che cosa succede, anche in poche parole")), Length(max=WORDS_MAX)],
    )
    provider = SelectField(_("Di chi parli"), validators=[Optional()])
    about = StringField(_("Chi è, o dove succede"), filters=[strip], validators=[Optional(), Length(max=200)])
    contact = StringField(_("Come possiamo sentirti"), filters=[strip], validators=[Optional(), Length(max=200)])

    def __init__(self, known: Iterable[Provider], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.provider.choices = [
            (SOMEBODY_ELSE, gettext("Un'altra persona, o un luogo")),
            *((str(one.id), one.name) for one in known),
        ]
        if not self.key.data:
            self.key.data = str(uuid4())

    def report_id(self) -> UUID:
        """The report's id to be."""
        try:
            return UUID(str(self.key.data))
        except ValueError:
            return uuid4()

    def seen(self) -> Sighting:
        """What was written."""
        provider_id = UUID(self.provider.data) if self.provider.data else None
        return Sighting(self.words.data or "", self.about.data or "", self.contact.data or "", provider_id)


class AnswerForm(FlaskForm):
    """An officer's answer, and whom to suspend with it."""

    words = TextAreaField(
        _("Che cosa hai verificato e deciso"),
        filters=[strip_lines],
        validators=[DataRequired(_("Scrivi che cosa hai verificato e deciso")), Length(max=WORDS_MAX)],
    )
    provider = SelectField(_("Chi sospendere"), validators=[Optional()])

    def __init__(self, known: Iterable[Provider], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.provider.choices = [("", gettext("Scegli")), *((str(one.id), one.name) for one in known)]

    def suspended(self, wanted: bool) -> UUID | None:
        """Whom to suspend, when that button was pressed."""
        return UUID(self.provider.data) if wanted and self.provider.data else None
