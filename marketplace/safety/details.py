"""What a report of danger says, whoever writes it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sighting:
    """What somebody writes of a danger."""

    words: str
    about: str = ""
    contact: str = ""
    provider_id: UUID | None = None
