"""What people and jobs of two small cities do, from a plan to paid statements; each stage may be repeated at will."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, select

from billing.webhooks import Event
from marketplace.db import Scope, db, set_scope
from marketplace.demo.payments.store import Store
from marketplace.errors import MarketplaceError
from marketplace.jobs import defer, queue, run_waiting
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.proposing import propose
from marketplace.slots.answer_links import answer_secret
from marketplace.slots.jobs import advance_slots
from marketplace.slots.models import Presence, Proposal, Slot
from marketplace.slots.operations import answer_slot
from marketplace.statements import events, gateways
from marketplace.statements.audit import audit
from marketplace.statements.operations import request_closing
from marketplace.web import Application
from tests import city as plans
from tests.stand_in import StandIn
from tests.statements import world as books

NOVEMBER = date(2026, 11, 1)
DUE = books.CLOSED_AT + timedelta(days=7)
PAID = DUE + timedelta(days=8)


@dataclass
class World:
    """One installation: the application on it, the address of its owner, and Stripe's stand-in."""

    app: Application
    owner_url: str
    app_url: str
    stripe_url: str
    var: Path

    def store(self) -> Store:
        return Store(self.var / "payments.sqlite")


@dataclass(frozen=True)
class Stage:
    """`role` (web or worker) is the kind of process that does it, `at` the clock on its wall."""

    name: str
    role: str
    at: datetime
    run: Callable[[World, datetime], None]


def found(world: World) -> None:
    """A city with a plan of two groups that nobody has seen, and one whose November is over."""
    with world.app.app_context():
        session = db.session
        plans.found_city(session)
        plans.add_provider(session, "q2")
        for code in ("n1", "n2", "n3", "n4"):
            plans.add_need(session, code)
        plans.solved(session, [plans.Group(["n1", "n2"]), plans.Group(["n3", "n4"], day=2)])
        set_scope(session, Scope(books.CITY))
        store = world.store()
        stand_in = StandIn(world.stripe_url, store, gateways.gateway())
        city = books.build(session)
        group, other = city.group(), city.group(start=9 * 60)
        households = [city.household(f"family{number}@example.org") for number in range(3)]
        city.join(group, households[0], percent="50", held=900)
        city.join(group, households[1], cap=1400)
        city.join(group, households[2])
        city.join(other, households[2])
        city.everybody_came(other)
        ids = [one.id for one in group.memberships]
        city.attend(group.meetings[0], dict.fromkeys(ids, Presence.PRESENT))
        city.attend(group.meetings[1], {ids[0]: Presence.ABSENT, ids[1]: Presence.PRESENT, ids[2]: Presence.PRESENT})
        for household, choice in zip(households, ("visa", "visa", "no_funds"), strict=True):
            customer = stand_in.gateway.create_customer(
                str(household.id), municipality_id=books.CITY, email="x@example.org"
            )
            household.stripe_customer_id = customer
            household.stripe_payment_method_id = stand_in.save_method(customer, choice)
        for one in (group, other):
            one.provider.stripe_account_id = stand_in.open_account(str(one.provider.id))
        session.commit()
        store.close()


def an_officer_proposes(world: World, now: datetime) -> None:
    with acting(world, plans.CITY) as session:
        for found in session.exec(select(Round).where(Round.state == RoundState.SOLVED)).all():
            with suppress(MarketplaceError):
                propose(session, plans.OFFICER, now, found.id)
        session.commit()


def everybody_answers(world: World, _now: datetime) -> None:
    """Each family by the link of its message, each provider; in as many requests."""
    with acting(world, plans.CITY) as session:
        asked = [(one.id, one.cap_cents) for one in session.exec(select(Proposal).order_by(Proposal.id)).all()]
        slots = [(one.id, plans.provider_of(one)) for one in session.exec(select(Slot).order_by(Slot.id)).all()]
    client = world.app.test_client()
    for key, cap in asked:
        path = f"/rispondi/{answer_secret(plans.CITY, key)}"
        assert client.post(path, data={"cap_cents": cap}).status_code in (303, 409)
    for key, by in slots:
        with acting(world, plans.CITY) as session:
            with suppress(MarketplaceError):
                answer_slot(session, by, plans.NOW, key, True)
            session.commit()


def an_officer_closes_november(world: World, now: datetime) -> None:
    with acting(world, books.CITY) as session:
        request_closing(session, books.OFFICER, now, books.CITY, NOVEMBER)
        session.commit()


