"""A member's code shows its group to a neighbour with the price for one more, no name and no home, until revoked."""

import pytest
from sqlmodel import Session

from marketplace.errors import NotFound
from marketplace.slots.invitations import invite, read_invitation, revoke_invitation
from tests.city import CITY, NOW, Group, add_need, family_of, proposal_of, the_slot
from tests.slots.conftest import Confirm


@pytest.fixture
def alone(city: Session, confirm: Confirm) -> Session:
    """n1, alone in a group; n2 is not in it."""
    add_need(city, "n1")
    add_need(city, "n2")
    confirm(Group(["n1"]))
    return city


def test_a_neighbour_reads_the_price_with_one_more_and_no_name(alone: Session) -> None:
    made = invite(alone, family_of(proposal_of(alone, "n1")), NOW, the_slot(alone).id)
    shown = read_invitation(alone, CITY, made.code.upper())
    assert (shown.seats, shown.share_cents, shown.saving_cents) == (1, 1725, 1275)
    assert "Famiglia" not in repr((shown.place, shown.bands, shown.seats))


def test_inviting_twice_is_once_and_a_revoked_code_shows_nothing(alone: Session) -> None:
    by, slot = family_of(proposal_of(alone, "n1")), the_slot(alone).id
    made = invite(alone, by, NOW, slot)
    assert invite(alone, by, NOW, slot).id == made.id
    revoke_invitation(alone, by, NOW, slot)
    revoke_invitation(alone, by, NOW, slot)
    with pytest.raises(NotFound):
        read_invitation(alone, CITY, made.code)
    assert invite(alone, by, NOW, slot).code != made.code


def test_only_who_has_a_place_invites(alone: Session) -> None:
    other = family_of(proposal_of(alone, "n1"))
    stranger = other.__class__(CITY, other.role, household_id=add_need(alone, "n3").household_id)
    with pytest.raises(NotFound):
        invite(alone, stranger, NOW, the_slot(alone).id)


@pytest.mark.parametrize("code", ["", "x", "abcdefghjk"])
def test_an_unknown_code_shows_nothing(alone: Session, code: str) -> None:
    with pytest.raises(NotFound):
        read_invitation(alone, CITY, code)
