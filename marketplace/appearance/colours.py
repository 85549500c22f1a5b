"""Which colours carry white words: contrast as WCAG 2.2 defines it, and the sheet that a colour makes of the pages."""

import hashlib
from typing import Final

CONTRAST_MIN: Final = 4.5  # WCAG 2.2, success criterion 1.4.3
DEEPER: Final = 0.7
SHEET: Final = """\
:root{{--blue:{colour};--blue-deep:{deep};--bs-primary:{colour};--bs-link-color:{colour};--bs-link-hover-color:{deep}}}
main a:not([class]){{color:{colour}}}
.it-header-center-wrapper{{background:{colour}}}
.it-header-slim-wrapper{{background:{deep}}}
.btn-primary{{--bs-btn-bg:{colour};--bs-btn-border-color:{colour};--bs-btn-hover-bg:{deep};--bs-btn-hover-border-color:{deep};\
--bs-btn-active-bg:{deep};--bs-btn-active-border-color:{deep}}}
.btn-outline-primary{{--bs-btn-color:{colour};--bs-btn-border-color:{colour};--bs-btn-hover-color:{deep};\
box-shadow:inset 0 0 0 2px {colour}}}
.btn-outline-primary:hover,.btn-outline-primary:active{{box-shadow:inset 0 0 0 2px {deep}}}
"""

VERSION: Final = hashlib.sha256(SHEET.encode()).hexdigest()[:12]  # of the sheet: another one has other addresses


def _parts(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def _linear(part: int) -> float:
    share = part / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def contrast_with_white(colour: str) -> float:
    """From 1 (white) to 21 (black), for a colour as #rrggbb; relative luminance and ratio of WCAG 2.2."""
    red, green, blue = (_linear(part) for part in _parts(colour))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def deeper(colour: str) -> str:
    """The same colour with less light: what a header's edge and a pressed button have."""
    return "#" + "".join(f"{int(part * DEEPER):02x}" for part in _parts(colour))


def sheet_of(colour: str) -> str:
    """The style sheet that puts `colour` (#rrggbb, checked by whoever keeps it) in place of the service's blue."""
    return SHEET.format(colour=colour, deep=deeper(colour))
