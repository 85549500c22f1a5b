"""Instances and plans as files: whatever is read is valid in form or refused with one line a fault, never half read.

JSON is read strictly: UTF-8, no NaN or Infinity, no name twice in an object, no number beyond a double. Decimals stay
as written. Files may be gzipped. Fields that the contract does not know are ignored.
"""

import gzip
import hashlib
import json
import math
import os
import tempfile
import zlib
from collections import Counter
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from matching.fields import Faults, InstanceFaults, PlanFaults, Written, shown
from matching.instance import Instance
from matching.instance_format import build_instance
from matching.instance_text import instance_to_json
from matching.plan import Plan
from matching.plan_format import build_plan, plan_to_json

__all__ = [
    "InstanceFaults",
    "PlanFaults",
    "canonical",
    "instance_from_json",
    "instance_to_json",
    "json_text",
    "plan_from_json",
    "plan_to_json",
    "read_instance",
    "read_json",
    "read_plan",
    "with_digest",
    "write_instance",
    "write_plan",
]

BYTES_MAX = 1 << 28
GZIP_MAGIC = b"\x1f\x8b"


def read_instance(path: str | os.PathLike[str]) -> Instance:
    """The instance in a `.json` or `.json.gz` file; raises `InstanceFaults`."""
    return instance_from_json(read_json(path, InstanceFaults))


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """The plan in a `.json` or `.json.gz` file; raises `PlanFaults`."""
    return plan_from_json(read_json(path, PlanFaults))


def write_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write the plan whole or not at all (`OSError`), gzipped if the name ends in `.gz`; same plan, same bytes."""
    _write(json_text(plan_to_json(plan)), path)


def write_instance(instance: Instance, path: str | os.PathLike[str]) -> None:
    """Write the instance whole or not at all (`OSError`), gzipped if the name ends in `.gz`."""
    _write(json_text(instance_to_json(instance)), path)


def _write(text: str, path: str | os.PathLike[str]) -> None:
    data, target = text.encode(), Path(path)
    if target.name.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    if target.exists() and not target.is_file():  # a pipe or a terminal
        target.write_bytes(data)
        return
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def canonical(content: object) -> bytes:
    """Canonical JSON of what was parsed (matching.md); ValueError where it is not JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def instance_from_json(content: object) -> Instance:
    """The instance in a parsed JSON object; raises `InstanceFaults`."""
    return build_instance(content, _digest(content, InstanceFaults))


def with_digest(instance: Instance) -> Instance:
    """The instance as it would be if it were written and read again."""
    return replace(instance, digest=_digest(instance_to_json(instance), InstanceFaults))


def plan_from_json(content: object) -> Plan:
    """The plan in a parsed JSON object; raises `PlanFaults`."""
    _digest(content, PlanFaults)
    return build_plan(content)


def json_text(content: dict[str, Any]) -> str:
    """A plan or instance as a JSON text that people can read: a line for each field, slot and need."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value:
            rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in value)
            lines.append(f" {json.dumps(key)}: [\n{rows}]")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_json(path: str | os.PathLike[str], error: type[Faults]) -> object:
    """The JSON of a file, read strictly; raises `error` with what is wrong with it."""
    try:
        with Path(path).open("rb") as file:
            data = _unpacked(file)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error([f"{path}: not UTF-8"]) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise error([f"{path}: a damaged gzip file"]) from None
    except (OSError, ValueError) as fault:
        raise error([f"{path}: {getattr(fault, 'strerror', None) or fault}"]) from None
    try:
        return json.loads(
            text, parse_float=_number, parse_constant=_no_constant, object_pairs_hook=_object_without_duplicates
        )
    except json.JSONDecodeError as fault:
        raise error([f"{path}: not JSON: {fault}"]) from None
    except ValueError as fault:
        reason = "a number with too many digits" if "int_max_str_digits" in str(fault) else str(fault)
        raise error([f"{path}: not JSON: {reason}"]) from None
    except RecursionError:
        raise error([f"{path}: not JSON: nested too deeply"]) from None


def _unpacked(file: BufferedReader) -> bytes:
    """The file's bytes, gunzipped if need be; ValueError if they are too many."""
    if file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        with gzip.GzipFile(fileobj=file) as packed:
            data = packed.read(BYTES_MAX + 1)
    else:
        data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise ValueError(f"larger than {BYTES_MAX} bytes")
    return data


def _number(text: str) -> Written:
    number = Written(text)
    if math.isinf(number):
        raise ValueError("a number too large for a double")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"{shown(twice)} is there twice in one object")
    return found


def _digest(content: object, error: type[Faults]) -> str:
    """SHA-256 of the canonical JSON."""
    try:
        return hashlib.sha256(canonical(content)).hexdigest()
    except UnicodeEncodeError:
        raise error(["not JSON: a text with half a character (a lone surrogate)"]) from None
    except RecursionError:
        raise error(["not JSON: nested too deeply"]) from None
    except (ValueError, TypeError) as fault:
        raise error([f"not JSON: {fault}"]) from None
