"""Whoever rewrites the books as the owner of the database, past its triggers, is found out: the row is named.

The books are made once; each tampering happens in a transaction of the owner's that is undone.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from billing.answers import BalanceLine
from marketplace.postgres import Server
from marketplace.sealed import keyring
from marketplace.statements import gateways
from marketplace.statements.audit import audit
from marketplace.statements.operations import find_closing
from marketplace.statements.settlements import record_bank_payouts, settle_month
from tests import database
from tests.database import KEYS
from tests.stand_in import StandIn, running
from tests.statements.lived import a_lived_month
from tests.statements.test_payments import DUE
from tests.statements.world import CITY, NOVEMBER, OFFICER, build

Books = tuple[Engine, StandIn]
Tamper = Callable[..., list[tuple[str, str]]]


@pytest.fixture(scope="module")
def books(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A month lived, settled and paid out, committed; the owner's engine; and Stripe's stand-in."""
    keyring.unlock(list(KEYS))
    folder: Path = tmp_path_factory.mktemp("stripe")
    with database.copied(server, template) as mine, running(folder) as stand_in:
        gateways.pay_through(stand_in.gateway)
        engine = create_engine(mine.app_url)
        with Session(engine) as session:
            a_lived_month(build(session), stand_in)
            closing = find_closing(session, CITY, NOVEMBER)
            assert closing is not None
            record_bank_payouts(session, OFFICER, DUE, settle_month(session, OFFICER, DUE, closing))
            session.commit()
        engine.dispose()
        gateways.pay_through(None)
        owner = create_engine(mine.owner_url, poolclass=NullPool)
        yield owner, stand_in
        owner.dispose()


@pytest.fixture
def tampered(books: Books) -> Iterator[Tamper]:
    """Call it with SQL, run as the owner with triggers off: what the audit then finds, (check, row)."""
    owner, stand_in = books
    with Session(owner) as session:

        def audited(*statements: str) -> list[tuple[str, str]]:
            connection = session.connection()
            for table in ("posting", "ledger_entry", "statement_line", "voucher_hold", "settlement", "attendance"):
                connection.execute(text(f"alter table {table} disable trigger user"))
            for statement in statements:
                assert connection.execute(text(statement)).rowcount > 0, statement
            return [(one.check, one.row) for one in audit(session, CITY, stand_in.gateway.iter_balance())]

        yield audited
        session.rollback()


def one(books: Books, query: str) -> str:
    with books[0].connect() as connection:
        return str(connection.execute(text(query)).scalar_one())


def test_untouched_books_are_right(tampered: Tamper) -> None:
    assert tampered() == []


POSTING = "select p.id from posting p join ledger_entry e on e.id = p.entry_id where e.event = '{}' order by p.id"
ENTRY = "select e.business_key from ledger_entry e where e.event = '{}' order by e.id limit 1"
SCALED = (
    "update posting set cents = cents * 2 where entry_id = (select id from ledger_entry where event = '{}'"
    " order by id limit 1)"
)


@pytest.mark.parametrize(
    "event",
    [
        "meeting_billed",
        "payment_succeeded",
        "payment_returned",
        "stripe_fee_charged",
        "fee_borne",
        "transferred",
        "bank_transfer_received",
        "paid_by_bank",
    ],
)
def test_a_posting_of_any_event_is_missed_even_where_the_entry_still_balances(
    books: Books, tampered: Tamper, event: str
) -> None:
    key = one(books, ENTRY.format(event))
    lopsided = f"update posting set cents = cents + 1 where id = ({POSTING.format(event)} limit 1)"
    assert ("Una scrittura non quadra", key) in tampered(lopsided)


@pytest.mark.parametrize(
    ("event", "check"),
    [
        ("meeting_billed", "Una scrittura non segue dal suo incontro"),
        ("payment_succeeded", "Il registro e Stripe non dicono lo stesso"),
        ("payment_returned", "Il registro e Stripe non dicono lo stesso"),
        ("stripe_fee_charged", "Il registro e Stripe non dicono lo stesso"),
        ("fee_borne", "Una commissione non è tutta a carico del fondo"),
        ("transferred", "Il registro e Stripe non dicono lo stesso"),
        ("bank_transfer_received", "Un versamento del Comune non è nel registro, o il contrario"),
        ("paid_by_bank", "Un compenso pagato non è nel registro"),
    ],
)
def test_an_entry_of_any_event_that_was_scaled_is_named(tampered: Tamper, event: str, check: str) -> None:
    assert check in {name for name, _ in tampered(SCALED.format(event))}


