"""What a family is told of its money: all its people, each in its language and by the way that it chose."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from marketplace.households.addresses import addresses_of
from marketplace.messages.operations import tell

NOTHING: Mapping[str, Any] = {}


def tell_household(
    session: Session,
    now: datetime,
    household: tuple[str, UUID],
    key: str,
    words: tuple[str, str],
    values: Callable[[str], Mapping[str, Any]] = lambda locale: NOTHING,
) -> None:
    """Send `words` (subject and body, marked by N_) once per `key` to each of a household (its row's key).

    `values` fills the places of `words`, for a language.
    """
    municipality_id, household_id = household
    for to in addresses_of(session, {municipality_id}, [household_id])[household_id]:
        tell(session, municipality_id, now, to, f"{key} {to.mark}"[:200], *words, values(to.locale))
