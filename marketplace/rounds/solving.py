"""What a round was asked and what it answered are kept as canonical JSON: anyone entitled can check it again."""

import gzip
import hashlib
import json
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from marketplace.rounds.instances import Json, build_instance
from marketplace.rounds.models import Round, RoundState
from marketplace.slots.calendar import local_day


def prepare(session: Session, municipality_id: str, now: datetime, round_id: UUID) -> None:
    """Keep the instance of a round that is being prepared; from then on it is `solving`."""
    found = session.get(Round, (municipality_id, round_id), with_for_update=True, populate_existing=True)
    if found is None or found.state != RoundState.PREPARING:
        return
    text = canonical(build_instance(session, municipality_id, local_day(now)))
    found.instance_gz, found.instance_sha256 = packed(text), hashlib.sha256(text).hexdigest()
    found.state = RoundState.SOLVING


def canonical(content: Json) -> bytes:
    """Canonical JSON (matching.md): equal content gives equal bytes."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def packed(text: bytes) -> bytes:
    """Gzipped, the same bytes for the same text."""
    return gzip.compress(text, mtime=0)


def unpacked(stored: bytes) -> Json:
    """The JSON of what `packed` has packed."""
    found: Json = json.loads(gzip.decompress(stored))
    return found
