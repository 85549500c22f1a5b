"""Months of a small city as hypothesis plays them: whatever happens, in whatever order, the books agree after it.

The database is the real one (the role `app`, a transaction that is undone), Stripe its stand-in over HTTP. A kill is an
exception at the worst moment and the roll-back that follows it.
"""

import json
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from billing.answers import GatewayError
from billing.webhooks import Event
from marketplace.accounts.models import Actor, Role
from marketplace.demo.payments import behaviour
from marketplace.households.models import Household
from marketplace.slots.calendar import instant, local_day
from marketplace.slots.models import MeetingState, Presence
from marketplace.statements import deeds, events, gateways, give_backs, operations, payments, payouts
from marketplace.statements.audit import audit
from marketplace.statements.contests import NothingToContest, TooLate, contest_line, decide_contest
from marketplace.statements.give_backs import REFUND, REVERSAL
from marketplace.statements.models import (
    ASKED,
    Contest,
    ContestState,
    MonthClosing,
    Outcome,
    Payment,
    PaymentState,
    Payout,
    Statement,
    StatementLine,
)
from marketplace.statements.months import first_day, next_month
from marketplace.statements.operations import close_month
from marketplace.statements.settlements import (
    AlreadySettled,
    NothingToSettle,
    find_settlement,
    record_bank_payouts,
    settle_month,
)
from tests.stand_in import running
from tests.statements.world import CITY, OFFICER, Group, build

WAYS = ("visa", "visa", "visa", "iban", "no_funds", "disputed", "iban_bounces", "")
STEPS_OF_CLOSING = ("_write_lines", "_use_vouchers", "_number_statements", "_totals", "record")
PRESENCES = (Presence.PRESENT, Presence.PRESENT, Presence.PRESENT, Presence.ABSENT_NOTIFIED, Presence.ABSENT)
SEEDS = st.integers(0, 10**6)


