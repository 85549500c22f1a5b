"""What a provider writes about its tax becomes one TaxProfile, or errors that say what to write."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from stdnum.exceptions import ValidationError as VatNumberError
from stdnum.it import iva
from wtforms import BooleanField, RadioField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from marketplace.documents.models import WITH_VAT_NUMBER, TaxProfile, TaxRegime
from marketplace.providers.models import Provider

REGIMES = {
    TaxRegime.EXEMPT: _("Ho la partita IVA e l'attività è esente (per esempio lezioni di un docente)"),
    TaxRegime.ORDINARY: _("Ho la partita IVA e applico l'IVA"),
    TaxRegime.FLAT: _("Ho la partita IVA in regime forfettario"),
    TaxRegime.OCCASIONAL: _("Non ho la partita IVA: lavoro occasionale"),
    TaxRegime.LIBRETTO: _("Lavoro con il Libretto Famiglia"),
}
WORDS = r"[^\x00-\x1f\u0100-\U0010ffff]+"  # what an electronic invoice may hold: Latin-1


def strip(text: str | None) -> str | None:
    """Without spaces around."""
    return text.strip() if text else text


def words(label: Any, longest: int) -> StringField:
    """A compulsory line that an electronic invoice may hold."""
    return StringField(
        label,
        filters=[strip],
        validators=[DataRequired(_("Scrivilo")), Length(max=longest), Regexp(WORDS, message=_("Usa lettere latine"))],
    )


class TaxProfileForm(FlaskForm):
    """How a provider stands with tax, and what its documents say of it."""

    regime = RadioField(
        _("Come lavori"),
        choices=[SelectChoice(regime.value, label) for regime, label in REGIMES.items()],
        validators=[InputRequired(_("Scegli come lavori"))],
    )
    vat_number = StringField(_("Partita IVA"), filters=[strip])
    vat_percent = StringField(_("Aliquota IVA, in percento"), filters=[strip])
    is_third_sector = BooleanField(_("Siamo un ente del terzo settore (per esempio una cooperativa sociale)"))
    legal_name = words(_("Nome e cognome, o denominazione"), 80)
    street = words(_("Via e numero della sede"), 60)
    postal_code = StringField(
        _("CAP"), filters=[strip], validators=[Regexp(r"[0-9]{5}$", message=_("Il CAP ha 5 cifre"))]
    )
    town = words(_("Comune"), 60)
    province = StringField(
        _("Provincia (sigla)"), filters=[strip], validators=[Regexp(r"[A-Za-z]{2}$", message=_("Due lettere, come RE"))]
    )

    def validate_vat_number(self, field: StringField) -> None:
        """There where it is due, and right."""
        field.data = re.sub(r"[\s.-]|^IT", "", field.data or "")
        if self.regime.data not in WITH_VAT_NUMBER:
            field.data = ""
            return
        try:
            iva.validate(field.data)
        except VatNumberError:
            raise ValidationError(_("La partita IVA non è giusta: controlla le 11 cifre")) from None

    def validate_vat_percent(self, field: StringField) -> None:
        """A rate, where VAT is charged."""
        if self.regime.data != TaxRegime.ORDINARY:
            field.data = ""
            return
        try:
            percent = Decimal((field.data or "").replace(",", ".").rstrip("% "))
        except InvalidOperation:
            percent = Decimal(0)
        if not 0 < percent <= 30 or percent != round(percent, 2):
            raise ValidationError(_("Scrivi l'aliquota, per esempio 5 o 22"))
        field.data = str(percent)

    @classmethod
    def of(cls, provider: Provider, profile: TaxProfile | None) -> "TaxProfileForm":
        """The form as it opens: what was said last, else what is known."""
        if profile is None:
            return cls(data={"legal_name": provider.name[:80], "street": provider.address[:60]})
        return cls(obj=profile)

    def said(self) -> dict[str, Any]:
        """TaxProfile's fields."""
        return {
            "regime": TaxRegime(self.regime.data),
            "vat_number": self.vat_number.data or None,
            "vat_percent": self.vat_percent.data or None,
            "is_third_sector": self.is_third_sector.data,
            "legal_name": self.legal_name.data,
            "street": self.street.data,
            "postal_code": self.postal_code.data,
            "town": self.town.data,
            "province": self.province.data.upper(),
        }
