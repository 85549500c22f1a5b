"""An instance as its JSON object: what is read of it again is the same instance."""

from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

from matching.instance import Instance, Mode, Need, PinnedSlot, Service
from matching.plan_format import place_to_json


def instance_to_json(instance: Instance) -> dict[str, Any]:
    """The instance as its JSON object; decimals become doubles, a pinned member's money its being subsidised or not."""
    return {
        "format": "instance/1",
        "name": instance.name,
        "grid_minutes": instance.grid_minutes,
        "policy": _plain(instance.policy),
        "services": {name: _service(service) for name, service in instance.services.items()},
        "programmes": [_plain(programme) for programme in instance.programmes.values()],
        "needs": [need_to_json(need) for need in instance.needs.values()],
        "providers": [_as_object(provider) for provider in instance.providers.values()],
        "venues": [_as_object(venue) for venue in instance.venues.values()],
        "pinned": [_pinned(slot) for slot in instance.pinned],
    }


def need_to_json(need: Need) -> dict[str, Any]:
    """One need as its JSON object."""
    return _as_object(need)


def _as_object(value: Any) -> dict[str, Any]:
    """A dataclass by its fields (`dataclasses.asdict` copies all of them deeply, which takes most of a second)."""
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    """A field's value as JSON has it."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return _as_object(value) if is_dataclass(value) else value


def _service(service: Service) -> dict[str, Any]:
    fields = {key: value for key, value in _as_object(service).items() if value is not None}
    return fields | {"mode": Mode(service.mode).value}


def _pinned(slot: PinnedSlot) -> dict[str, Any]:
    members = [
        {
            "need": one.need,
            "start": one.start,
            "end": one.end,
            "share_cents": int(one.subsidised),
            "subsidy_cents": int(one.subsidised),
        }
        for one in slot.members
    ]
    return {
        "id": slot.id,
        "provider": slot.provider,
        "service": slot.service,
        "place": place_to_json(slot.place),
        "day": slot.day,
        "start": slot.start,
        "end": slot.end,
        "cost_cents": sum(one["share_cents"] for one in members),
        "members": members,
    }
