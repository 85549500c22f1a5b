"""`python -m tests.faults.races NAME OWNER_URL APP_URL`: fifty processes want the same thing at the same instant.

It prints, as JSON, how each ended (`won`, or the name of the refusal) and what is in the database afterwards.
"""

import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, create_engine, func, select

from billing.webhooks import Event
from marketplace.accounts.models import Actor, AuditEntry, Role
from marketplace.db import Scope, set_scope
from marketplace.errors import MarketplaceError
from marketplace.needs.models import Need
from marketplace.rounds.joining import propose_to_join
from marketplace.sealed import keyring
from marketplace.slots.models import Membership, Proposal, ProposalState, Slot
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from marketplace.statements import events
from marketplace.statements.models import MonthClosing, StatementLine, StripeEvent
from marketplace.statements.operations import close_month
from marketplace.vouchers.models import ProgrammeWeek
from marketplace.vouchers.operations import Hold, hold, lock_weeks
from marketplace.web import conflict_of
from tests import city as plans
from tests.database import KEYS
from tests.statements import world as books

RIVALS = 50
WEEK = date(2026, 12, 14)

Act = Callable[[Session, int], str]
Tell = Callable[[Session], dict[str, Any]]


def last_seat(session: Session) -> tuple[str, Act, Tell]:
    """A confirmed group with one seat left, and fifty families who wait and say yes to it."""
    plans.found_city(session)
    codes = ["n1", "n2", "n3", "n4"]
    for code in codes:
        plans.add_need(session, code)
    plans.proposed(session, [plans.Group(codes)])
    slot = plans.the_slot(session)
    answer_slot(session, plans.provider_of(slot), plans.NOW, slot.id, True)
    for code in codes:
        one = plans.proposal_of(session, code)
        accept_proposal(session, plans.family_of(one), plans.NOW, one.id, one.cap_cents)
    settle(session, plans.NOW, plans.CITY, slot.id)
    waiting = [plans.add_need(session, f"w{number}") for number in range(RIVALS)]
    asked = [(one.id, one.household_id) for one in waiting]
    slot_id, limit = slot.id, slot.seats_limit

    def act(rival: Session, number: int) -> str:
        need_id, household_id = asked[number]
        propose_to_join(rival, Actor(plans.CITY, Role.FAMILY, household_id=household_id), plans.NOW, need_id, slot_id)
        return "won"

    def tell(after: Session) -> dict[str, Any]:
        seats = after.exec(select(func.sum(Membership.seats)).where(Membership.slot_id == slot_id)).one()
        proposed = after.exec(select(func.count()).where(Need.state == "proposed")).one()
        return {"seats": seats, "limit": limit, "proposed": proposed}

    return plans.CITY, act, tell


def last_euro(session: Session) -> tuple[str, Act, Tell]:
    """A budget of ten euros, and fifty holds of six."""
    plans.found_city(session)
    programme_id = plans.add_programme(session, 1000).id
    groups = []
    for number in range(0, RIVALS, 5):
        codes = [f"n{number + one}" for one in range(5)]
        for code in codes:
            plans.add_need(session, code)
        if number:
            plans.add_provider(session, f"q{number}")
        groups.append(plans.Group(codes, provider=f"q{number or 1}"))
    plans.proposed(session, groups)
    members = [(one.need_id, one.id) for one in session.exec(select(Membership))]
    lock_weeks(session, plans.CITY, [programme_id], [WEEK])

    def act(rival: Session, number: int) -> str:
        need_id, membership_id = members[number]
        hold(rival, plans.NOW, plans.CITY, [Hold(programme_id, need_id, membership_id, WEEK, 600)])
        return "won"

    def tell(after: Session) -> dict[str, Any]:
        return {"used": after.exec(select(ProgrammeWeek.used_cents).where(ProgrammeWeek.week == WEEK)).one()}

    return plans.CITY, act, tell


