"""The city and the confirmed groups of the tests of slots."""

from tests.slots.conftest import city, confirm

__all__ = ["city", "confirm"]
