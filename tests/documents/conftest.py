"""The city of the statements' tests, whose people have tax codes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session

from marketplace.statements import gateways
from tests.stand_in import StandIn, running
from tests.statements.world import City, build


@pytest.fixture
def city(session: Session) -> City:
    return build(session)


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with running(tmp_path) as up:
        gateways.pay_through(up.gateway)
        yield up
        gateways.pay_through(None)
