"""A cell like `lun,mer 15:00-18:00 | ven 9-12` becomes windows on the quarter hour, sorted, never overlapping."""

import re

from marketplace.intake.cells import GRID_MINUTES
from marketplace.intake.report import Code, Fault
from marketplace.places.register import fold
from marketplace.words import N_
from matching.instance import Window

CELL_CHARACTERS_MAX = 2000
DAYS = ("lun", "mar", "mer", "gio", "ven", "sab", "dom")
_DAY = r"(?:lun(?:edi)?|mar(?:tedi)?|mer(?:coledi)?|gio(?:vedi)?|ven(?:erdi)?|sab(?:ato)?|dom(?:enica)?)(?![a-z])[.']?"
_DAYS = rf"(?:dal )?{_DAY}(?: ?(?:-|al) ?{_DAY})?"
_TIME = r"[0-9]{1,2}(?:[:.][0-9]{2})?(?![0-9:.])"
_HOURS = rf"(?:dalle )?(?:ore )?({_TIME}) ?(?:-|alle ore|alle|a) ?({_TIME})"
_AND = r" ?(?:, ?|e )"
_GROUP = re.compile(rf"({_DAYS}(?:(?:{_AND}| ){_DAYS})*)[ :,]*({_HOURS}(?:{_AND}{_HOURS})*)")
_GAP = re.compile(r"[ |;,]*")


def read_hours(text: str) -> tuple[tuple[Window, ...], bool]:
    """The windows, starts rounded up and ends down, and whether rounding left nothing of one. Raises `invalid_time`."""
    shown = fold(text.replace("\n", "|"))
    if len(shown) > CELL_CHARACTERS_MAX:
        raise _unreadable(text)
    windows: list[Window] = []
    emptied = False
    position = _next_group(shown, 0)
    while position < len(shown):
        group = _GROUP.match(shown, position)
        if not group:
            raise _unreadable(shown[position:])
        for start, end in re.findall(_HOURS, group[2]):
            first, last = _rounded(start, end)
            emptied = emptied or first >= last
            windows += (Window(day, first, last) for day in _days(group[1]) if first < last)
        after = _next_group(shown, group.end())
        if after == group.end() and after < len(shown):
            raise _unreadable(shown[group.start() :])
        position = after
    if not windows and not emptied:
        raise _unreadable(text)
    return _merged(windows), emptied


def _next_group(text: str, position: int) -> int:
    """Where the next group starts."""
    match = _GAP.match(text, position)
    return match.end() if match else position


def _days(text: str) -> list[int]:
    days: set[int] = set()
    for part in re.findall(_DAYS, text):
        ends = [DAYS.index(day[:3]) for day in re.findall(_DAY, part)]
        if ends[0] > ends[-1]:
            raise Fault(
                Code.INVALID_TIME,
                N_("I giorni «%(cell)s» sono al rovescio: scrivi prima quello che viene prima, da lunedì a domenica."),
                cell=part,
            )
        days.update(range(ends[0], ends[-1] + 1))
    return sorted(days)


def _minutes(text: str) -> int:
    hours, _, minutes = text.replace(".", ":").partition(":")
    value = int(hours) * 60 + int(minutes or 0)
    if int(minutes or 0) > 59 or value > 24 * 60:
        raise Fault(Code.INVALID_TIME, N_("L'ora «%(cell)s» non esiste: scrivi un'ora da 0:00 a 24:00."), cell=text)
    return value


def _rounded(start: str, end: str) -> tuple[int, int]:
    first, last = _minutes(start), _minutes(end)
    if first >= last:
        raise Fault(
            Code.INVALID_TIME,
            N_("L'orario %(start)s-%(end)s finisce prima di cominciare: scrivi prima l'inizio, poi la fine."),
            start=start,
            end=end,
        )
    return -(-first // GRID_MINUTES) * GRID_MINUTES, last // GRID_MINUTES * GRID_MINUTES


def _merged(windows: list[Window]) -> tuple[Window, ...]:
    merged: list[Window] = []
    for window in sorted(windows, key=lambda one: (one.day, one.start, one.end)):
        last = merged[-1] if merged else None
        if last and last.day == window.day and window.start < last.end:
            merged[-1] = Window(last.day, last.start, max(last.end, window.end))
        else:
            merged.append(window)
    return tuple(merged)


def _unreadable(text: str) -> Fault:
    return Fault(
        Code.INVALID_TIME,
        N_("L'orario «%(cell)s» non si legge: scrivi per esempio lun,mer 15:00-18:00 | ven 9-12."),
        cell=text,
    )
