"""What a receipt adds to its amount is a rule of tax, and never what the family pays: the issuer bears the stamp."""

from decimal import ROUND_HALF_UP, Decimal

STAMP_CENTS = 200
STAMP_ABOVE_CENTS = 7747


def stamp_cents(untaxed_cents: int, is_third_sector: bool) -> int:
    """Stamp duty on a document: 2.00 euros where more than 77.47 of it bears no VAT, but for third-sector bodies.

    `untaxed_cents` is the sum of what is exempt, out of scope or paid on for others, in cents; of a credit note its
    absolute value. Sources: DPR 642/1972, tariff, art. 13; D.Lgs. 117/2017, art. 82.
    """
    return STAMP_CENTS if untaxed_cents > STAMP_ABOVE_CENTS and not is_third_sector else 0


def split_vat(total_cents: int, percent: Decimal) -> tuple[int, int]:
    """Taxable amount and VAT of a total that includes it; they sum to the total, rounded once, half up.

    A negative total (a credit note) is split like its opposite.
    """
    whole = abs(total_cents)
    taxable = int((Decimal(whole) * 100 / (100 + percent)).quantize(Decimal(1), ROUND_HALF_UP))
    sign = -1 if total_cents < 0 else 1
    return sign * taxable, sign * (whole - taxable)
