"""The same play twice: a short one in every run of the tests, a long one by `make faults`."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from tests.faults.months import Months

COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True, "database": None}
SHORT = settings(max_examples=5, stateful_step_count=14, derandomize=True, **COMMON)
LONG = settings(max_examples=150, stateful_step_count=40, **COMMON)


@pytest.mark.slow
def test_the_books_agree_whatever_some_months_bring(engine: Engine) -> None:
    run_state_machine_as_test(lambda: Months(engine), settings=SHORT)


@pytest.mark.long
def test_the_books_agree_whatever_many_months_bring(engine: Engine) -> None:
    run_state_machine_as_test(lambda: Months(engine), settings=LONG)
