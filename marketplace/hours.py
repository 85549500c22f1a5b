"""Weekly hours as people say them: rules of days and times on a 15-minute grid, merged where they touch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Protocol

from babel.dates import get_day_names
from babel.lists import format_list

from marketplace.words import N_
from matching.instance import Window

GRID: Final = 15
DAY_END: Final = 24 * 60
PRESETS: Final[Sequence[tuple[str, int, int]]] = (
    (N_("Mattina"), 9 * 60, 12 * 60),
    (N_("Dopo la scuola"), 16 * 60, 19 * 60),
    (N_("Sera"), 18 * 60, 21 * 60),
)
OTHER: Final = "altro"
RANGES: Final = {"it": "da {first} a {last}", "en": "{first} to {last}"}

NO_DAY: Final = N_("Scegli almeno un giorno")
NO_TIME: Final = N_("Scegli un orario")
END_BEFORE_START: Final = N_("L'ora di fine viene prima di quella di inizio: cambia una delle due")
NOTHING_YET: Final = N_("Aggiungi almeno un giorno e un orario")


class Windowed(Protocol):
    """Anything with a day (0 is Monday) and minutes since midnight."""

    @property
    def day(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """The same `start` to `end` on each of `days` (sorted, none twice)."""

    days: tuple[int, ...]
    start: int
    end: int

    def __post_init__(self) -> None:
        days_stand = self.days and tuple(sorted(set(self.days))) == self.days and set(self.days) <= set(range(7))
        on_grid = self.start % GRID == 0 and self.end % GRID == 0
        if not days_stand or not on_grid or not 0 <= self.start < self.end <= DAY_END:
            raise ValueError(f"no such hours: {self.days} {self.start}-{self.end}")

    @property
    def code(self) -> str:
        """The rule as a hidden field carries it: `0,2;960;1140`."""
        return f"{','.join(map(str, self.days))};{self.start};{self.end}"


def clock(minutes: int) -> str:
    """960 -> `16:00`, 540 -> `9:00`; the day's end is `24:00`."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def merge(windows: Iterable[Windowed]) -> tuple[Window, ...]:
    """The same hours with the fewest windows, by day and start."""
    merged: list[Window] = []
    for window in sorted(windows, key=lambda one: (one.day, one.start, one.end)):
        last = merged[-1] if merged else None
        if last is not None and last.day == window.day and window.start <= last.end:
            merged[-1] = replace(last, end=max(last.end, window.end))
        else:
            merged.append(Window(window.day, window.start, window.end))
    return tuple(merged)


def windows_of(rules: Iterable[Rule]) -> tuple[Window, ...]:
    """What the rules say, one window for each stretch of a day."""
    return merge(Window(day, rule.start, rule.end) for rule in rules for day in rule.days)


def rules_of(windows: Iterable[Windowed]) -> tuple[Rule, ...]:
    """The fewest sentences for these hours: days with the same times stand together."""
    days_at: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for window in merge(windows):
        days_at[window.start, window.end].append(window.day)
    rules = [Rule(tuple(days), start, end) for (start, end), days in days_at.items()]
    return tuple(sorted(rules, key=lambda rule: (rule.days, rule.start)))


def total_minutes(windows: Iterable[Windowed]) -> int:
    """Minutes a week, an overlap counted once."""
    return sum(window.end - window.start for window in merge(windows))


def days_that_fit(windows: Iterable[Windowed], minutes: int) -> int:
    """On how many days a session of `minutes` fits into one stretch."""
    return len({window.day for window in merge(windows) if window.end - window.start >= minutes})


def sentence(rule: Rule, locale: str = "it") -> str:
    """`lunedì e mercoledì, 16:00-19:00`; three days or more in a row are `da lunedì a venerdì`."""
    names = get_day_names("wide", locale=locale)
    in_a_row = len(rule.days) > 2 and all(later - earlier == 1 for earlier, later in pairwise(rule.days))
    if in_a_row:
        days = RANGES[locale].format(first=names[rule.days[0]], last=names[rule.days[-1]])
    else:
        days = format_list([str(names[day]) for day in rule.days], locale=locale)
    return f"{days}, {clock(rule.start)}-{clock(rule.end)}"


def sentences(windows: Iterable[Windowed], locale: str = "it") -> str:
    """All hours in one line: `lunedì e mercoledì, 16:00-19:00; sabato, 9:00-12:00`."""
    return "; ".join(sentence(rule, locale) for rule in rules_of(windows))


