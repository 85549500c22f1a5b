"""What a family says of itself, once it is checked: immutable, each in its unit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Home:
    """An address in words and where it is (WGS84)."""

    address: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who answers for the household, and how to reach them."""

    given_name: str
    family_name: str
    tax_code: str
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """Somebody who needs care; `level` is the school class 1-13, None for who is not at school."""

    name: str
    age: int
    level: int | None
    languages: tuple[str, ...] = ("it",)
