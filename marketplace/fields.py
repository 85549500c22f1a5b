"""Form fields for money and tax codes: what is typed becomes one exact value, or an error that says what to write."""

import re
from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _
from stdnum.exceptions import ValidationError as TaxCodeError
from stdnum.it import codicefiscale
from wtforms import StringField, ValidationError

CENTS_MAX = 10**12


def cents_from(text: str) -> int | None:
    """`12,50`, `12.5`, `14.500` and `€ 1.234,5` in cents; None for what is no amount of euros."""
    plain = re.sub(r"€|euro|eur|\s|'", "", text, flags=re.IGNORECASE)
    if re.fullmatch(r"[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]{1,2})?", plain):
        plain = plain.replace(".", "")
    if not re.fullmatch(r"[0-9]{1,10}([.,][0-9]{1,2})?", plain):
        return None
    return int(Decimal(plain.replace(",", ".")) * 100)


def euros_from(cents: int) -> str:
    """The amount as a field shows it again: `12,50`, `14500`."""
    whole, rest = divmod(cents, 100)
    return f"{whole},{rest:02d}" if rest else str(whole)


class EurosField(StringField):
    """An amount of euros; `data` is whole cents, None when nothing was written."""

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else euros_from(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed."""
        text = valuelist[0].strip() if valuelist else ""
        self.data: int | None = None
        if not text:
            return
        self.data = cents_from(text)
        if self.data is None or self.data > CENTS_MAX:
            self.data = None
            raise ValueError(_("Scrivi gli euro in cifre, per esempio 12,50"))


class TaxCodeField(StringField):
    """An Italian tax code, omocodes included; `data` is in capitals without spaces."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Compact what was typed; `pre_validate` says whether it stands."""
        self.data: str = re.sub(r"[\s-]", "", valuelist[0]).upper() if valuelist else ""

    def pre_validate(self, form: Any) -> None:
        """Check length, date, and the check character."""
        if not self.data:
            return
        try:
            codicefiscale.validate(self.data)
        except TaxCodeError:
            raise ValidationError(
                _("Il codice fiscale non è giusto: controlla i 16 caratteri sulla tessera sanitaria")
            ) from None
        if len(self.data) != 16:
            raise ValidationError(_("Serve il codice fiscale di una persona: 16 caratteri"))
