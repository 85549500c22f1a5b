"""Which means test counts on a day: the newest that was known; the last verified one holds a while longer."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.households.models import MeansTest, MeansTestState


def counting_on(tests: Iterable[MeansTest], day: date, as_of: datetime | None = None) -> MeansTest | None:
    """Of a household's means tests, in the order in which they were made, the one that counts on a day.

    `as_of`: only what was known then. A refused one ends what was before it; without a new one, a verified ISEE holds
    provisionally to 31 March of the year after.
    """
    found: MeansTest | None = None
    for test in tests:
        if test.valid_from <= day and (as_of is None or test.created_at <= as_of):
            found = None if test.state == MeansTestState.REFUSED or not test.counts_on(day) else test
    return found


def list_means_tests(
    session: Session, municipality_id: str, households: Collection[UUID] | None = None
) -> Mapping[UUID, list[MeansTest]]:
    """The means tests of households (None: of all), by household, in the order in which they were made."""
    wanted = select(MeansTest).where(MeansTest.municipality_id == municipality_id)
    if households is not None:
        wanted = wanted.where(col(MeansTest.household_id).in_(households))
    found: dict[UUID, list[MeansTest]] = defaultdict(list)
    for test in session.exec(wanted.order_by(col(MeansTest.created_at), col(MeansTest.id))):
        found[test.household_id].append(test)
    return found
