"""A row of needs is a household (one a tax code), somebody in it (by age and class) and what is asked for them."""

from uuid import UUID

from sqlmodel import col, select

from marketplace.accounts.models import Appointment, Role
from marketplace.households.models import Household, MeansTest, MeansTestState, Person
from marketplace.intake.rows import NeedRow
from marketplace.intake.storing import Change, Intake, Values, as_json, change, plain
from marketplace.needs.models import Need, NeedState, Service
from marketplace.sealed import keyring

PersonKey = tuple[UUID, int | None, int | None]
AGREED = (NeedState.PROPOSED, NeedState.SERVED)


class Families:
    """The households of a municipality and their needs, by code.

    What several rows say of one household is taken from the first of them, so that the same file twice changes nothing.
    What a family was offered or has accepted stands, its address too: a file changes it again when that is over.
    """

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.households = {row.id: row for row in intake.all_of(Household)}
        self.by_tax_code = {row.tax_code_index: row for row in self.households.values() if row.tax_code_index}
        self.needs = {row.code: row for row in intake.all_of(Need)}
        self.people = {row.id: row for row in intake.all_of(Person)}
        self.person_of: dict[PersonKey, Person] = {}
        for need in self.needs.values():
            self.person_of.setdefault((need.household_id, need.age, need.level), self.people[need.person_id])
        self.tests: dict[UUID, MeansTest] = {}
        for test in sorted(intake.all_of(MeansTest), key=lambda row: (row.created_at, row.id)):
            self.tests[test.household_id] = test
        self.told: set[UUID] = set()
        self.agreed = {need.household_id for need in self.needs.values() if need.state in AGREED}
        self.joined = set(
            intake.session.exec(
                select(Appointment.household_id).where(
                    Appointment.municipality_id == intake.municipality_id, col(Appointment.role) == Role.FAMILY
                )
            )
        )

    def put(self, record: NeedRow) -> Change:
        """Bring in one need, with its family."""
        found = self.needs.get(record.code)
        if found and found.state in AGREED:
            return self._keep(record, found)
        household, changed = self._household(record, found)
        person = self._person(record, household, found)
        values = self._values(record, household, person)
        if found:
            changed = change(found, **values) or changed
            return Change.CHANGED if changed else Change.SAME
        need = Need(municipality_id=self.intake.municipality_id, code=record.code, created_at=self.intake.now, **values)
        self.intake.add(need)
        self.needs[record.code] = need
        return Change.NEW

    def _keep(self, record: NeedRow, need: Need) -> Change:
        """A need that has a proposal or a place: its row changes how the family is reached and its means, no more."""
        household = self.households[need.household_id]
        known = self._known(record.tax_code)
        is_its_own = known is household or record.tax_code is None or not (known or household.tax_code_index)
        changed = is_its_own and self._tell(record, household)
        wanted = self._values(record, household, self.people[need.person_id])
        if not is_its_own or any(getattr(need, name) != value for name, value in wanted.items()):
            return Change.KEPT
        return Change.CHANGED if changed else Change.SAME

    def _household(self, record: NeedRow, need: Need | None) -> tuple[Household, bool]:
        """The household of the tax code, else the one that the need has; and whether the row changed it."""
        household = self._known(record.tax_code)
        if household is None and need is not None:
            present = self.households[need.household_id]
            household = present if record.tax_code is None or present.tax_code_index is None else None
        if household is None:
            values = self._reached(record) | self._lives(record)
            household = Household(municipality_id=self.intake.municipality_id, created_at=self.intake.now, **values)
            self.households[household.id] = household
            self._tax_code(household, record)
            self.intake.add(household)
        return household, self._tell(record, household)

    def _known(self, tax_code: str | None) -> Household | None:
        """Whose tax code it is, whichever key its index was made with."""
        indexes = keyring.indexes(tax_code) if tax_code else []
        return next((self.by_tax_code[index] for index in indexes if index in self.by_tax_code), None)

    def _tell(self, record: NeedRow, household: Household) -> bool:
        """Take what the household's first row says of it; whether that changed anything."""
        changed = self._tax_code(household, record)
        if household.id in self.told:
            return changed
        self.told.add(household.id)
        lives = {} if household.id in self.agreed else self._lives(record)
        changed = change(household, **self._reached(record), **lives) or changed
        return self._means(record, household) or changed

    def _reached(self, record: NeedRow) -> Values:
        return {
            "family_name": record.surname,
            "given_name": record.name,
            "email": record.email,
            "phone": record.phone,
        }

    def _lives(self, record: NeedRow) -> Values:
        return {"address": record.address.words(), "lat": record.address.lat, "lon": record.address.lon}

    def _tax_code(self, household: Household, record: NeedRow) -> bool:
        if record.tax_code is None or household.tax_code_index is not None:
            return False
        household.tax_code, household.tax_code_index = record.tax_code, keyring.index(record.tax_code)
        self.by_tax_code[household.tax_code_index] = household
        return True

    def _means(self, record: NeedRow, household: Household) -> bool:
        """A dated row where the declared ISEE is another than the one that stands; one no longer declared lapses.

        What a family that has signed in declared by itself is not undone by a file that does not know it.
        """
        newest = self.tests.get(household.id)
        stands = newest is not None and newest.state is not MeansTestState.REFUSED
        if record.isee_cents is None:
            if newest is None or not stands or household.id in self.joined:
                return False
            state, cents = MeansTestState.REFUSED, newest.isee_cents
        else:
            state, cents = MeansTestState.DECLARED, str(record.isee_cents)
            valid = newest is not None and newest.valid_until >= self.intake.today
            if newest is not None and stands and valid and newest.isee_cents == cents:
                return False
        test = MeansTest(
            municipality_id=household.municipality_id,
            household_id=household.id,
            isee_cents=cents,
            state=state,
            valid_until=self.intake.today.replace(month=12, day=31),
            decided_by=self.intake.by.user_id if state is MeansTestState.REFUSED else None,
            created_at=self.intake.now,
        )
        self.intake.add(test)
        self.tests[household.id] = test
        return True

    def _person(self, record: NeedRow, household: Household, need: Need | None) -> Person:
        """Who of the household is meant: by age and class; one whose only need has changed has changed too."""
        key = (household.id, record.age, record.level)
        if need and (need.household_id, need.age, need.level) == key:
            return self.people[need.person_id]
        known = self.person_of.get(key)
        if known:
            return known
        alone = need is not None and sum(one.person_id == need.person_id for one in self.needs.values()) == 1
        if need is not None and alone and need.household_id == household.id:
            person = self.people[need.person_id]
            person.age, person.age_on, person.level = record.age, self.intake.today, record.level
        else:
            person = Person(
                municipality_id=household.municipality_id,
                household_id=household.id,
                age=record.age,
                age_on=self.intake.today,
                level=record.level,
                languages=list(record.languages),
                created_at=self.intake.now,
            )
            self.intake.add(person)
            self.people[person.id] = person
        self.person_of[key] = person
        return person

    def _values(self, record: NeedRow, household: Household, person: Person) -> Values:
        at_home = (record.address.lat, record.address.lon) == (household.lat, household.lon)
        return {
            "household_id": household.id,
            "person_id": person.id,
            "address": None if at_home else record.address.words(),
            "lat": None if at_home else record.address.lat,
            "lon": None if at_home else record.address.lon,
            "service": Service(record.service),
            "seats": record.seats,
            "sessions": record.sessions,
            "minutes": record.minutes,
            "windows": as_json(record.windows),
            "travel_km_max": plain(record.travel_km_max),
            "host_seats": record.host_seats,
            "topic": record.topic,
            "level": record.level,
            "age": record.age,
            "languages": list(record.languages),
            "group_max": record.group_max,
            "price_max_cents_per_hour": record.price_max_cents_per_hour,
            "notes": record.note,
        }
