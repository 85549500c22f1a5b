"""What an officer says to start a round."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange


class StartForm(FlaskForm):
    """How long the matcher may take, and the seed that makes it repeatable."""

    seconds = IntegerField(
        _("Secondi di calcolo, al massimo"),
        validators=[InputRequired(_("Scrivi quanti secondi")), NumberRange(1, 3600, _("Da 1 a 3600 secondi"))],
    )
    seed = IntegerField(
        _("Seme"), validators=[InputRequired(_("Scrivi un numero")), NumberRange(0, 2**31 - 1, _("Da 0 in su"))]
    )
