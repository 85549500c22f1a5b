"""Money that an officer sends back is asked for once for each key, within its limit, and Stripe is told by a job.

There are two ways, of one shape: a family's credit goes back on the payment that it made, and what a provider had too
much comes back of the transfer that paid it. A way says what differs: the limit, the entry, and whom Stripe is told of.
"""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from billing import ledger
from billing.answers import GatewayError, GatewayUnavailableError
from billing.gateway import Gateway
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Rejected
from marketplace.jobs import Task, defer, job
from marketplace.slots.calendar import local_day
from marketplace.statements.gateways import AGAIN, gateway
from marketplace.statements.models import Payment, PaymentState, Payout, Refund, RefundState, Reversal
from marketplace.statements.payouts import overpaid_cents
from marketplace.statements.posting import TO_COME, Deed, balance_cents, post
from marketplace.statements.returns import record_refund
from marketplace.words import N_

Of = TypeVar("Of", Payment, Payout)
Asked = TypeVar("Asked", Refund, Reversal)


class AboveCredit(Rejected):
    """Only a credit is given back, and no more than was paid."""

    default = N_("Si può rimborsare al massimo %(euros)s euro: il credito della famiglia, entro quello che ha pagato.")


class AboveOverpaid(Rejected):
    """Only what a provider had too much is taken back."""

    default = N_("Si può riprendere al massimo %(euros)s euro: quello che il professionista ha avuto in più.")


class Way(ABC, Generic[Of, Asked]):
    """How money goes back of a payment, or of a payout: `asked` is its row, `audited` its words in the history."""

    of: type[Of]
    asked: type[Asked]
    audited: ClassVar[tuple[str, str]]
    argument: ClassVar[str]
    above: ClassVar[type[Rejected]]
    then: ClassVar[str]

    @property
    @abstractmethod
    def task(self) -> Task:
        """The job that tells Stripe; its argument, a row's id, is called `argument`."""

    @abstractmethod
    def most_cents(self, session: Session, of: Of) -> int:
        """The most that can go back now."""

    @abstractmethod
    def entry(self, of: Of, stripe_id: str, cents: int) -> ledger.Entry:
        """What is posted once Stripe did it."""

    @abstractmethod
    def whose(self, of: Of) -> dict[str, Any]:
        """The columns that tie a row of `asked` to what it is of."""

    @abstractmethod
    def of_id(self, asked: Asked) -> UUID:
        """The payment's or the payout's id."""

    @abstractmethod
    def tell(self, through: Gateway, of: Of, asked: Asked) -> str:
        """Have Stripe do it, once for each row; Stripe's id of it."""

    @abstractmethod
    def write_down(self, session: Session, now: datetime, of: Of, asked: Asked, stripe_id: str) -> None:
        """Stripe did it: the row, and the ledger."""

    def preview(self, session: Session, of: Of, cents: int) -> Deed:
        """What giving `cents` back will post; raises `above` where that is more than can go back."""
        most = self.most_cents(session, of)
        if not 0 < cents <= most:
            raise self.above(euros=f"{most // 100},{most % 100:02d}")
        return Deed((self.entry(of, TO_COME, cents),), N_("Appena Stripe conferma"), (self.then,))

    def ask(self, session: Session, by: Actor, now: datetime, of: Of, cents: int, reason: str, key: UUID) -> Asked:
        """Ask for it, by a job; the same `key` again is the same."""
        city = by.municipality_id
        session.refresh(of, with_for_update=True)
        known = session.exec(
            select(self.asked).where(self.asked.municipality_id == city, self.asked.request_key == key)
        ).first()
        if known is not None:
            return known
        self.preview(session, of, cents)
        asked = self.asked(
            municipality_id=city,
            cents=cents,
            reason=reason,
            request_key=key,
            asked_at=now,
            asked_by=by.user_id,
            **self.whose(of),
        )
        session.add(asked)
        session.flush()
        verb, about = self.audited
        record(session, by, now, verb, about, of.id, cents=cents)
        named: dict[str, Any] = {self.argument: str(asked.id)}
        defer(session, self.task, city, **named)
        return asked

    def make(self, session: Session, municipality_id: str, now: datetime, arguments: dict[str, Any]) -> None:
        """Tell Stripe what was asked and write down what came of it; done already, nothing."""
        asked_id = UUID(arguments[self.argument])
        asked = session.get_one(self.asked, (municipality_id, asked_id), with_for_update=True)
        if asked.state != RefundState.ASKED:
            return
        of = session.get_one(self.of, (municipality_id, self.of_id(asked)))
        try:
            stripe_id = self.tell(gateway(), of, asked)
        except GatewayUnavailableError:
            raise
        except GatewayError as refused:
            asked.state, asked.failure = RefundState.FAILED, str(refused)[:300]
            return
        self.write_down(session, now, of, asked, stripe_id)

    def on_its_way_cents(self, session: Session, municipality_id: str, **where: UUID) -> int:
        """What was asked of Stripe and is not known to be done."""
        return self._sum_cents(session, municipality_id, (RefundState.ASKED,), where)

    def given_cents(self, session: Session, municipality_id: str, **where: UUID) -> int:
        """What was asked and did not fail."""
        return self._sum_cents(session, municipality_id, (RefundState.ASKED, RefundState.DONE), where)

    def _sum_cents(
        self, session: Session, municipality_id: str, states: tuple[RefundState, ...], where: dict[str, UUID]
    ) -> int:
        total = select(func.coalesce(func.sum(self.asked.cents), 0)).where(
            self.asked.municipality_id == municipality_id, col(self.asked.state).in_(states)
        )
        return int(session.exec(total.filter_by(**where)).one())


