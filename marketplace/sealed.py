"""What must not be read from the disk is encrypted in its column; what is searched has a keyed, blind index.

The keys come from the setting SECRET_KEYS (comma separated, newest first): old ones still open, the newest seals.
"""

import base64
import hashlib
import hmac
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Keyring:
    """The keys of this process; `unlock` is called once by whoever starts it."""

    def __init__(self) -> None:
        self._fernet: MultiFernet | None = None
        self._index_key = b""

    def unlock(self, secrets: list[str]) -> None:
        """Take `secrets`, newest first; the oldest keys the blind indexes, so that they outlive a rotation."""
        digests = [hashlib.sha256(f"seal:{secret}".encode()).digest() for secret in secrets]
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
        self._index_key = hashlib.sha256(f"index:{secrets[-1]}".encode()).digest()

    def seal(self, plain: bytes) -> bytes:
        """Encrypt with the newest key."""
        return self._open_ring().encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt with whichever key sealed it."""
        return self._open_ring().decrypt(sealed)

    def index(self, plain: str) -> bytes:
        """The blind index of a folded text: equal texts, equal bytes; without the key it says nothing."""
        self._open_ring()
        return hmac.new(self._index_key, plain.strip().upper().encode(), hashlib.sha256).digest()

    def _open_ring(self) -> MultiFernet:
        if self._fernet is None:
            raise RuntimeError("the keyring is locked: call keyring.unlock() first")
        return self._fernet


keyring = Keyring()


class SealedText(TypeDecorator[str]):
    """A text that lies encrypted in the database."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else keyring.seal(value.encode())

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else keyring.open(bytes(value)).decode()


class SealedBytes(TypeDecorator[bytes]):
    """A document that lies encrypted in the database."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else keyring.seal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        return None if value is None else keyring.open(bytes(value))
