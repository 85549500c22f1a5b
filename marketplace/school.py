"""School classes 1-13 and ages in words: the exact class for its own family, only a band for neighbours."""

from collections.abc import Iterable
from typing import Final

from marketplace.words import N_

# A school's classes as levels, a class in it, the school itself.
SCHOOLS: Final = (
    (range(1, 6), N_("%(year)sª primaria"), N_("scuola primaria")),
    (range(6, 9), N_("%(year)sª media"), N_("scuola media")),
    (range(9, 14), N_("%(year)sª superiore"), N_("scuola superiore")),
)
AGE_STARTS: Final = (0, 3, 6, 11, 14, 18, 65, 75, 85)


def class_words(level: int) -> tuple[str, int]:
    """The msgid of a class and its year: level 7 is `%(year)sª media`, 2."""
    return next((word, level - levels.start + 1) for levels, word, _ in SCHOOLS if level in levels)


def school_bands(levels: Iterable[int | None]) -> list[str]:
    """The msgids of the schools that these classes belong to, the youngest first, each once."""
    known = set(levels)
    return [word for classes, _, word in SCHOOLS if known & set(classes)]


def age_bands(ages: Iterable[int | None]) -> list[tuple[int, int | None]]:
    """The bands (first and last age; None: no upper end) that these ages fall into, each once."""
    starts = {max(start for start in AGE_STARTS if start <= age) for age in ages if age is not None}
    ends = dict(zip(AGE_STARTS, [*(start - 1 for start in AGE_STARTS[1:]), None], strict=True))
    return [(start, ends[start]) for start in sorted(starts)]
