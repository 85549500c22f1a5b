"""A family registers, says who needs help and what its ISEE is; a tax code is registered once in a municipality."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from marketplace.accounts.identity import is_proved
from marketplace.accounts.models import Actor, Appointment, Role, User
from marketplace.accounts.operations import record
from marketplace.accounts.sign_in import appoint
from marketplace.db import Scope, seeing, set_scope
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.households.details import Applicant, Home, PersonDetails
from marketplace.households.models import Household, MeansTest, MeansTestState, Person
from marketplace.sealed import keyring
from marketplace.words import N_


class AlreadyRegistered(Conflict):
    """The tax code belongs to a household that this user cannot be shown to be."""

    default = N_(
        "Questo codice fiscale è già registrato. Se ti ha iscritto uno sportello, entra con l'email che hai"
        " lasciato lì; altrimenti scrivi o telefona al Comune."
    )


class PersonHasNeeds(Conflict):
    """Somebody for whom a need was posted is not taken away."""

    default = N_("Per questa persona c'è un'esigenza: prima ritirala, poi potrai togliere la persona.")


def register_household(session: Session, by: Actor, now: datetime, applicant: Applicant, home: Home) -> Household:
    """The household of a user who has none yet, and the user's appointment to it.

    A household that an office or a file had registered is joined when its tax code and its e-mail are the user's own,
    the latter confirmed. Raises AlreadyRegistered.
    """
    user = session.get_one(User, by.user_id)
    session.exec(select(User.id).where(User.id == user.id).with_for_update())
    household = _find_own(session, by, user) or _join(session, by, user, applicant)
    if household is None:
        household = _create(session, by, now, applicant, home)
        record(session, by, now, "register_household", "household", household.id)
    user.name = user.name or f"{applicant.given_name} {applicant.family_name}"
    appoint(session, now, user.id, by.municipality_id, Role.FAMILY, household_id=household.id)
    session.flush()
    return household


def _find_own(session: Session, by: Actor, user: User) -> Household | None:
    """The household that a first tap has already registered."""
    mine = session.exec(
        select(Appointment.household_id).where(
            Appointment.user_id == user.id,
            Appointment.municipality_id == by.municipality_id,
            Appointment.role == Role.FAMILY,
            col(Appointment.ended_at).is_(None),
        )
    ).first()
    if mine is None:
        return None
    set_scope(session, Scope(by.municipality_id, mine))
    return session.get(Household, (by.municipality_id, mine))


def _join(session: Session, by: Actor, user: User, applicant: Applicant) -> Household | None:
    """The household of that tax code, if the user has proved to be the one that it names."""
    with seeing(session, Scope(by.municipality_id)):
        found = session.exec(
            select(Household).where(
                Household.municipality_id == by.municipality_id,
                col(Household.tax_code_index).in_(keyring.indexes(applicant.tax_code)),
            )
        ).first()
    if found is None:
        return None
    is_reached = user.confirmed_at is not None and (found.email or "").casefold() == user.email.casefold()
    if not is_reached and not is_proved(session, user.id, applicant.tax_code):
        raise AlreadyRegistered
    set_scope(session, Scope(by.municipality_id, found.id))
    return found


def _create(session: Session, by: Actor, now: datetime, applicant: Applicant, home: Home) -> Household:
    household_id = uuid7()
    set_scope(session, Scope(by.municipality_id, household_id))
    household = Household(
        municipality_id=by.municipality_id,
        id=household_id,
        family_name=applicant.family_name,
        given_name=applicant.given_name,
        tax_code=applicant.tax_code,
        tax_code_index=keyring.index(applicant.tax_code),
        email=applicant.email,
        phone=applicant.phone,
        address=home.address,
        lat=home.lat,
        lon=home.lon,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(household)
    except IntegrityError as error:  # somebody else registered it between our look and our write
        raise AlreadyRegistered from error
    return household


def get_household(session: Session, by: Actor) -> Household:
    """The actor's own household. Raises NotFound."""
    found = session.get(Household, (by.municipality_id, by.household_id)) if by.household_id else None
    if found is None:
        raise NotFound
    return found


def change_contacts(session: Session, by: Actor, now: datetime, email: str | None, phone: str | None) -> None:
    """Where the household is reached from now on."""
    household = get_household(session, by)
    household.email, household.phone = email, phone
    record(session, by, now, "change_contacts", "household", household.id)
    session.flush()


def choose_letters(session: Session, by: Actor, now: datetime, *, wanted: bool) -> None:
    """From now on the household's messages come on paper, or again by e-mail or SMS."""
    household = get_household(session, by)
    household.by_letter = wanted
    record(session, by, now, "choose_letters", "household", household.id, wanted=wanted)
    session.flush()


