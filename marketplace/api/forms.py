"""What an officer types about an address that is told of changes."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length

from marketplace.api.posting import URL_MAX


class WebhookForm(FlaskForm):
    """An address and what it is told of."""

    url = StringField(
        _("Indirizzo"),
        filters=[lambda text: text.strip() if text else text],
        validators=[
            DataRequired(_("Scrivi l'indirizzo del vostro programma.")),
            Length(max=URL_MAX, message=_("L'indirizzo è troppo lungo: al massimo 500 lettere.")),
        ],
    )
    events = SelectMultipleField(_("Di che cosa avvisiamo"), validators=[DataRequired(_("Scegli almeno una cosa."))])
