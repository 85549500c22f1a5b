"""What an officer writes about a programme."""

import re
from decimal import Decimal
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length

from marketplace.fields import EurosField
from marketplace.providers.forms import SERVICES
from marketplace.vouchers.models import Programme
from marketplace.vouchers.programmes import Rule


class ProgrammeForm(FlaskForm):
    """A programme: who is entitled, and how much it pays."""

    code = StringField(_("Codice"), validators=[DataRequired(_("Scrivi un codice, per esempio P5")), Length(max=60)])
    name = StringField(_("Nome"), validators=[DataRequired(_("Scrivi il nome del programma")), Length(max=200)])
    service = SelectField(_("Servizio"))
    budget = EurosField(_("Budget di ogni settimana"), validators=[InputRequired(_("Scrivi il budget"))])
    isee_max = EurosField(_("ISEE fino a"))
    percent = StringField(_("Percentuale della quota"), validators=[DataRequired(_("Scrivi la percentuale"))])
    cap = EurosField(_("Al massimo, l'ora e a persona"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service.choices = [(code, gettext(words)) for code, words in SERVICES.items()]

    @classmethod
    def of(cls, programme: Programme) -> "ProgrammeForm":
        """The form as it opens on a programme."""
        return cls(
            data={
                "code": programme.code,
                "name": programme.name,
                "service": programme.service,
                "budget": programme.weekly_budget_cents,
                "isee_max": programme.isee_max_cents,
                "percent": programme.percent.replace(".", ","),
                "cap": programme.cap_cents_per_hour,
            }
        )

    def validate_percent(self, field: StringField) -> None:
        """From 0 to 100, with at most two decimals."""
        text = (field.data or "").strip().removesuffix("%").strip().replace(",", ".")
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", text) or Decimal(text) > 100:
            raise ValidationError(gettext("La percentuale va da 0 a 100"))
        field.data = text

    def rule(self) -> Rule:
        """What was written."""
        return Rule(
            code=self.code.data.strip(),
            name=self.name.data.strip(),
            service=self.service.data,
            weekly_budget_cents=self.budget.data or 0,
            isee_max_cents=self.isee_max.data,
            percent=format(Decimal(self.percent.data).normalize(), "f"),
            cap_cents_per_hour=self.cap.data,
        )