def stripe_tells(world: World, now: datetime) -> None:
    """Every event twice, newest first."""
    store = world.store()
    bodies = [json.loads(body) for _, body, _ in store.due_events(1e12)]
    store.close()
    for body in [*reversed(bodies), *bodies]:
        with acting(world, "") as session:
            event = Event(body["id"].removesuffix("_again"), body["type"], now, body["data"]["object"])
            events.receive_event(session, event, now)
            session.commit()


def the_queue_is_worked_off(world: World, now: datetime) -> None:
    """All that is due by the clock on the wall; what is to be tried again is tried again at once.

    What recurs is a stage of its own: here it would come by the real clock.
    """
    queue.perform_import_paths()
    queue.periodic_registry.periodic_tasks.clear()
    for _ in range(20):
        with world.app.app_context():
            connection = db.session.connection()
            connection.execute(
                text(
                    "update procrastinate_jobs set scheduled_at = null"
                    " where status = 'todo' and (scheduled_at <= :now or attempts > 0)"
                ),
                {"now": now},
            )
            due = connection.execute(
                text("select count(*) from procrastinate_jobs where status = 'todo' and scheduled_at is null")
            ).scalar_one()
            db.session.commit()
        if not due:
            return
        run_waiting(world.app, world.app_url)


def the_hour_strikes(world: World, now: datetime) -> None:
    """What recurs, once: groups begin when their day has come."""
    for city in (plans.CITY, books.CITY):
        with acting(world, city) as session:
            defer(session, advance_slots, city, once=f"advance {city}")
            session.commit()
    the_queue_is_worked_off(world, now)


STAGES: Sequence[Stage] = (
    Stage("propose", "web", plans.NOW, an_officer_proposes),
    Stage("tell", "worker", plans.NOW, the_queue_is_worked_off),
    Stage("answer", "web", plans.NOW, everybody_answers),
    Stage("settle", "worker", plans.NOW, the_queue_is_worked_off),
    Stage("ask to close", "web", books.CLOSED_AT, an_officer_closes_november),
    Stage("close", "worker", books.CLOSED_AT, the_queue_is_worked_off),
    Stage("collect", "worker", DUE, the_queue_is_worked_off),
    Stage("webhooks", "web", DUE, stripe_tells),
    Stage("take events", "worker", DUE, the_queue_is_worked_off),
    Stage("pay out", "worker", PAID, the_queue_is_worked_off),
    Stage("begin groups", "worker", PAID, the_hour_strikes),
)


class acting:
    """A session of its own that sees one city."""

    def __init__(self, world: World, city: str) -> None:
        self._context, self._city = world.app.app_context(), city

    def __enter__(self) -> Session:
        self._context.push()
        set_scope(db.session, Scope(self._city))
        return db.session

    def __exit__(self, *_: object) -> None:
        self._context.pop()


# What is counted at the end: nothing lost, nothing twice.
COUNTED = (
    "select 'proposal', state, count(*) from proposal group by 2",
    "select 'slot', state, count(*) from slot group by 2",
    "select 'membership', state, count(*) from membership group by 2",
    "select 'need', state, count(*) from need group by 2",
    "select 'hold', state, sum(committed_cents) from voucher_hold group by 2",
    "select 'budget', programme_id::text, sum(used_cents) from programme_week group by 2",
    "select 'statement', state, sum(total_cents) from statement group by 2",
    "select 'line', '', count(*) from statement_line",
    "select 'payment', state || attempts, sum(cents) from payment group by 2",
    "select 'ledger', account, sum(cents) from posting group by 2",
    "select 'payout', (paid_at is not null)::text, sum(due_cents) from payout group by 2",
    "select 'message', state, count(*) from message group by 2",
    "select 'document', kind, count(*) from document group by 2",
    "select 'jobs', status::text, count(*) from procrastinate_jobs where status in ('doing', 'failed') group by 2",
)


def outcome(world: World, owner: Any) -> dict[str, Any]:
    """How it all ended, in numbers; `differences` is what `marketplace audit` would say."""
    counted = [list(map(str, row)) for query in COUNTED for row in owner.execute(text(query)).all()]
    with acting(world, books.CITY) as session:
        movements = list(gateways.gateway().iter_balance())
        differences = [str(one) for one in audit(session, books.CITY, movements)]
    mails = (world.var / "mail.log").read_text().split() if (world.var / "mail.log").exists() else []
    return {
        "counted": sorted(counted),
        "differences": differences,
        "at_stripe": sum(one.amount_cents for one in movements),
        "mails": len(set(mails)),
        "again": len(mails) - len(set(mails)),
    }
