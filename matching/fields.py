"""Reading a JSON object field by field: every getter returns a value of its kind, or a stand-in after noting a fault.

A fault is one line a field, `path: what it must be`, such as `needs[3].minutes: must be a multiple of 15`.
"""

import json
from collections.abc import Callable, Container
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

LIMIT = 10**9
"""No number of an instance or plan lies beyond (an objective may)."""
DECIMALS_MAX = 30

T = TypeVar("T")


class Faults(Exception):
    """A file that is not what it must be; `lines` says why, one fault a line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class InstanceFaults(Faults):
    """Not an instance."""


class PlanFaults(Faults):
    """Not a plan."""


class Written(float):
    """A JSON number with a point or an exponent, that remembers how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number


def shown(value: object) -> str:
    """A value of the file in a message: on one line, and not too long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_whole(value: object) -> bool:
    """JSON's whole numbers; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


class Fields:
    """A JSON object at `path` of the file; faults go to `faults`, shared by the whole file."""

    __slots__ = ("_faults", "_silent", "_unsound", "_values", "path")

    def __init__(self, value: object, path: str, faults: list[str]) -> None:
        self.path = path
        self._faults = faults
        self._values: dict[str, Any] = value if isinstance(value, dict) else {}
        self._unsound: frozenset[str] = frozenset()
        self._silent = False
        if not isinstance(value, dict):
            self.fault("", f"must be an object, not {shown(value)}")
            self._silent = True

    def fault(self, key: str, message: str) -> None:
        """Note that the field (without a key: the object) is not what it must be; the first fault of a field stands."""
        if not self._silent and key not in self._unsound:
            self._faults.append(f"{self._path_of(key)}: {message}")
        self._unsound |= {key}

    def _path_of(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def is_sound(self, *keys: str) -> bool:
        """Whether none of these fields has a fault so far: for what is asked of several together."""
        return not self._silent and self._unsound.isdisjoint(keys)

    def has(self, key: str) -> bool:
        """Whether the field is there and not null: for fields that may be absent."""
        return self._values.get(key) is not None

    def is_null(self, key: str) -> bool:
        """Whether the field is there, and null."""
        return key in self._values and self._values[key] is None

    def keys(self) -> tuple[str, ...]:
        """The names of the fields, in the file's order."""
        return tuple(self._values)

    def values(self) -> dict[str, Any]:
        """The object as it was read."""
        return self._values

    def _get(self, key: str) -> Any:
        """The field's value; None, with a fault, where there is none."""
        value = self._values.get(key)
        if value is None:
            self.fault(key, "must not be null" if key in self._values else "missing")
        return value

    def whole(self, key: str, low: int = 0, high: int = LIMIT, step: int = 1) -> int:
        """A whole number from `low` to `high`, a multiple of `step`."""
        value = self._get(key)
        if value is None:
            pass
        elif not is_whole(value):
            self.fault(key, f"must be a whole number, not {shown(value)}")
        elif value < low:
            self.fault(key, f"must be at least {low}")
        elif value > high:
            self.fault(key, f"must be at most {high}")
        elif value % step:
            self.fault(key, f"must be a multiple of {step}")
        else:
            return int(value)
        return max(low, 0)

    def whole_or_none(self, key: str, low: int = 0, high: int = LIMIT) -> int | None:
        """A whole number, or null."""
        return None if self.is_null(key) else self.whole(key, low, high)

    def _number(self, key: str, low: int, high: int) -> int | float:
        value = self._get(key)
        if value is None:
            return 0
        if not (is_whole(value) or isinstance(value, float)):
            self.fault(key, f"must be a number, not {shown(value)}")
            return 0
        number: int | float = value
        if not low <= number <= high:
            self.fault(key, f"must be from {low} to {high}")
            return 0
        return number

    def decimal(self, key: str, high: int = LIMIT) -> Fraction:
        """A number from 0 to `high`, exactly as written."""
        value = self._number(key, 0, high)
        if isinstance(value, int):
            return Fraction(value)
        written = Decimal(value.text if isinstance(value, Written) else repr(value))
        if not written:
            return Fraction(0)
        exponent = written.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -DECIMALS_MAX:
            self.fault(key, f"must have at most {DECIMALS_MAX} decimals")
            return Fraction(0)
        return Fraction(written)

    def double(self, key: str, low: int = -LIMIT, high: int = LIMIT) -> float:
        """A number from `low` to `high`, as a double."""
        return float(self._number(key, low, high))

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self._get(key)
        if isinstance(value, str) and value:
            return value
        if value is not None:
            self.fault(key, f"must be a text, not {shown(value)}" if value != "" else "must not be empty")
        return ""

    @property
    def id(self) -> str:
        """The object's own id."""
        return self.text("id")

    def text_or_none(self, key: str) -> str | None:
        """A text, or null."""
        return None if self.is_null(key) else self.text(key)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._get(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.fault(key, f"must be true or false, not {shown(value)}")
        return False

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        """One of some words."""
        value = self.text(key)
        if value and value not in known:
            self.fault(key, f"must be {' or '.join(known)}, not {shown(value)}")
        return value

    def reference(self, key: str, known: Container[str]) -> str:
        """The id of something in `known`."""
        value = self.text(key)
        if value and value not in known:
            self.fault(key, f"unknown {shown(value)}")
        return value

    def _items(self, key: str) -> list[Any]:
        value = self._get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self.fault(key, f"must be a list, not {shown(value)}")
        return []

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        items = self._items(key)
        for index, item in enumerate(items):
            if not isinstance(item, str) or not item:
                self.fault(f"{key}[{index}]", f"must be a text, not {shown(item)}")
        return tuple(item for item in items if isinstance(item, str))

    def references(self, key: str, known: Container[str]) -> tuple[str, ...]:
        """A list of ids of things in `known`."""
        for index, item in enumerate(items := self.texts(key)):
            if item and item not in known:
                self.fault(f"{key}[{index}]", f"unknown {shown(item)}")
        return items

    def object(self, key: str) -> "Fields":
        """A JSON object; where there is none, one that is silent about its fields."""
        value = self._get(key)
        return Fields(value, self._path_of(key), [] if value is None else self._faults)

    def items(self) -> list[tuple[str, "Fields"]]:
        """The objects that this one holds by name."""
        return [(key, self.object(key)) for key in self._values]

    def objects(self, key: str) -> list["Fields"]:
        """A list of JSON objects."""
        path = self._path_of(key)
        return [Fields(item, f"{path}[{index}]", self._faults) for index, item in enumerate(self._items(key))]


def by_id(items: list[Fields], read: Callable[[Fields], T]) -> dict[str, T]:
    """What `read` makes of each object, by its `id`; an id that comes twice is a fault."""
    found: dict[str, T] = {}
    for fields in items:
        one = read(fields)
        if fields.id in found:
            fields.fault("id", f"{shown(fields.id)} is there twice")
        found[fields.id] = one
    return found