@pytest.mark.parametrize("event", ["meeting_billed", "payment_succeeded", "transferred", "paid_by_bank"])
def test_an_entry_that_was_removed_is_missed(tampered: Tamper, event: str) -> None:
    found = tampered(
        f"delete from posting where entry_id = (select id from ledger_entry where event = '{event}' limit 1)",
        "delete from ledger_entry e where not exists (select 1 from posting p where p.entry_id = e.id)",
    )
    assert found


@pytest.mark.parametrize("figure", ["share_cents", "subsidy_cents", "guarantee_cents", "net_cents", "provider_cents"])
def test_a_line_is_named_whichever_of_its_figures_was_changed(books: Books, tampered: Tamper, figure: str) -> None:
    line = one(books, "select meeting_id || ' ' || membership_id from statement_line where net_cents > 0 limit 1")
    meeting, membership = line.split()
    found = tampered(
        f"update statement_line set {figure} = {figure} + 1"
        + (", share_cents = share_cents + 1" if figure in ("subsidy_cents", "guarantee_cents", "net_cents") else "")
        + (", net_cents = net_cents + 1" if figure == "share_cents" else "")
        + f" where meeting_id = '{meeting}' and membership_id = '{membership}'",
    )
    assert ("Una riga non segue da presenze e regole", line) in found


def test_what_a_family_reads_beside_a_line_is_checked_too(books: Books, tampered: Tamper) -> None:
    found = tampered("update statement_line set explanation = explanation || '{\"cost_cents\": 1}' where net_cents > 0")
    assert {check for check, _ in found} == {"Una riga non segue da presenze e regole"}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("held_cents = held_cents + 1", "Un impegno non è quello con cui il mese è stato conteggiato"),
        ("committed_cents = committed_cents - 1", "Un buono usato non torna con le righe degli estratti"),
        ("state = 'released'", "Un buono usato non torna con le righe degli estratti"),
    ],
)
def test_a_hold_is_named(books: Books, tampered: Tamper, change: str, check: str) -> None:
    hold = one(
        books, "select membership_id || ' ' || week from voucher_hold where state = 'committed' order by week limit 1"
    )
    membership, week = hold.split()
    found = tampered(f"update voucher_hold set {change} where membership_id = '{membership}' and week = '{week}'")
    assert (check, hold) in found


def test_an_attendance_rewritten_changes_what_follows_from_it(
    tampered: Tamper,
) -> None:
    found = tampered("update attendance set presence = 'absent' where presence = 'absent_notified'")
    assert {"Una riga non segue da presenze e regole", "Una scrittura non segue dal suo incontro"} <= {
        check for check, _ in found
    }


def test_an_invented_entry_has_no_row_behind_it(tampered: Tamper) -> None:
    found = tampered(
        "insert into ledger_entry (municipality_id, business_key, event, at, booked_on)"
        " select municipality_id, 'bank-out:invented', 'paid_by_bank', at, booked_on from ledger_entry limit 1",
        "insert into posting (municipality_id, entry_id, account, cents)"
        " select municipality_id, id, unnest(array['provider:x', 'bank:035033']), unnest(array[5, -5])"
        " from ledger_entry where business_key = 'bank-out:invented'",
    )
    assert ("Una scrittura senza una riga che la spieghi", "bank-out:invented") in found


@pytest.mark.parametrize("change", ["amount", "fee", "gone"])
def test_a_record_of_stripe_that_changed_is_named(books: Books, change: str) -> None:
    owner, stand_in = books
    lines = list(stand_in.gateway.iter_balance())
    chosen = next(line for line in lines if line.kind == "charge")
    key = f"{'stripe-fee' if change == 'fee' else 'payment'}:{chosen.intent_id}"
    with Session(owner) as session:
        found = [(one.check, one.row) for one in audit(session, CITY, list(_changed(lines, chosen, change)))]
    assert ("Il registro e Stripe non dicono lo stesso", key) in found


def _changed(lines: list[BalanceLine], chosen: BalanceLine, change: str) -> Iterator[BalanceLine]:
    for line in lines:
        if line is not chosen:
            yield line
        elif change != "gone":
            yield replace(line, **{f"{change}_cents": getattr(line, f"{change}_cents") + 1})
