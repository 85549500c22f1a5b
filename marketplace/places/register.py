"""An address as people write it is in the register exactly, or a near one is taken and said to be guessed.

Streets compare folded (case, accents and punctuation do not count); similarity is that of pg_trgm:
common trigrams over all trigrams of both (https://www.postgresql.org/docs/current/pgtrgm.html).
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from marketplace.errors import Rejected
from marketplace.words import N_

SIMILARITY_MIN = Fraction(6, 10)
LEAD_MIN = Fraction(1, 10)
TEXT_CHARACTERS_MAX = 300
_EXPONENT = re.compile(r"[a-z]|[0-9]{1,3}|[a-z][0-9]{1,2}|[0-9]{1,2}[a-z]|(?:bis|ter|quater|quinquies)[a-z]?")
_NUMBER_SIGN = re.compile(r"(?<![0-9/] )(?<![0-9/])\b(?:n|nr|nro|n\.ro|num|numero|civ|civico)\b[ .°º]*(?=[0-9])")
_SMALL_WORDS = frozenset(
    {
        "a", "al", "alla", "alle", "agli", "ai", "con", "da", "dal", "dalla", "dei", "degli", "del", "dell", "della",
        "delle", "dello", "di", "e", "in", "la", "le", "lo", "nel",
    }
)  # fmt: skip
_ROMAN = frozenset({"ii", "iii", "iv", "vi", "vii", "viii", "ix", "xi", "xii", "xx", "xxii", "xxiii", "xxiv", "xxv"})
_PLACE_WORD = re.compile(r"\b(?:frazione|fraz|fr|localita|loc|sobborgo|quartiere)\b ?")


class UnknownAddress(Rejected):
    """No street of the register is the one written, or near enough."""


class AmbiguousAddress(Rejected):
    """The street is in several localities, and the text does not say which."""


@dataclass(frozen=True, slots=True)
class HouseNumber:
    """An address of the register, names as it writes them, with WGS84 coordinates."""

    street: str
    locality: str
    number: int
    exponent: str
    lat: float
    lon: float

    def __str__(self) -> str:
        exponent = f"/{self.exponent}" if self.exponent else ""
        return f"{self.street} {self.number}{exponent}" + (f", {self.locality}" if self.locality else "")

    def words(self) -> str:
        """The address as people write it: `Via Dazio 90/H, Valle San Bartolomeo`."""
        return capitalise(str(self))


def capitalise(address: str) -> str:
    """A street, or a whole address, in capitals as people write them."""
    return re.sub(r"[^\W\d_]+", _capitalised, address)


def _capitalised(word: re.Match[str]) -> str:
    """A word of an address: small ones in lower case, Roman numerals and exponents in capitals."""
    text = word[0].lower()
    if word.start() and text in _SMALL_WORDS:
        return text
    return text.upper() if text in _ROMAN or len(text) == 1 else text.capitalize()


@dataclass(frozen=True, slots=True)
class Found:
    """An address of the register; `guessed` when it is not exactly the one written."""

    address: HouseNumber
    guessed: bool


@dataclass(frozen=True, slots=True)
class _Written:
    """One way to part a cell: street, number, exponents, locality, and words that say nothing to us."""

    street: str
    number: int
    after: tuple[str, ...]
    locality: str | None = None


@dataclass(slots=True)
class _Street:
    houses: dict[tuple[int, str], HouseNumber] = field(default_factory=dict)

    def nearest(self, number: int, exponent: str) -> HouseNumber:
        return min(
            self.houses.items(),
            key=lambda house: (abs(house[0][0] - number), house[0][0], house[0][1] != exponent, house[0][1]),
        )[1]


def fold(text: str) -> str:
    """Lower case without accents, one space between words, a plain hyphen for every dash."""
    plain = unicodedata.normalize("NFKD", re.sub(r"[‐-―−]", "-", text).casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def fold_street(text: str) -> str:
    """A street's or locality's name as it is compared: folded, only letters and digits, one space between words."""
    return " ".join(re.findall(r"[^\W_]+", fold(text)))


def trigrams(text: str) -> frozenset[str]:
    """The trigrams of a folded text as pg_trgm takes them: each word with two spaces before and one after."""
    padded = (f"  {word} " for word in text.split())
    return frozenset(word[i : i + 3] for word in padded for i in range(len(word) - 2))


class Register:
    """A municipality's addresses, held so that 100,000 of them answer in well under a millisecond each."""

    def __init__(self, addresses: Iterable[HouseNumber], municipality: str = "", province: str = "") -> None:
        self._streets: dict[str, dict[str, _Street]] = {}
        self._names: dict[str, tuple[str, str]] = {}
        self._ignored = {fold_street(municipality), fold_street(province)} - {""}
        localities: dict[str, str] = {}
        folded: dict[str, str] = {}
        for address in addresses:
            street = folded.get(address.street) or folded.setdefault(address.street, fold_street(address.street))
            if address.locality not in localities:
                localities[address.locality] = fold_street(address.locality)
            houses = self._streets.setdefault(street, {}).setdefault(localities[address.locality], _Street()).houses
            houses.setdefault((address.number, fold_exponent(address.exponent)), address)
        self._localities = frozenset(localities.values()) - {""}

    @cached_property
    def _grams(self) -> dict[str, list[str]]:
        index: dict[str, list[str]] = defaultdict(list)
        for name in self._streets:
            for gram in trigrams(name):
                index[gram].append(name)
        return index

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {name: len(trigrams(name)) for name in self._streets}

    def find(self, text: str) -> Found:
        """The address that a cell names. Raises UnknownAddress or AmbiguousAddress."""
        plain = _NUMBER_SIGN.sub(" ", fold(text[:TEXT_CHARACTERS_MAX]))
        ways = list(self._ways(fold_street(plain)))
        if not ways:
            raise UnknownAddress(
                N_("Nell'indirizzo «%(cell)s» manca il numero civico: scrivilo dopo la via."),
                cell=text,
            )
        for way in ways:
            if way.street in self._streets:
                return self._house(way, text, near=False)
        scored = [(self._closest(way), way) for way in ways]
        (name, similarity, lead), way = max(
            scored, key=lambda one: one[0][1], default=(("", Fraction(), Fraction()), ways[0])
        )
        if similarity < SIMILARITY_MIN or lead < LEAD_MIN:
            raise self._unknown(text, name, similarity)
        return self._house(_Written(name, way.number, way.after, way.locality), text, near=True)

    def _ways(self, plain: str) -> Iterator[_Written]:
        """Every way to take one of the cell's numbers for the house number, the last first, plain streets first."""
        numbers = [
            match for match in re.finditer(r"(?<![^\W_])[0-9]{1,6}(?![0-9])", plain) if plain[: match.start()].strip()
        ]
        with_locality: list[_Written] = []
        for match in reversed(numbers):
            street = plain[: match.start()].strip()
            number, after = int(match[0]), tuple(plain[match.end() :].split())
            yield _Written(street, number, after)
            words = street.split()
            for cut in range(1, len(words)):
                left, right = " ".join(words[:cut]), " ".join(words[cut:])
                if (place := _PLACE_WORD.sub("", left).strip()) in self._localities:
                    with_locality.append(_Written(right, number, after, place))
                if (place := _PLACE_WORD.sub("", right).strip()) in self._localities:
                    with_locality.append(_Written(left, number, after, place))
        yield from with_locality

    def _house(self, way: _Written, text: str, near: bool) -> Found:
        exponent, locality, unread = self._tail(way)
        street, moved = self._street(way.street, locality, text)
        houses = street.houses
        exact = houses.get((way.number, exponent))
        if exact:
            return Found(exact, near or moved or unread)
        return Found(street.nearest(way.number, exponent), guessed=True)

    def _tail(self, way: _Written) -> tuple[str, str | None, bool]:
        """What follows the number: the exponent, the locality, and whether something was left that we cannot read."""
        words = [word for word in way.after if not re.fullmatch(r"[0-9]{5}", word)]
        count = 0
        while count < min(2, len(words)) and _EXPONENT.fullmatch(words[count]):
            count += 1
        exponents = "".join(words[:count])
        rest = _PLACE_WORD.sub("", " ".join(words[count:])).strip()
        locality = way.locality
        for end in range(len(rest), 0, -1):
            if rest[:end] in self._localities and (end == len(rest) or rest[end] == " "):
                locality, rest = rest[:end], rest[end:].strip()
                break
        for name in sorted(self._ignored, key=len, reverse=True):
            rest = re.sub(rf"\b{re.escape(name)}\b", "", rest).strip()
        return exponents, locality, bool(rest)

    def _street(self, name: str, locality: str | None, text: str) -> tuple[_Street, bool]:
        """The street of that name in the locality, and whether another locality's was taken for want of choice."""
        here = self._streets[name]
        if locality in here:
            return here[locality], False
        if locality and locality in (there := self._streets.get(f"{name} di {locality}", {})):
            return there[locality], True
        if len(here) == 1:
            return next(iter(here.values())), locality is not None
        if "" in here and locality is None:
            return here[""], False
        places = sorted(next(iter(street.houses.values())).locality for street in here.values())
        raise AmbiguousAddress(
            N_("«%(cell)s» c'è in più località (%(places)s): aggiungi la località dopo una virgola."),
            cell=text,
            places=", ".join(places),
        )

    def _closest(self, way: _Written) -> tuple[str, Fraction, Fraction]:
        """The street's name most like the one written, how much, and by how much ahead of the next."""
        locality = way.locality or self._tail(way)[1]
        ranked = self._ranked(way.street)
        local = [one for one in ranked if locality in self._streets[one[1]]] if locality else []
        if local and local[0][0] >= SIMILARITY_MIN:
            ranked = local
        if not ranked:
            return "", Fraction(), Fraction()
        best, name = ranked[0]
        return name, best, best - ranked[1][0] if len(ranked) > 1 else best

    def _ranked(self, street: str) -> list[tuple[Fraction, str]]:
        mine = trigrams(street)
        common = Counter(name for gram in mine for name in self._grams.get(gram, ()))
        scores = ((Fraction(count, len(mine) + self._sizes[name] - count), name) for name, count in common.items())
        return sorted(scores, key=lambda one: (-one[0], one[1]))

    def _unknown(self, text: str, name: str, similarity: Fraction) -> UnknownAddress:
        if similarity < Fraction(3, 10):
            return UnknownAddress(
                N_("L'indirizzo «%(cell)s» non è nello stradario: controlla via e numero civico."),
                cell=text,
            )
        return UnknownAddress(
            N_("L'indirizzo «%(cell)s» non è nello stradario: controlla la via. La più simile è «%(near)s»."),
            cell=text,
            near=name,
        )


def fold_exponent(text: str) -> str:
    """An exponent as it is compared: letters and digits only."""
    if (text.isascii() and text.isalnum()) or not text:
        return text.lower()
    return fold_street(text).replace(" ", "")
