"""SMS: words in the alphabet of one message of 160 letters, numbers as the network knows them, who carries them.

The alphabet is GSM 03.38 (3GPP TS 23.038, 6.2.1); one letter outside it would make a message of 70.
"""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import requests

LETTERS: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
OTHERWISE: Final = {
    "’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "–": "-", "—": "-", "…": "...", "€": "euro",
    "È": "E'", "À": "A'", "Ì": "I'", "Ò": "O'", "Ù": "U'", "\u00a0": " ", "\u202f": " ",
}  # fmt: skip
LENGTH_MAX: Final = 160
ITALY: Final = "+39"
TIMEOUT_SECONDS: Final = 20


def in_gsm(text: str) -> str:
    """The same words in letters of the alphabet: others lose their accent, or become a question mark."""
    return "".join(_letter(one) for one in text)


def _letter(one: str) -> str:
    if one in LETTERS:
        return one
    if one in OTHERWISE:
        return OTHERWISE[one]
    bare = "".join(part for part in unicodedata.normalize("NFKD", one) if not unicodedata.combining(part))
    return bare if bare and set(bare) <= LETTERS else "?"


def mobile_number(text: str) -> str | None:
    """A mobile number as +39347..., however people write it (Italian without a +); None if it cannot be one."""
    plain = re.sub(r"[ ./()-]", "", text)
    plain = re.sub(r"^00", "+", plain)
    if re.fullmatch(r"3\d{8,9}", plain):
        return ITALY + plain
    if re.fullmatch(r"\+39\d+", plain):
        return plain if re.fullmatch(r"\+393\d{8,9}", plain) else None
    return plain if re.fullmatch(r"\+[1-9]\d{7,14}", plain) else None


class SmsTransport(Protocol):
    """Something that carries an SMS, once for each `key`; raises OSError when it cannot."""

    def __call__(self, number: str, words: str, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class SmsGateway:
    """A provider of SMS over HTTPS: JSON {to, text, id} with a bearer token; the id makes two posts one message."""

    url: str
    token: str

    def __call__(self, number: str, words: str, key: str) -> None:
        answer = requests.post(
            self.url,
            json={"to": number, "text": words, "id": key},
            headers={"Authorization": f"Bearer {self.token}", "Idempotency-Key": key},
            timeout=TIMEOUT_SECONDS,
        )
        answer.raise_for_status()


@dataclass(frozen=True, slots=True)
class SmsFolder:
    """The local stand-in: each SMS is a file of the folder, named by its key, so that twice is once."""

    path: Path

    def __call__(self, number: str, words: str, key: str) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path / f".{key}.draft"
        draft.write_text(f"{number}\n{words}\n")
        draft.replace(self.path / f"{key}.sms")


def signature_of(body: bytes, secret: str) -> str:
    """What the provider puts on an SMS that came in: HMAC-SHA256 of its body, hexadecimal."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
