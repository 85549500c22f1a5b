"""A need is posted whole from its draft, once, and only after every answer was checked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.hours import GRID, days_that_fit, merge
from marketplace.households.models import Person
from marketplace.households.operations import get_person
from marketplace.needs.drafts import Wish, answers_of, find_draft, lock_draft, save_draft
from marketplace.needs.models import Need, NeedState, Service
from marketplace.words import N_
from matching.instance import Window

MINUTES_MIN, MINUTES_MAX = 30, 720
SESSIONS_MAX = 6
SEATS_MAX = 6
PRICE_MAX_CENTS_PER_HOUR = 20_000
TRAVEL_KM_MAX = Decimal(50)


class NothingToPost(NotFound):
    """The draft is not there (any more): a second tap finds what the first one did."""


def faults_of_hours(sessions: int, minutes: int, windows: Sequence[Window]) -> list[str]:
    """Msgids of what keeps `sessions` of `minutes` out of the hours; empty when they fit."""
    if minutes % GRID or not MINUTES_MIN <= minutes <= MINUTES_MAX:
        return [N_("La durata va da 30 minuti a 12 ore, di quarto d'ora in quarto d'ora: scegline un'altra.")]
    if not 1 <= sessions <= SESSIONS_MAX:
        return [N_("Gli incontri vanno da 1 a 6 la settimana.")]
    fitting = days_that_fit(windows, minutes)
    if not fitting:
        return [N_("La durata non sta in nessuna fascia: allunga una fascia o accorcia l'incontro.")]
    if fitting < sessions:
        return [N_("Gli incontri sono più dei giorni in cui ci stanno: aggiungi un giorno o chiedi meno incontri.")]
    return []


def faults_of(wish: Wish) -> list[tuple[str, str]]:
    """(step, msgid) of everything that keeps the wish from being posted; empty when it may be."""
    found = [("quando", message) for message in faults_of_hours(wish.sessions, wish.minutes, wish.windows)]
    if not 1 <= wish.seats <= SEATS_MAX:
        found.append(("cosa", N_("Le persone vanno da 1 a 6.")))
    if not 0 <= wish.travel_km_max <= TRAVEL_KM_MAX:
        found.append(("dove", N_("La distanza va da 0 a 50 km.")))
    if wish.price_max_cents_per_hour is not None and not 0 < wish.price_max_cents_per_hour <= PRICE_MAX_CENTS_PER_HOUR:
        found.append(
            ("dove", N_("Il prezzo massimo va da 0,01 a 200 € l'ora; se non vuoi un limite scegli «Nessun limite»."))
        )
    if wish.group_max is not None and wish.group_max < wish.seats:
        found.append(("dove", N_("Il gruppo deve avere posto almeno per le persone che porti.")))
    if wish.host_seats and wish.host_seats < wish.seats:
        found.append(("dove", N_("Se ospiti, i posti in casa devono bastare anche per le persone che porti.")))
    return found


def post_need(session: Session, by: Actor, now: datetime, today: date, wish: Wish) -> Need:
    """The household's draft becomes an open need (or changes the open need that it was made from), once.

    Raises NothingToPost when there is no draft (any more), Rejected for an impossible wish, Conflict when the need to
    change is no longer open.
    """
    draft = lock_draft(session, by)
    if draft is None:
        raise NothingToPost
    person = get_person(session, by, wish.person_id)
    faults = faults_of(wish)
    if faults:
        raise Rejected(faults[0][1])
    changed = draft.answers.get("need_id")
    if changed:
        need = get_need(session, by, UUID(changed), lock=True)
        require_open(need)
    else:
        need = _new_need(by, now, wish)
    _take(need, wish, person, today)
    session.add(need)
    session.delete(draft)
    record(session, by, now, "change_need" if changed else "post_need", "need", need.id)
    session.flush()
    return need


def post_wish(session: Session, by: Actor, now: datetime, today: date, wish: Wish) -> Need:
    """A program's need, posted whole; the draft in the family's browser stays as it is.

    Raises NotFound for somebody else's person, Rejected for an impossible wish.
    """
    person = get_person(session, by, wish.person_id)
    wish = replace(wish, windows=merge(wish.windows))
    faults = faults_of(wish)
    if faults:
        raise Rejected(faults[0][1])
    subjects = get_policy(session, by.municipality_id, today).subjects.values()
    if wish.service == Service.TUTORING and wish.topic not in subjects:
        raise Rejected(N_("Una delle materie non è tra quelle del Comune."), field="topic")
    need = _new_need(by, now, wish)
    _take(need, wish, person, today)
    session.add(need)
    record(session, by, now, "post_need", "need", need.id)
    session.flush()
    return need


def _new_need(by: Actor, now: datetime, wish: Wish) -> Need:
    need_id = uuid7()
    assert by.household_id is not None
    return Need(
        municipality_id=by.municipality_id,
        id=need_id,
        code=f"e-{need_id.hex[-12:]}",
        household_id=by.household_id,
        person_id=wish.person_id,
        service=wish.service,
        minutes=wish.minutes,
        created_at=now,
    )


def _take(need: Need, wish: Wish, person: Person, today: date) -> None:
    need.person_id = person.id
    need.service = wish.service
    need.seats, need.sessions, need.minutes = wish.seats, wish.sessions, wish.minutes
    need.windows = [{"day": one.day, "start": one.start, "end": one.end} for one in wish.windows]
    need.travel_km_max = format(wish.travel_km_max.normalize(), "f")
    need.host_seats, need.group_max = wish.host_seats, wish.group_max
    need.topic = wish.topic if wish.service == Service.TUTORING else None
    need.level = person.level if wish.service == Service.TUTORING else None
    need.age = person.age_at(today)
    need.languages = list(wish.languages)
    need.price_max_cents_per_hour = wish.price_max_cents_per_hour
    need.notes = wish.notes


def withdraw_need(session: Session, by: Actor, now: datetime, need_id: UUID) -> Need:
    """The family no longer asks: an open need is withdrawn; twice is once. Raises Conflict for another state."""
    need = get_need(session, by, need_id, lock=True)
    if need.state != NeedState.WITHDRAWN:
        require_open(need)
        need.state = NeedState.WITHDRAWN
        record(session, by, now, "withdraw_need", "need", need.id)
        session.flush()
    return need


def require_open(need: Need) -> None:
    """Only a need that waits may be changed or withdrawn. Raises Conflict, saying what to do first."""
    if need.state == NeedState.PROPOSED:
        raise Conflict(N_("Per questa esigenza c'è una proposta: rispondi alla proposta, poi potrai cambiarla."))
    if need.state == NeedState.SERVED:
        raise Conflict(N_("Questa esigenza ha già un posto: per cambiarla lascia prima il gruppo."))
    if need.state != NeedState.OPEN:
        raise Conflict(N_("Questa esigenza è chiusa: pubblicane una nuova."))


def get_need(session: Session, by: Actor, need_id: UUID, lock: bool = False) -> Need:
    """One of the household's own needs. Raises NotFound."""
    query = select(Need).where(
        Need.municipality_id == by.municipality_id, Need.id == need_id, Need.household_id == by.household_id
    )
    found = session.exec(query.with_for_update() if lock else query).first()
    if found is None:
        raise NotFound
    return found


def list_needs(session: Session, by: Actor) -> list[Need]:
    """The household's needs, newest first."""
    return list(session.exec(own_needs(by).order_by(col(Need.created_at).desc(), col(Need.id).desc())))


def own_needs(by: Actor) -> SelectOfScalar[Need]:
    """All that the actor's household ever asked for."""
    return select(Need).where(Need.municipality_id == by.municipality_id, Need.household_id == by.household_id)


class DraftInTheWay(Conflict):
    """There is one draft a household; what was typed there is not thrown away unasked."""

    default = N_("Hai una bozza non finita: pubblicala o buttala via prima di cambiare un'altra esigenza.")


def draft_from_need(session: Session, by: Actor, now: datetime, need_id: UUID) -> None:
    """Begin to change an open need: its answers become the draft. Raises DraftInTheWay, Conflict."""
    need = get_need(session, by, need_id)
    require_open(need)
    draft = find_draft(session, by)
    if draft is not None and draft.answers.get("need_id") != str(need.id):
        raise DraftInTheWay
    if draft is None:
        save_draft(session, by, now, answers_of(need))