class Months(RuleBasedStateMachine):
    """`engine`: the test's database."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.leaving = ExitStack()
        connection = self.leaving.enter_context(engine.connect())
        transaction = connection.begin()
        self.leaving.callback(transaction.rollback)
        self.session = self.leaving.enter_context(Session(connection, join_transaction_mode="create_savepoint"))
        folder = self.leaving.enter_context(tempfile.TemporaryDirectory())
        self.stripe = self.leaving.enter_context(running(Path(folder)))
        gateways.pay_through(self.stripe.gateway)
        self.leaving.callback(gateways.pay_through, None)
        self.now = instant(date(2026, 10, 1), 8 * 60)
        self.in_flight = False

    @initialize(seed=SEEDS)
    def the_city(self, seed: int) -> None:
        """Two groups of three; caps, vouchers, and ways to pay as they come; providers with and without an account."""
        luck = random.Random(seed)
        self.city = build(self.session)
        self.groups: list[Group] = []
        households = [self.city.household() for _ in range(4)]
        for index in range(2):
            group = self.city.group(days=[], start=(9 + 7 * index) * 60)
            for household in luck.sample(households, 3):
                subsidised: dict[str, Any] = {"percent": "50", "held": 900} if luck.random() < 0.5 else {}
                self.city.join(group, household, cap=luck.choice([700, 1400, 100_000]), **subsidised)
            self.groups.append(group)
        for household in households:
            self.pays_by(household, luck.choice(WAYS))
        provider = self.groups[0].provider
        provider.stripe_account_id = self.stripe.open_account(str(provider.id))
        self.session.commit()

    # What people do ------------------------------------------------------------------------------

    @rule(seed=SEEDS, killed_in=st.sampled_from(("", *STEPS_OF_CLOSING)), days=st.integers(0, 9))
    def a_month_is_lived(self, seed: int, killed_in: str, days: int) -> None:
        """Meetings every Tuesday to the month's end; on the first it is closed, and some days pass."""
        luck = random.Random(seed)
        day, end = local_day(self.now), next_month(first_day(local_day(self.now)))
        while (day := day + timedelta(days=1)) < end:
            if day.weekday() == 1:
                for group in self.groups:
                    self.meet(group, day, luck)
        self.now = instant(end, 8 * 60)
        self.session.commit()
        self.a_month_is_closed(killed_in)
        self.days_pass(days)

    def meet(self, group: Group, day: date, luck: random.Random) -> None:
        [meeting] = self.city.meet(group, [day])
        for one in group.memberships:
            if one.programme_id:
                self.city.hold(one, meeting, 900)
        if luck.random() < 0.1:
            meeting.state = luck.choice([MeetingState.CANCELLED_BY_PROVIDER, MeetingState.CANCELLED_BY_MUNICIPALITY])
        elif luck.random() < 0.9:
            self.city.attend(meeting, {one.id: luck.choice(PRESENCES) for one in group.memberships})

    @rule(seed=SEEDS)
    def an_attendance_is_recorded_anew(self, seed: int) -> None:
        luck = random.Random(seed)
        group = luck.choice(self.groups)
        held = [one for one in group.meetings if one.state == MeetingState.HELD]
        if held:
            member = luck.choice(group.memberships)
            at = self.now + timedelta(seconds=1)
            self.city.attend(luck.choice(held), {member.id: luck.choice(PRESENCES)}, at=at)
            self.now = at
            self.session.commit()

    @rule(seed=SEEDS, way=st.sampled_from(WAYS[:-1]))
    def a_family_changes_how_it_pays(self, seed: int, way: str) -> None:
        households = self.session.exec(select(Household).order_by(col(Household.id))).all()
        self.pays_by(random.Random(seed).choice(households), way)
        self.session.commit()

    @rule(seed=SEEDS)
    def a_family_pays_now(self, seed: int) -> None:
        payment = self.one_of(seed, Payment, col(Payment.state).in_((PaymentState.DUE, PaymentState.FAILED)))
        if payment is not None:
            payments.pay_now(self.session, CITY, self.now, payment)
            self.session.commit()
            self.collect(payment)

    # What the days bring -------------------------------------------------------------------------

    @rule(days=st.integers(1, 9))
    def days_pass(self, days: int) -> None:
        """Charges and payouts that are due are made each morning."""
        for _ in range(days):
            self.now += timedelta(days=1)
            due = select(Payment).where(col(Payment.next_attempt_on) <= local_day(self.now))
            for payment in self.session.exec(due.order_by(col(Payment.id))).all():
                self.collect(payment)
            waiting = select(Payout).where(
                col(Payout.paid_at).is_(None),
                col(Payout.statement_id).is_not(None),
                col(Payout.due_on) <= local_day(self.now),
            )
            for payout in self.session.exec(waiting.order_by(col(Payout.id))).all():
                payouts.pay_provider.func.__wrapped__(self.session, CITY, self.now, payout_id=str(payout.id))
                self.session.commit()

    def a_month_is_closed(self, killed_in: str) -> None:
        """The oldest month that is over; closing an empty or a closed one changes nothing."""
        closed = self.session.exec(select(MonthClosing.month).order_by(col(MonthClosing.month).desc())).first()
        month = next_month(closed) if closed else date(2026, 10, 1)
        if month >= first_day(local_day(self.now)):
            return
        if killed_in:
            self.killed(operations, killed_in, lambda: close_month(self.session, OFFICER, self.now, CITY, month))
        close_month(self.session, OFFICER, self.now, CITY, month)
        self.session.commit()

    @rule(seed=SEEDS)
    def a_worker_dies_after_the_charge(self, seed: int) -> None:
        payment = self.one_of(seed, Payment, col(Payment.next_attempt_on) <= local_day(self.now))
        if payment is not None:
            attempt = payments.begin_attempt(self.session, CITY, self.now, payment.id)
            self.session.commit()
            if attempt is not None:
                payments.make_attempt(self.stripe.gateway, CITY, attempt)
                self.in_flight = True

    @rule(seed=SEEDS)
    def a_family_contests_a_line(self, seed: int) -> None:
        for statement in self.session.exec(select(Statement).where(Statement.state == "closed")).all():
            line = self.one_of(seed, StatementLine, StatementLine.statement_id == statement.id)
            by = Actor(CITY, Role.FAMILY, household_id=statement.household_id)
            try:
                contest_line(self.session, by, self.now, line.id, "Non era così")
            except (TooLate, NothingToContest):
                continue
            self.session.commit()
            return

    @rule(seed=SEEDS, outcome=st.sampled_from((None, Outcome.FUND, Outcome.ATTENDANCE)))
    def an_officer_decides_a_contest(self, seed: int, outcome: Outcome | None) -> None:
        contest = self.one_of(seed, Contest, Contest.state == ContestState.OPEN)
        if contest is not None:
            presence = random.Random(seed).choice(PRESENCES)
            decide_contest(self.session, OFFICER, self.now, contest.id, outcome, "", presence)
            self.session.commit()

    @rule(seed=SEEDS, part=st.integers(1, 2))
    def an_officer_gives_a_credit_back(self, seed: int, part: int) -> None:
        for payment in self.session.exec(select(Payment).where(Payment.state == PaymentState.SUCCEEDED)).all():
            most = REFUND.most_cents(self.session, payment)
            if most >= part:
                key = UUID(int=random.Random(seed).getrandbits(128))
                asked = REFUND.ask(self.session, OFFICER, self.now, payment, most // part, "Credito", key)
                assert REFUND.ask(self.session, OFFICER, self.now, payment, most // part, "Credito", key) is asked
                self.session.commit()
                for _ in range(2):
                    give_backs.make_refund.func.__wrapped__(self.session, CITY, self.now, refund_id=str(asked.id))
                    self.session.commit()
                return

    @rule(seed=SEEDS)
    def an_officer_takes_back_what_was_too_much(self, seed: int) -> None:
        for payout in self.session.exec(select(Payout).where(col(Payout.paid_at).is_not(None))).all():
            most = REVERSAL.most_cents(self.session, payout)
            if most:
                key = UUID(int=random.Random(seed).getrandbits(128))
                asked = REVERSAL.ask(self.session, OFFICER, self.now, payout, most, "Troppo", key)
                self.session.commit()
                for _ in range(2):
                    give_backs.make_reversal.func.__wrapped__(self.session, CITY, self.now, reversal_id=str(asked.id))
                    self.session.commit()
                return

    @rule(seed=SEEDS)
    def an_officer_reminds_then_writes_off(self, seed: int) -> None:
        late = self.one_of(seed, Statement, Statement.state == "overdue")
        if late is None:
            return
        payment = self.one_of(seed, Payment, Payment.statement_id == late.id, col(Payment.state).in_(ASKED))
        for deed in (deeds.remind, deeds.write_off):
            try:
                deed(self.session, OFFICER, self.now, payment)
            except (deeds.NotYet, deeds.NotOpen):
                self.session.rollback()
            self.session.commit()

    # Stripe, the banks, the municipality ---------------------------------------------------------

    @rule(seed=SEEDS, times=st.integers(1, 2), half=st.booleans())
    def events_arrive(self, seed: int, times: int, half: bool) -> None:
        """All or half of all events there ever were, shuffled, some for the second time."""
        found = [json.loads(body) for _, body, _ in self.stripe.store.due_events(1e12)] * times
        random.Random(seed).shuffle(found)
        for body in found[: len(found) // 2] if half else found:
            events.receive_event(
                self.session, Event(body["id"], body["type"], self.now, body["data"]["object"]), self.now
            )
            self.session.commit()
            events.handle_event.func.__wrapped__(self.session, "", self.now, event_id=body["id"])
            self.session.commit()
        self.in_flight = self.in_flight and half

    @rule()
    def debits_arrive_or_bounce(self) -> None:
        self.stripe.settle_debits()
        self.in_flight = True

    @rule(switch=st.sampled_from(("decline_next", "authenticate_next", "dispute_next")))
    def stripe_is_awkward(self, switch: str) -> None:
        self.stripe.set(**{switch: 1})

    @rule(seed=SEEDS, status=st.sampled_from(("won", "lost")))
    def a_bank_decides_a_dispute(self, seed: int, status: str) -> None:
        opened = [one for one in self.stripe.store.newest("dispute") if one["status"] == "needs_response"]
        if opened:
            with self.stripe.store.transaction():
                behaviour.decide_dispute(self.stripe.store, random.Random(seed).choice(opened)["id"], status)
            self.in_flight = True

    @rule(seed=SEEDS, part=st.sampled_from((1, 2)))
    def somebody_refunds_by_hand_at_stripe(self, seed: int, part: int) -> None:
        payment = self.one_of(seed, Payment, Payment.state == PaymentState.SUCCEEDED)
        if payment is not None and payment.stripe_intent_id and payment.cents >= part:
            with suppress(GatewayError):  # some of it went back before
                self.stripe.gateway.refund(
                    f"by-hand-{payment.id}-{part}",
                    intent_id=payment.stripe_intent_id,
                    amount_cents=payment.cents // part,
                    municipality_id=CITY,
                )
            self.in_flight = True

    @rule()
    def the_municipality_settles_a_month_and_pays(self) -> None:
        for closing in self.session.exec(select(MonthClosing).order_by(col(MonthClosing.month))).all():
            if find_settlement(self.session, closing) is None:
                try:
                    settlement = settle_month(self.session, OFFICER, self.now, closing)
                except (NothingToSettle, AlreadySettled):
                    continue
                record_bank_payouts(self.session, OFFICER, self.now, settlement)
                self.session.commit()
                return

    # What holds after each of them ---------------------------------------------------------------

    @invariant()
    @precondition(lambda self: hasattr(self, "city"))
    def the_books_agree(self) -> None:
        self.session.connection().execute(text("set constraints all immediate"))
        self.session.connection().execute(text("set constraints all deferred"))
        movements = None if self.in_flight else self.stripe.gateway.iter_balance()
        assert [str(one) for one in audit(self.session, CITY, movements)] == []

    def teardown(self) -> None:
        """At the end every event has come and every attempt has been taken up: Stripe agrees too."""
        try:
            if hasattr(self, "city"):
                self.events_arrive(seed=0, times=1, half=False)
                self.days_pass(days=1)
                self.events_arrive(seed=0, times=1, half=False)
                self.the_books_agree()
        finally:
            self.leaving.close()

    # Helpers -------------------------------------------------------------------------------------

    def pays_by(self, household: Household, way: str) -> None:
        if way:
            customer = household.stripe_customer_id or self.stripe.gateway.create_customer(
                str(household.id), municipality_id=CITY, email=None
            )
            household.stripe_customer_id = customer
            household.stripe_payment_method_id = self.stripe.save_method(customer, way)

    def collect(self, payment: Payment) -> None:
        payments.collect.func.__wrapped__(self.session, CITY, self.now, payment_id=str(payment.id))
        self.session.commit()
        self.in_flight = True  # a card may have been disputed at once

    def one_of(self, seed: int, table: Any, *conditions: Any) -> Any:
        found = self.session.exec(select(table).where(*conditions).order_by(col(table.id))).all()
        return random.Random(seed).choice(found) if found else None

    def killed(self, module: Any, step: str, work: Callable[[], object]) -> None:
        """Do the work, killed after its step; nothing of it stays."""
        done = getattr(module, step)

        def and_die(*args: Any, **kwargs: Any) -> None:
            done(*args, **kwargs)
            raise KeyboardInterrupt

        with patch.object(module, step, and_die):
            try:
                work()
            except KeyboardInterrupt:
                self.session.rollback()