class OfPayment(Way[Payment, Refund]):
    """A family's credit, on the card or account that it paid with; within what was paid and not given back."""

    of, asked = Payment, Refund
    audited = ("refund", "payment")
    argument = "refund_id"
    above = AboveCredit
    then = N_("La famiglia riceve il rimborso in 5-10 giorni.")

    @property
    def task(self) -> Task:
        return make_refund

    def most_cents(self, session: Session, of: Payment) -> int:
        if of.state != PaymentState.SUCCEEDED or not of.stripe_intent_id:
            return 0
        city = of.municipality_id
        credit = -balance_cents(session, city, ledger.family(str(of.household_id)))
        left = of.cents - self.given_cents(session, city, payment_id=of.id)
        return max(0, min(credit - self.on_its_way_cents(session, city, household_id=of.household_id), left))

    def entry(self, of: Payment, stripe_id: str, cents: int) -> ledger.Entry:
        return ledger.payment_returned(stripe_id, ledger.family(str(of.household_id)), cents)

    def whose(self, of: Payment) -> dict[str, Any]:
        return {"payment_id": of.id, "household_id": of.household_id}

    def of_id(self, asked: Refund) -> UUID:
        return asked.payment_id

    def tell(self, through: Gateway, of: Payment, asked: Refund) -> str:
        return through.refund(
            f"refund-{asked.id}",
            intent_id=of.stripe_intent_id or "",
            amount_cents=asked.cents,
            municipality_id=of.municipality_id,
        )

    def write_down(self, session: Session, now: datetime, of: Payment, asked: Refund, stripe_id: str) -> None:
        record_refund(session, of.municipality_id, now, of.id, gateway().get_refund(stripe_id))


class OfPayout(Way[Payout, Reversal]):
    """What a provider had too much, of a transfer; without it the next payouts are lower until it is made up for."""

    of, asked = Payout, Reversal
    audited = ("reverse_transfer", "payout")
    argument = "reversal_id"
    above = AboveOverpaid
    then = N_("Se non lo riprendi, i prossimi compensi sono più bassi fino a pareggiare.")

    @property
    def task(self) -> Task:
        return make_reversal

    def most_cents(self, session: Session, of: Payout) -> int:
        if of.stripe_transfer_id is None or of.statement_id is None:
            return 0
        city = of.municipality_id
        on_its_way = self.on_its_way_cents(session, city, provider_id=of.provider_id)
        too_much = overpaid_cents(session, city, of.provider_id) - on_its_way
        return max(0, min(too_much, of.due_cents - of.reversed_cents - on_its_way))

    def entry(self, of: Payout, stripe_id: str, cents: int) -> ledger.Entry:
        return ledger.transfer_reversed(stripe_id, ledger.provider(str(of.provider_id)), cents)

    def whose(self, of: Payout) -> dict[str, Any]:
        return {"payout_id": of.id, "provider_id": of.provider_id}

    def of_id(self, asked: Reversal) -> UUID:
        return asked.payout_id

    def tell(self, through: Gateway, of: Payout, asked: Reversal) -> str:
        return through.reverse_transfer(
            f"reversal-{asked.id}",
            transfer_id=of.stripe_transfer_id or "",
            amount_cents=asked.cents,
            municipality_id=of.municipality_id,
        )

    def write_down(self, session: Session, now: datetime, of: Payout, asked: Reversal, stripe_id: str) -> None:
        session.refresh(of, with_for_update=True)
        asked.stripe_reversal_id, asked.state = stripe_id, RefundState.DONE
        of.reversed_cents += asked.cents
        post(session, of.municipality_id, self.entry(of, stripe_id, asked.cents), now, local_day(now))


REFUND = OfPayment()
REVERSAL = OfPayout()


@job("statements.refund", retry=AGAIN)
def make_refund(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Have Stripe give a credit back."""
    REFUND.make(session, municipality_id, now, arguments)


@job("statements.reverse", retry=AGAIN)
def make_reversal(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Have Stripe take a part of a transfer back."""
    REVERSAL.make(session, municipality_id, now, arguments)