def move_home(session: Session, by: Actor, now: datetime, home: Home) -> None:
    """Where the household lives from now on; what stands is not matched anew."""
    household = get_household(session, by)
    household.address, household.lat, household.lon = home.address, home.lat, home.lon
    record(session, by, now, "move_home", "household", household.id)
    session.flush()


def list_people(session: Session, by: Actor) -> list[Person]:
    """The household's people in the order in which they were added."""
    return list(
        session.exec(
            select(Person)
            .where(Person.municipality_id == by.municipality_id, Person.household_id == by.household_id)
            .order_by(col(Person.created_at), col(Person.id))
        )
    )


def get_person(session: Session, by: Actor, person_id: UUID) -> Person:
    """One of the household's own people. Raises NotFound."""
    found = session.get(Person, (by.municipality_id, person_id))
    if found is None or found.household_id != by.household_id:
        raise NotFound
    return found


def add_person(session: Session, by: Actor, now: datetime, today: date, details: PersonDetails) -> Person:
    """Somebody more who needs care; the same person told twice is one."""
    household = get_household(session, by)
    session.exec(select(Household.id).where(Household.id == household.id).with_for_update())
    twin = next((one for one in list_people(session, by) if _is_same(one, details, today)), None)
    if twin is not None:
        return twin
    person = Person(
        municipality_id=by.municipality_id,
        household_id=household.id,
        name=details.name,
        age=details.age,
        age_on=today,
        level=details.level,
        languages=list(details.languages),
        created_at=now,
    )
    session.add(person)
    record(session, by, now, "add_person", "person", person.id)
    session.flush()
    return person


def _is_same(person: Person, details: PersonDetails, today: date) -> bool:
    return (person.name.casefold(), person.age_at(today), person.level) == (
        details.name.casefold(),
        details.age,
        details.level,
    )


def change_person(
    session: Session, by: Actor, now: datetime, today: date, person_id: UUID, details: PersonDetails
) -> None:
    """Name, age and class as they are today; needs already posted keep what they said."""
    person = get_person(session, by, person_id)
    person.name, person.level, person.languages = details.name, details.level, list(details.languages)
    if person.age_at(today) != details.age:
        person.age, person.age_on = details.age, today
    record(session, by, now, "change_person", "person", person.id)
    session.flush()


def remove_person(session: Session, by: Actor, now: datetime, person_id: UUID) -> None:
    """Forget somebody for whom no need was ever posted. Raises PersonHasNeeds."""
    person = get_person(session, by, person_id)
    try:
        with session.begin_nested():
            session.delete(person)
    except IntegrityError as error:
        raise PersonHasNeeds from error
    record(session, by, now, "remove_person", "person", person_id)
    session.flush()


def declare_means_test(
    session: Session,
    by: Actor,
    now: datetime,
    today: date,
    isee_cents: int,
    is_resident: bool | None = None,
    has_disability: bool = False,
) -> MeansTest:
    """The ISEE as the family declares it, valid to 31 December; an officer verifies it. Newest counts."""
    if isee_cents < 0:
        raise Rejected(N_("L'ISEE non può essere sotto zero."))
    household = get_household(session, by)
    session.exec(select(Household.id).where(Household.id == household.id).with_for_update())
    newest = find_means_test(session, by)
    valid_until = date(today.year, 12, 31)
    stands = newest is not None and newest.state != MeansTestState.REFUSED and newest.valid_until == valid_until
    said = (isee_cents, is_resident, has_disability)
    if newest is not None and stands and said == (int(newest.isee_cents), newest.is_resident, newest.has_disability):
        return newest
    test = MeansTest(
        municipality_id=by.municipality_id,
        household_id=household.id,
        isee_cents=str(isee_cents),
        state=MeansTestState.DECLARED,
        valid_until=valid_until,
        is_resident=is_resident,
        disability="yes" if has_disability else None,
        created_at=now,
    )
    session.add(test)
    record(session, by, now, "declare_means_test", "means_test", test.id)
    session.flush()
    return test


def find_means_test(session: Session, by: Actor) -> MeansTest | None:
    """The household's newest means test, whatever became of it."""
    return session.exec(
        select(MeansTest)
        .where(MeansTest.municipality_id == by.municipality_id, MeansTest.household_id == by.household_id)
        .order_by(col(MeansTest.created_at).desc(), col(MeansTest.id).desc())
        .limit(1)
    ).first()