def same_proposal(session: Session) -> tuple[str, Act, Tell]:
    """One proposal, accepted fifty times: by an impatient thumb, two parents, a proxy that repeats."""
    plans.found_city(session)
    plans.add_need(session, "n1")
    plans.proposed(session, [plans.Group(["n1"])])
    proposal = plans.proposal_of(session, "n1")
    by, key, cap = plans.family_of(proposal), proposal.id, proposal.cap_cents

    def act(rival: Session, _number: int) -> str:
        accept_proposal(rival, by, plans.NOW, key, cap)
        return "answered"

    def tell(after: Session) -> dict[str, Any]:
        return {"state": after.exec(select(Proposal.state)).one() == ProposalState.ACCEPTED, "lines": lines(after)}

    def lines(after: Session) -> int:
        return after.exec(select(func.count()).where(AuditEntry.action == "accept_proposal")).one()

    return plans.CITY, act, tell


def same_webhook(session: Session) -> tuple[str, Act, Tell]:
    """One event of Stripe's, delivered fifty times."""
    books.build(session)

    def act(rival: Session, _number: int) -> str:
        now = datetime.now(UTC)
        event = Event("evt_1", "payment_intent.succeeded", now, {"id": "pi_1"})
        return "won" if events.receive_event(rival, event, now) else "known"

    def tell(after: Session) -> dict[str, Any]:
        jobs = after.connection().exec_driver_sql("select count(*) from procrastinate_jobs").scalar_one()
        return {"events": after.exec(select(func.count()).select_from(StripeEvent)).one(), "jobs": jobs}

    return books.CITY, act, tell


def same_month(session: Session) -> tuple[str, Act, Tell]:
    """November, closed by fifty officers."""
    city = books.build(session)
    group = city.group()
    for _ in range(3):
        city.join(group, city.household())
    city.everybody_came(group)

    def act(rival: Session, _number: int) -> str:
        close_month(rival, books.OFFICER, books.CLOSED_AT, books.CITY, books.NOVEMBER)
        return "closed"

    def tell(after: Session) -> dict[str, Any]:
        return {
            "closings": after.exec(select(func.count()).select_from(MonthClosing)).one(),
            "lines": after.exec(select(func.count()).select_from(StatementLine)).one(),
            "audit": after.exec(select(func.count()).where(AuditEntry.action == "close_month")).one(),
            "slots": after.exec(select(func.count()).select_from(Slot)).one(),
        }

    return books.CITY, act, tell


RACES = {one.__name__: one for one in (last_seat, last_euro, same_proposal, same_webhook, same_month)}


def rival(url: str, city: str, act: Act, number: int, start: Any, folder: Path) -> None:
    """One of them, in a process of its own."""
    engine = create_engine(url)
    with Session(engine) as session:
        set_scope(session, Scope(city))
        session.connection()
        start.wait(60)
        try:
            told = act(session, number)
            session.commit()
        except MarketplaceError as refusal:
            told = type(refusal).__name__
        except IntegrityError as problem:
            told = type(conflict_of(problem)).__name__
    (folder / str(number)).write_text(told)


def race(name: str, url: str) -> dict[str, Any]:
    """Hold one."""
    keyring.unlock(list(KEYS))
    engine = create_engine(url)
    with Session(engine) as session:
        city, act, tell = RACES[name](session)
        session.commit()
    engine.dispose()
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(RIVALS)
    with tempfile.TemporaryDirectory() as folder:
        rivals = [
            fork.Process(target=rival, args=(url, city, act, number, start, Path(folder))) for number in range(RIVALS)
        ]
        for one in rivals:
            one.start()
        for one in rivals:
            one.join()
        ends = Counter(path.read_text() for path in Path(folder).iterdir())
    with Session(engine) as session:
        set_scope(session, Scope(city))
        return {"ends": dict(ends), **tell(session)}


if __name__ == "__main__":
    threading.Timer(300, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    sys.stdout.write(json.dumps(race(sys.argv[1], sys.argv[2])))
    sys.stdout.flush()
    os._exit(0)
