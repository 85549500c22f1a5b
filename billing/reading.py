"""Files of money are read whole or refused with one line a fault: strict JSON, no unknown key, no number half read."""

import csv
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

BYTES_MAX = 1 << 28
CENTS_MAX = 10**9


class Faults(Exception):
    """A file that is not what it must be; `lines` says why, one fault a line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Data(BaseModel):
    """An object of a file, immutable once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _number(value: object) -> object:
    """JSON's numbers and decimals as text; true and false are none, nor is NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError("must be a number")
    return Decimal(repr(value)) if isinstance(value, float) else value


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


Euros = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=10**7, decimal_places=2)]
"""An amount in euro, to the cent; read from a JSON number or a decimal text."""

Cents = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=CENTS_MAX)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=10**6)]
Name = Annotated[str, Field(min_length=1, max_length=120)]

Model = TypeVar("Model", bound=BaseModel)


def read_json(path: str, model: type[Model]) -> Model:
    """The object of a JSON file; raises Faults."""
    return model_of(_parsed(path), model, path)


def model_of(values: object, model: type[Model], name: str = "") -> Model:
    """`values` as a `model`; raises Faults, each line `name: path: what it must be`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Faults([": ".join(filter(None, (name, line))) for line in faults_of(error)]) from None


def faults_of(error: ValidationError) -> list[str]:
    """What pydantic found, a line each: `bands[1].up_to: must be ...`."""
    lines = []
    faults = error.errors(include_url=False, include_input=False)
    for fault in faults:
        within = len(fault["loc"])
        if fault["type"] == "too_short" and any(
            other["loc"][:within] == fault["loc"] and other is not fault for other in faults
        ):
            continue  # pydantic does not count items that have a fault of their own
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault["loc"]).lstrip(".")
        message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        message = {"missing": "missing", "extra_forbidden": "unknown key"}.get(fault["type"], message)
        lines.append(f"{path}: {message}" if path else message)
    return lines


def read_rows(path: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a CSV file with the number of each one's line, comma or semicolon between; raises Faults."""
    text = _text(path)
    head = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ",")
    columns = [name.strip() for name in reader.fieldnames or []]
    if not columns:
        raise Faults([f"{path}: no header"])
    if len(set(columns)) < len(columns):
        raise Faults([f"{path}: a column is there twice"])
    reader.fieldnames = columns
    for row in reader:
        if None in row or None in row.values():
            raise Faults([f"{path}: line {reader.line_num}: must have {len(columns)} values"])
        yield reader.line_num, {name: value.strip() for name, value in row.items()}


def _text(path: str) -> str:
    try:
        file = Path(path)
        if file.stat().st_size > BYTES_MAX:
            raise Faults([f"{path}: larger than {BYTES_MAX} bytes"])
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Faults([f"{path}: {error.strerror or error}"]) from None
    except UnicodeDecodeError:
        raise Faults([f"{path}: not UTF-8"]) from None


def _parsed(path: str) -> object:
    try:
        return json.loads(_text(path), parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise Faults([f"{path}: line {error.lineno}: {error.msg}"]) from None
    except ValueError as error:
        raise Faults([f"{path}: {error}"]) from None
    except RecursionError:
        raise Faults([f"{path}: nested too deep"]) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'"{key}" is there twice in one object')
        found[key] = value
    return found
