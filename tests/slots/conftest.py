"""A city for the tests of slots, and groups of it that are confirmed."""

from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from marketplace.slots.models import Slot
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from tests.city import CITY, NOW, Group, family_of, found_city, proposal_of, proposed, provider_of

Confirm = Callable[..., None]


@pytest.fixture
def city(session: Session) -> Session:
    """A municipality with a venue and a teacher."""
    found_city(session)
    return session


@pytest.fixture
def confirm(city: Session) -> Confirm:
    """Propose these groups and let everybody accept."""

    def confirmed(*groups: Group) -> None:
        found = proposed(city, groups)
        for slot in city.exec(select(Slot).where(Slot.round_id == found.id)).all():
            answer_slot(city, provider_of(slot), NOW, slot.id, True)
        for code in sorted({code for group in groups for code in group.needs}):
            proposal = proposal_of(city, code)
            accept_proposal(city, family_of(proposal), NOW, proposal.id, proposal.cap_cents)
        for slot in city.exec(select(Slot).where(Slot.round_id == found.id)).all():
            settle(city, NOW, CITY, slot.id)

    return confirmed
