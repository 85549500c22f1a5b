"""A month in an address is `aaaa-mm`; a sum to give back and an answer to a contest are read here."""

import re
from datetime import date

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional, Regexp

from marketplace.errors import NotFound
from marketplace.fields import EurosField, euros_from
from marketplace.slots.models import Presence
from marketplace.statements.models import Outcome

MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def month_from(text: str) -> date:
    """The first day of the month `aaaa-mm`; raises NotFound for anything else."""
    found = MONTH.fullmatch(text)
    if found is None or not date.min.year <= int(found[1]):
        raise NotFound
    return date(int(found[1]), int(found[2]), 1)


def month_name(month: date) -> str:
    """`aaaa-mm`, as `month_from` reads it."""
    return f"{month:%Y-%m}"


class GiveBackForm(FlaskForm):
    """How much to give back, and why; read from an address too, so that the page before it can show what follows."""

    class Meta:
        csrf = False  # every POST is checked for the whole application

    importo = EurosField(_("Quanto"), validators=[DataRequired(_("Scrivi quanto")), NumberRange(min=1)])
    motivo = StringField(_("Perché"), validators=[DataRequired(_("Scrivi il perché")), Length(max=300)])

    @property
    def cents(self) -> int:
        """The sum, in cents."""
        return self.importo.data or 0

    @property
    def kept(self) -> dict[str, str]:
        """The answers, as hidden fields carry them."""
        return {"importo": euros_from(self.cents), "motivo": self.motivo.data or ""}


class ContestForm(FlaskForm):
    """Why a family says that a line is wrong."""

    motivo = TextAreaField(
        _("Che cosa non torna?"), validators=[DataRequired(_("Scrivi che cosa non torna")), Length(max=500)]
    )


ANSWERS = (
    ("resta", _("La riga resta com'è: si addebita")),
    ("fondo", _("La paga il fondo di garanzia: la famiglia non paga")),
    ("present", _("La presenza era sbagliata: era presente")),
    ("absent_notified", _("La presenza era sbagliata: era assente e aveva avvisato")),
    ("absent", _("La presenza era sbagliata: era assente senza avviso")),
)


class ContestAnswerForm(FlaskForm):
    """An officer's answer to a contest."""

    esito = RadioField(
        _("Decisione"),
        choices=[SelectChoice(code, words) for code, words in ANSWERS],
        validators=[DataRequired(_("Scegli una decisione"))],
    )
    risposta = TextAreaField(_("Perché, per la famiglia"), validators=[Optional(), Length(max=500)])

    @property
    def outcome(self) -> Outcome | None:
        """None where the line stands."""
        return {"resta": None, "fondo": Outcome.FUND}.get(self.esito.data, Outcome.ATTENDANCE)

    @property
    def presence(self) -> Presence | None:
        """What really happened, where that was wrong."""
        return Presence(self.esito.data) if self.outcome is Outcome.ATTENDANCE else None


class BankFileForm(FlaskForm):
    """A bank's statement, as CAMT.053 or CSV."""

    class Meta:
        csrf = False

    file = FileField(_("Estratto della banca (CAMT.053 o CSV)"), validators=[FileRequired(_("Scegli un file"))])


class FlowForm(FlaskForm):
    """A flow of pagoPA's."""

    class Meta:
        csrf = False  # every POST is checked for the whole application

    flow = FileField(_("Flusso pagoPA (XML)"), validators=[FileRequired(_("Scegli un file"))])


STATEMENT = re.compile(r"(\d{1,6})/(\d{4})", re.ASCII)


class LineForm(FlaskForm):
    """Whose a bank's line is: a statement's number, as 12/2026."""

    class Meta:
        csrf = False

    estratto = StringField(_("Numero dell'estratto"), validators=[DataRequired(), Regexp(STATEMENT)])

    @property
    def number(self) -> int:
        """The number in its year."""
        return int((self.estratto.data or "").partition("/")[0])

    @property
    def year(self) -> int:
        """The year."""
        return int((self.estratto.data or "").partition("/")[2][:4])
