"""What must not be read from the disk is encrypted in its column; what is searched has a keyed, blind index.

The keys come from the setting SECRET_KEYS (comma separated, newest first): every one opens, the first seals.
A sealed value is an envelope: a head with the name of the key and a key of the value's own, wrapped by it, then the
body under the value's own key. Another key means another head; the body stays as it is (`marketplace rotate-keys`).
"""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

FORM: Final = b"\x01"
NAME_BYTES: Final = 8
NONCE_BYTES: Final = 12
OWN_KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
MARK_BYTES: Final = len(FORM) + NAME_BYTES  # says who sealed it
HEAD_BYTES: Final = MARK_BYTES + NONCE_BYTES + OWN_KEY_BYTES + TAG_BYTES
NO_NONCE: Final = bytes(NONCE_BYTES)  # a value's own key encrypts once


class CannotOpen(Exception):
    """None of this process's keys opens it: the key is not in SECRET_KEYS, or the bytes are not as they were."""


@dataclass(frozen=True, slots=True)
class Key:
    """All that is made of one secret of SECRET_KEYS."""

    mark: bytes
    wrapping: AESGCM
    old_form: Fernet
    indexing: bytes


def _key_of(secret: str) -> Key:
    name, wrapping, old, indexing = (
        hashlib.sha256(f"{use}:{secret}".encode()).digest() for use in ("name", "wrap", "seal", "index")
    )
    return Key(FORM + name[:NAME_BYTES], AESGCM(wrapping), Fernet(base64.urlsafe_b64encode(old)), indexing)


def mark_of(secret: str) -> bytes:
    """What all begins with that this secret has sealed."""
    return _key_of(secret).mark


class Keyring:
    """The keys of this process; `unlock` is called once by whoever starts it."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._oldest = ""

    def unlock(self, secrets: list[str]) -> None:
        """Take `secrets`, newest first."""
        self._keys, self._oldest = [_key_of(secret) for secret in secrets], secrets[-1]

    @property
    def mark(self) -> bytes:
        """What all begins with that the newest key has sealed."""
        return self._all()[0].mark

    @property
    def oldest(self) -> str:
        """The last of the secrets."""
        self._all()
        return self._oldest

    def seal(self, plain: bytes) -> bytes:
        """Encrypt under a key of its own, wrapped by the newest."""
        own = os.urandom(OWN_KEY_BYTES)
        return self._head(own) + AESGCM(own).encrypt(NO_NONCE, plain, None)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt with whichever key sealed it. Raises CannotOpen."""
        if not sealed.startswith(FORM):
            return self._open_old_form(sealed)
        own = self._own_key(sealed[:HEAD_BYTES])
        try:
            return AESGCM(own).decrypt(NO_NONCE, sealed[HEAD_BYTES:], None)
        except InvalidTag as problem:
            raise CannotOpen from problem

    def rewrap(self, head: bytes) -> bytes:
        """The head of a value, under the newest key. Raises CannotOpen."""
        return self._head(self._own_key(head))

    def index(self, plain: str) -> bytes:
        """The blind index of a folded text: equal texts, equal bytes; without the key it says nothing."""
        return self.indexes(plain)[0]

    def indexes(self, plain: str) -> list[bytes]:
        """The blind index under every key, newest first: what was written is one of them."""
        return [keyed(key.indexing, plain) for key in self._all()]

    def is_index(self, given: bytes, plain: str) -> bool:
        """Whether `given` is the index of `plain` under any key, in a time that does not tell."""
        return sum(hmac.compare_digest(given, one) for one in self.indexes(plain)) > 0

    def _head(self, own: bytes) -> bytes:
        key, nonce = self._all()[0], os.urandom(NONCE_BYTES)
        return key.mark + nonce + key.wrapping.encrypt(nonce, own, key.mark)

    def _own_key(self, head: bytes) -> bytes:
        mark, nonce, wrapped = head[:MARK_BYTES], head[MARK_BYTES:][:NONCE_BYTES], head[MARK_BYTES + NONCE_BYTES :]
        for key in self._all():
            if key.mark == mark:
                try:
                    return key.wrapping.decrypt(nonce, wrapped, mark)
                except InvalidTag as problem:
                    raise CannotOpen from problem
        raise CannotOpen

    def _open_old_form(self, sealed: bytes) -> bytes:
        """Values of before there were envelopes are Fernet tokens."""
        for key in self._all():
            try:
                return key.old_form.decrypt(sealed)
            except InvalidToken:
                continue
        raise CannotOpen

    def _all(self) -> list[Key]:
        if not self._keys:
            raise RuntimeError("the keyring is locked: call keyring.unlock() first")
        return self._keys


def keyed(key: bytes, plain: str) -> bytes:
    """A hash of a folded text that nobody can make, nor check, without the key."""
    return hmac.new(key, plain.strip().upper().encode(), hashlib.sha256).digest()


def unfolded(plain: str) -> str:
    """For texts in which capitals count, which `index` folds: the same in digits."""
    return plain.encode().hex()


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


class IndexOf(LargeBinary):
    """The blind index of the sealed column `column` of its table; `is_folded`: capitals do not count."""

    def __init__(self, column: str = "", is_folded: bool = True) -> None:
        super().__init__()
        self.column, self.is_folded = column, is_folded

    def index(self, plain: str) -> bytes:
        """As it is written now."""
        return keyring.index(plain if self.is_folded else unfolded(plain))
