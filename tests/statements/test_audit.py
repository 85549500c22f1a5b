"""The audit is silent on right books and names the row of every wrong one."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from billing import ledger
from marketplace.slots.models import Presence
from marketplace.statements.audit import audit
from marketplace.statements.commands import UnknownMunicipality, audit_books
from marketplace.statements.models import Payment, Payout
from marketplace.statements.operations import close_month
from marketplace.statements.posting import post
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, pay_by, pay_out, take_events
from tests.statements.world import CITY, CLOSED_AT, NOVEMBER, OFFICER, City


def differences(session: Session, stand_in: StandIn | None = None) -> list[tuple[str, str]]:
    at_stripe = list(stand_in.gateway.iter_balance()) if stand_in else None
    return [(found.check, found.detail) for found in audit(session, CITY, at_stripe)]


@pytest.fixture
def paid(city: City, stand_in: StandIn) -> City:
    """A month with absences, vouchers, caps, a payment that succeeded, one disputed, and a payout made."""
    group, other = city.group(), city.group(start=9 * 60)
    households = [city.household() for _ in range(3)]
    city.join(group, households[0], percent="50", held=900)
    city.join(group, households[1], cap=1400)
    city.join(group, households[2])
    city.join(other, households[2])
    city.everybody_came(other)
    first, second, third, fourth = group.meetings
    a, b, c = (one.id for one in group.memberships)
    city.attend(first, {a: Presence.PRESENT, b: Presence.PRESENT, c: Presence.PRESENT})
    city.attend(second, {a: Presence.ABSENT, b: Presence.PRESENT, c: Presence.ABSENT_NOTIFIED})
    city.attend(third, {a: Presence.ABSENT_NOTIFIED, b: Presence.ABSENT_NOTIFIED, c: Presence.ABSENT_NOTIFIED})
    city.attend(fourth, {a: Presence.PRESENT, b: Presence.PRESENT})
    for household, choice in zip(households, ("visa", "disputed", "no_funds"), strict=True):
        pay_by(city.session, stand_in, household, choice)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    for payment in city.session.exec(select(Payment)).all():
        collect(city.session, payment)
    take_events(city.session, stand_in, shuffled=True, times=2)
    group.provider.stripe_account_id = stand_in.open_account(str(group.provider.id))
    for payout in city.session.exec(select(Payout)).all():
        pay_out(city.session, payout, DUE + timedelta(days=8))
    return city


def test_right_books_have_no_difference(paid: City, stand_in: StandIn) -> None:
    assert differences(paid.session, stand_in) == []


def test_attendance_recorded_after_the_closing_does_not_change_the_past(paid: City, stand_in: StandIn) -> None:
    meeting, membership = (
        paid.session.connection()
        .execute(text("select meeting_id, membership_id from statement_line where net_cents > 0 limit 1"))
        .one()
    )
    from marketplace.slots.models import Meeting

    found = paid.session.get_one(Meeting, (CITY, meeting))
    paid.attend(found, {membership: Presence.ABSENT_NOTIFIED}, at=CLOSED_AT + timedelta(days=1))
    assert differences(paid.session, stand_in) == []


@pytest.mark.parametrize(
    ("tampering", "check"),
    [
        ("update programme_week set used_cents = used_cents + 1 where used_cents > 0", "Il budget di una settimana"),
        ("update membership set cap_cents = 1", "Una famiglia paga più"),
        ("update slot set rate_cents_per_hour = rate_cents_per_hour + 1", "Una riga non segue"),
        ("update slot set rate_cents_per_hour = rate_cents_per_hour + 1", "Una scrittura non segue"),
        ("update statement set total_cents = total_cents + 1", "Un estratto non è la somma"),
        (
            "update statement set number = number + 1 where number = (select max(number) from statement)",
            "Manca un numero",
        ),
        ("update voucher_hold set committed_cents = committed_cents - 1 where committed_cents > 0", "Un buono usato"),
        ("update payment set state = 'failed' where state = 'succeeded'", "Un pagamento riuscito"),
        ("update payout set due_cents = due_cents + 1 where paid_at is not null", "Un compenso pagato"),
        ("update payment set stripe_intent_id = 'pi_other' where state = 'succeeded'", "Un pagamento riuscito"),
        ("delete from membership where false", ""),
    ],
)
def test_every_tampering_is_named(paid: City, stand_in: StandIn, tampering: str, check: str) -> None:
    paid.session.connection().execute(text(tampering))
    found = differences(paid.session, stand_in)
    assert any(name.startswith(check) for name, _ in found) if check else found == []


def test_money_that_stripe_moved_without_us_and_we_without_stripe_is_named(paid: City, stand_in: StandIn) -> None:
    post(paid.session, CITY, ledger.payment_succeeded("pi_invented", ledger.family("x"), 100), DUE, DUE.date())
    stand_in.gateway.transfer(
        "by-hand",
        account_id=stand_in.open_account("by-hand"),
        amount_cents=1,
        group="x",
        municipality_id=CITY,
    )
    found = differences(paid.session, stand_in)
    assert [detail for check, detail in found if check.startswith("Il registro e Stripe")] == ["100 e 0", "0 e -1"]


def test_a_provider_paid_more_than_its_due_is_named(paid: City, stand_in: StandIn) -> None:
    provider = paid.session.exec(select(Payout.provider_id)).first()
    post(paid.session, CITY, ledger.paid_by_bank("x", CITY, ledger.provider(str(provider)), 10**6), DUE, DUE.date())
    assert any(check.startswith("Un professionista") for check, _ in differences(paid.session, stand_in))


def test_the_command_says_each_difference_on_a_line_and_fails(city: City, stand_in: StandIn) -> None:
    def run(municipality: str | None = None) -> tuple[int, list[str], list[str]]:
        said: list[str] = []
        noted: list[str] = []
        status = audit_books(city.session, municipality, said.append, noted.append)
        return status, said, noted

    group = city.group()
    city.join(group, city.household())
    city.everybody_came(group)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    city.session.commit()
    assert run() == (0, [], ["I conti tornano."])
    city.session.connection().execute(text("update statement set total_cents = total_cents + 1"))
    city.session.commit()
    status, said, _ = run(CITY)
    assert status == 1 and said == [f"{CITY} Un estratto non è la somma delle sue righe: 2026/1: 12001 e non 12000"]
    with pytest.raises(UnknownMunicipality):
        run("000000")
