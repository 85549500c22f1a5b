"""School classes 1-13 in words."""

from typing import Final

from marketplace.words import N_

# A school's classes as levels, a class in it, the school itself.
SCHOOLS: Final = (
    (range(1, 6), N_("%(year)sª primaria"), N_("scuola primaria")),
    (range(6, 9), N_("%(year)sª media"), N_("scuola media")),
    (range(9, 14), N_("%(year)sª superiore"), N_("scuola superiore")),
)


def class_words(level: int) -> tuple[str, int]:
    """The msgid of a class and its year: level 7 is `%(year)sª media`, 2."""
    return next((word, level - levels.start + 1) for levels, word, _ in SCHOOLS if level in levels)


def school_words(level: int) -> str:
    """The msgid of the school of a class."""
    return next(word for levels, _, word in SCHOOLS if level in levels)
