"""A pagoPA notice is known by 18 digits that check themselves, and is read by a phone as one line of text."""

import re
from collections.abc import Iterator

from stdnum.exceptions import ValidationError
from stdnum.it import iva

AUX_DIGIT = "3"


class BadNoticeError(ValueError):
    """What was given cannot be part of a notice."""


def notice_number(segregation: str, base: str) -> str:
    """The number of a notice: aux digit 3, segregation code (2 digits), IUV base (13), check (2: the rest mod 93).

    Source: pagoPA, "Specifiche attuative dei codici identificativi di versamento". Raises BadNoticeError.
    """
    if not (len(segregation) == 2 and len(base) == 13 and (segregation + base).isdecimal()):
        raise BadNoticeError(f"segregation {segregation!r}, base {base!r}")
    digits = AUX_DIGIT + segregation + base
    return f"{digits}{int(digits) % 93:02d}"


def is_notice_number(number: str) -> bool:
    """Whether 18 digits check."""
    return len(number) == 18 and number.isdecimal() and int(number[:16]) % 93 == int(number[16:])


def notices_in(text: str, segregation: str) -> Iterator[str]:
    """Every notice number of a body (by its segregation code) in a payment's words, in groups of digits or not.

    Where the words have only the 17 digits after the first (a payment's IUV, as banks write it after `/RFB/`) they
    count as well.
    """
    digits = re.sub(r"(?<=\d)[ .-](?=\d)", "", text)
    for found in re.finditer(rf"(?={AUX_DIGIT}?({re.escape(segregation)}\d{{15}}))", digits):
        number = AUX_DIGIT + found[1]
        if is_notice_number(number):
            yield number


def qr_text(number: str, creditor_tax_code: str, cents: int) -> str:
    """The text of a notice's QR code, version 002. Raises BadNoticeError.

    `creditor_tax_code`: 11 digits of the body that is paid; `cents`: what is paid, from 0.01 to 999,999.99 euros.
    """
    if not is_notice_number(number):
        raise BadNoticeError(f"number {number!r}")
    try:
        iva.validate(creditor_tax_code)
    except ValidationError:
        raise BadNoticeError(f"creditor {creditor_tax_code!r}") from None
    if not 0 < cents < 100_000_000:
        raise BadNoticeError(f"cents {cents}")
    return f"PAGOPA|002|{number}|{creditor_tax_code}|{cents:02d}"
