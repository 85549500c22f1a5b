"""An event is believed only with Stripe's signature on it, at most five minutes from now."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

WEBHOOK_TOLERANCE_SECONDS = 300


class ForgedEventError(Exception):
    """A webhook whose signature or age is wrong, or whose body is no event."""


@dataclass(frozen=True)
class Event:
    """A webhook that Stripe signed: what happened (`type`) to which object, as of `created`."""

    id: str
    type: str
    created: datetime
    object: Mapping[str, Any]


def read_event(payload: bytes, signature: str | None, secret: str, now: datetime) -> Event:
    """The event that a webhook carries; ForgedEventError unless Stripe signed it, at most five minutes from `now`.

    Signature scheme: HMAC-SHA256 with the endpoint's secret over "<t>.<payload>", in the header "t=...,v1=...".
    """
    parts = [part.partition("=") for part in (signature or "").split(",")]
    stamps = [value for name, _, value in parts if name.strip() == "t"]
    if len(stamps) != 1 or not stamps[0].isdecimal() or not stamps[0].isascii():
        raise ForgedEventError("no signature")
    expected = hmac.digest(secret.encode(), stamps[0].encode() + b"." + payload, "sha256").hex()
    given = [value for name, _, value in parts if name.strip() == "v1"]
    if not any(hmac.compare_digest(expected.encode(), value.encode()) for value in given):
        raise ForgedEventError("wrong signature")
    if abs(now.timestamp() - int(stamps[0])) > WEBHOOK_TOLERANCE_SECONDS:
        raise ForgedEventError("too old")
    try:
        body = json.loads(payload)
        return Event(
            str(body["id"]),
            str(body["type"]),
            datetime.fromtimestamp(body["created"], UTC),
            dict(body["data"]["object"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ForgedEventError("not an event") from error
