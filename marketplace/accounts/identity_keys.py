"""Our keys in the identity federations lie in one file, newest first; a new one is published before it signs."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from joserfc.jwk import RSAKey

FILE: Final = "keys.json"
FEDERATION, SIGNATURE, ENCRYPTION = "federation", "sig", "enc"
KINDS: Final = (FEDERATION, SIGNATURE, ENCRYPTION)
SIZE: Final = 3072
KNOWN_AFTER: Final = timedelta(hours=48)  # by then everybody has read our configuration again


@dataclass(frozen=True)
class Keys:
    """Private keys by kind, newest first, each with the instant of its making."""

    by_kind: Mapping[str, tuple[tuple[datetime, RSAKey], ...]]

    def signer(self, now: datetime) -> RSAKey:
        """What signs our requests: the newest that all have had time to read, else the oldest."""
        mine = self.by_kind[SIGNATURE]
        return next((key for made, key in mine if now - made >= KNOWN_AFTER), mine[-1][1])

    @property
    def federation(self) -> RSAKey:
        """What signs our configuration: the oldest, until the trust anchor knows the newer and this one is retired."""
        return self.by_kind[FEDERATION][-1][1]

    @property
    def openers(self) -> list[RSAKey]:
        """What opens what was encrypted for us."""
        return [key for _made, key in self.by_kind[ENCRYPTION]]

    def published(self, *kinds: str) -> dict[str, Any]:
        """The public halves; of encryption's only the newest, so that nobody uses an older one any more."""
        found = []
        for kind in kinds:
            for _made, key in self.by_kind[kind][: 1 if kind == ENCRYPTION else None]:
                use = {} if kind == FEDERATION else {"use": kind}
                found.append({**key.as_dict(private=False), "kid": key.thumbprint(), **use})
        return {"keys": found}


def read_keys(folder: Path) -> Keys:
    """The keys of a folder; raises FileNotFoundError before `make_keys`."""
    stored = json.loads((folder / FILE).read_text())
    return Keys(
        {
            kind: tuple((datetime.fromisoformat(one["made_at"]), RSAKey.import_key(one["key"])) for one in stored[kind])
            for kind in KINDS
        }
    )


def make_keys(folder: Path, now: datetime) -> Keys:
    """The folder's keys, made if there are none."""
    if not (folder / FILE).exists():
        _write(folder, {kind: [_new(now)] for kind in KINDS})
    return read_keys(folder)


def rotate(folder: Path, now: datetime, kind: str) -> Keys:
    """A new key in front of the others of its kind, which stay."""
    stored = json.loads((folder / FILE).read_text())
    stored[kind].insert(0, _new(now))
    _write(folder, stored)
    return read_keys(folder)


def retire(folder: Path, kind: str) -> Keys:
    """Only the newest of a kind stays."""
    stored = json.loads((folder / FILE).read_text())
    stored[kind] = stored[kind][:1]
    _write(folder, stored)
    return read_keys(folder)


def _new(now: datetime) -> dict[str, Any]:
    return {"made_at": now.isoformat(), "key": RSAKey.generate_key(SIZE).as_dict(private=True)}


def _write(folder: Path, stored: Mapping[str, Any]) -> None:
    """All or nothing, for the service alone to read."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{FILE}.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(stored))
    draft.replace(folder / FILE)
