"""A month in an address is `aaaa-mm`."""

import re
from datetime import date

from marketplace.errors import NotFound

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