@dataclass(frozen=True, slots=True)
class Editor:
    """What the hours fieldset shows: the rules so far, what is ticked and not yet added, what is wrong.

    `outcome` is `added`, `removed`, `editing` or empty; `changed` the rule it speaks of.
    """

    rules: tuple[Rule, ...] = ()
    days: tuple[int, ...] = ()
    preset: str = ""
    start: int | None = None
    end: int | None = None
    errors: tuple[tuple[str, str], ...] = ()
    outcome: str = ""
    changed: Rule | None = None
    stays: bool = False

    @property
    def windows(self) -> tuple[Window, ...]:
        return windows_of(self.rules)

    @property
    def total_minutes(self) -> int:
        return total_minutes(self.windows)

    def days_that_fit(self, minutes: int) -> int:
        """On how many days a session of `minutes` fits."""
        return days_that_fit(self.windows, minutes)

    @property
    def times(self) -> range:
        """The quarter hours that the two lists offer: from 6:00, or from midnight where a rule starts earlier."""
        earliest = min([6 * 60, *(rule.start for rule in self.rules), *([] if self.start is None else [self.start])])
        return range(0 if earliest < 6 * 60 else earliest, DAY_END + 1, GRID)

    def error(self, name: str) -> str | None:
        """The msgid of what is wrong with `giorni`, `orario` or `regole`."""
        return next((message for field, message in self.errors if field == name), None)


def editor_of(windows: Iterable[Windowed]) -> Editor:
    """The editor as it opens on hours already known."""
    return Editor(rules=rules_of(windows))


def read_editor(data: Mapping[str, Sequence[str]], prefix: str = "ore") -> Editor:
    """What a posted form did to the hours: `data` is every field's list of values (`form.to_dict(flat=False)`).

    Where a button of the editor was pressed, `stays` is true and the page is shown again. Else the person goes on: a
    filled rule counts too, and `errors` say what is missing. A damaged hidden field is left out.
    """
    rules = tuple(rule for code in data.get(f"{prefix}_regola", ()) if (rule := _parse(code)) is not None)
    filled = Editor(
        rules=rules,
        days=tuple(day for day in range(7) if str(day) in data.get(f"{prefix}_giorni", ())),
        preset=_first(data, f"{prefix}_fascia"),
        start=_minutes(_first(data, f"{prefix}_dalle")),
        end=_minutes(_first(data, f"{prefix}_alle")),
    )
    for button in ("togli", "modifica"):
        chosen = _first(data, f"{prefix}_{button}")
        if chosen.isdecimal() and int(chosen) < len(rules):
            return _without(filled, int(chosen), editing=button == "modifica")
    return _with_filled(filled, adding=f"{prefix}_aggiungi" in data)


def _first(data: Mapping[str, Sequence[str]], name: str) -> str:
    values = data.get(name)
    return values[0] if values else ""


def _minutes(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else None


def _parse(code: str) -> Rule | None:
    try:
        days, start, end = code.split(";")
        return Rule(tuple(int(day) for day in days.split(",")), int(start), int(end))
    except ValueError:
        return None


def _without(editor: Editor, index: int, editing: bool) -> Editor:
    rule = editor.rules[index]
    rest = editor.rules[:index] + editor.rules[index + 1 :]
    if not editing:
        return replace(editor, rules=rest, outcome="removed", changed=rule, stays=True)
    preset = f"{rule.start}-{rule.end}"
    known = preset in {f"{start}-{end}" for _, start, end in PRESETS}
    return replace(
        editor,
        rules=rest,
        days=rule.days,
        preset=preset if known else OTHER,
        start=rule.start,
        end=rule.end,
        outcome="editing",
        changed=rule,
        stays=True,
    )


def _with_filled(editor: Editor, adding: bool) -> Editor:
    untouched = not editor.days and not editor.preset
    if untouched and not adding:
        return editor if editor.rules else replace(editor, errors=(("regole", NOTHING_YET),))
    start, end, wrong_time = _times(editor)
    errors = (() if editor.days else (("giorni", NO_DAY),)) + ((("orario", wrong_time),) if wrong_time else ())
    if errors:
        return replace(editor, errors=errors, stays=adding)
    rule = Rule(editor.days, start, end)
    rules = rules_of(windows_of((*editor.rules, rule)))
    return Editor(rules=rules, outcome="added", changed=rule, stays=adding)


def _times(editor: Editor) -> tuple[int, int, str | None]:
    """Start, end, and what is wrong with them."""
    if editor.preset != OTHER:
        first, _, last = editor.preset.partition("-")
        start, end = _minutes(first), _minutes(last)
    else:
        start, end = editor.start, editor.end
    if start is None or end is None or start % GRID or end % GRID or max(start, end) > DAY_END:
        return 0, 0, NO_TIME
    return start, end, END_BEFORE_START if end <= start else None
