"""A call's parameters are what Stripe's own types allow: nothing misspelt, no unknown value, nothing missing."""

from decimal import Decimal, InvalidOperation
from functools import cache
from types import UnionType
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin
from urllib.parse import parse_qsl

from typing_extensions import get_type_hints, is_typeddict

from billing.gateway import PARAMETER_TYPES

REQUEST_OPTIONS = {
    "api_key",
    "stripe_version",
    "stripe_account",
    "stripe_context",
    "max_network_retries",
    "idempotency_key",
    "content_type",
    "headers",
}


class ParameterError(Exception):
    """What Stripe would answer 400 to: its code and the parameter at fault."""

    def __init__(self, code: str, message: str, param: str) -> None:
        super().__init__(message)
        self.code, self.param = code, param


def read_parameters(route: str, encoded: str) -> dict[str, Any]:
    """The parameters of a call to `route`, decoded from `a[b][0]=x` and of the types that the SDK declares."""
    given = _nest(parse_qsl(encoded, keep_blank_values=True))
    declared = PARAMETER_TYPES.get(route)
    if declared is None:
        if given:
            name = next(iter(given))
            raise ParameterError("parameter_unknown", f"Received unknown parameter: {name}", name)
        return {}
    return dict(_read_object(given, declared, ""))


def _nest(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = name.replace("]", "").split("[")
        inner = nested
        for step in path:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise ParameterError("parameter_invalid", f"Invalid parameter: {name}", name)
        inner[last] = value
    return nested


@cache
def _fields(declared: type) -> dict[str, tuple[Any, bool]]:
    """Each field's type and whether it must be given; the SDK's own options are no fields."""
    own = {name: hint for name, hint in declared.__annotations__.items() if name not in REQUEST_OPTIONS}
    holder = type("Fields", (), {"__annotations__": own, "__module__": declared.__module__})
    fields = {}
    for name, hint in get_type_hints(holder, include_extras=True).items():
        wrapper: Any = get_origin(hint)
        inner = get_args(hint)[0] if wrapper in (NotRequired, Required) else hint
        fields[name] = (inner, wrapper is not NotRequired)
    return fields


def _read_object(given: Any, declared: type, path: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ParameterError("parameter_invalid_object", f"Invalid object: {path}", path)
    fields = _fields(declared)
    for name in given:
        if name not in fields:
            full = _join(path, name)
            raise ParameterError("parameter_unknown", f"Received unknown parameter: {full}", full)
    for name, (_, needed) in fields.items():
        if needed and name not in given:
            full = _join(path, name)
            raise ParameterError("parameter_missing", f"Missing required param: {full}.", full)
    return {name: _read(value, fields[name][0], _join(path, name)) for name, value in given.items()}


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _read(value: Any, declared: Any, path: str) -> Any:
    origin = get_origin(declared)
    if origin in (Union, UnionType):
        return _read_any_of(value, get_args(declared), path)
    if origin is Literal:
        if value in get_args(declared):
            return value
        allowed = ", ".join(map(str, get_args(declared)))
        raise ParameterError("parameter_invalid", f"Invalid {path}: must be one of {allowed}", path)
    if is_typeddict(declared):
        return _read_object(value, declared, path)
    if origin is list:
        return _read_list(value, get_args(declared)[0], path)
    if origin is dict:
        if not isinstance(value, dict) or not all(isinstance(inner, str) for inner in value.values()):
            raise ParameterError("parameter_invalid", f"Invalid hash: {path}", path)
        return value
    return _read_scalar(value, declared, path)


def _read_any_of(value: Any, choices: tuple[Any, ...], path: str) -> Any:
    """The first type that fits; `Literal | str` is closed to its literals, and the SDK's objects are left out."""
    kept = [choice for choice in choices if "UntypedStripeObject" not in str(choice)]
    if any(get_origin(choice) is Literal and get_args(choice) != ("",) for choice in kept):
        kept = [choice for choice in kept if choice is not str]
    fault: ParameterError | None = None
    for choice in kept:
        try:
            return _read(value, choice, path)
        except ParameterError as error:
            fault = error
    raise fault or ParameterError("parameter_invalid", f"Invalid {path}", path)


def _read_list(value: Any, declared: Any, path: str) -> list[Any]:
    if not isinstance(value, dict) or [*value] != [str(index) for index in range(len(value))]:
        raise ParameterError("parameter_invalid", f"Invalid array: {path}", path)
    return [_read(inner, declared, _join(path, index)) for index, inner in value.items()]


def _read_scalar(value: Any, declared: Any, path: str) -> Any:
    if not isinstance(value, str):
        raise ParameterError("parameter_invalid", f"Invalid {path}", path)
    if declared is str:
        return value
    if declared is bool:
        if value in {"true", "false"}:
            return value == "true"
        raise ParameterError("parameter_invalid_boolean", f"Invalid boolean: {value}", path)
    try:
        return int(value) if declared is int else Decimal(value)
    except (ValueError, InvalidOperation) as error:
        raise ParameterError("parameter_invalid_integer", f"Invalid integer: {value}", path) from error
