"""The city of the statements' tests, and Stripe's stand-in behind it."""

from tests.statements.conftest import city, stand_in

__all__ = ["city", "stand_in"]
