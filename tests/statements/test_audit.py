"""The audit is silent on right books and names the row of every wrong one."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from billing import ledger
from marketplace.accounts.models import Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.messages.models import Message
from marketplace.slots.models import Presence
from marketplace.statements import gateways
from marketplace.statements.audit import audit
from marketplace.statements.commands import UnknownMunicipality, audit_books
from marketplace.statements.models import Payout
from marketplace.statements.nightly import audit_nightly, last_check
from marketplace.statements.operations import close_month
from marketplace.statements.posting import post
from tests.stand_in import StandIn
from tests.statements.lived import a_lived_month
from tests.statements.test_payments import DUE
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, City


def differences(session: Session, stand_in: StandIn | None = None) -> list[tuple[str, str]]:
    at_stripe = list(stand_in.gateway.iter_balance()) if stand_in else None
    return [(found.check, found.detail) for found in audit(session, CITY, at_stripe)]


@pytest.fixture
def paid(city: City, stand_in: StandIn) -> City:
    return a_lived_month(city, stand_in)


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


def test_every_night_the_books_are_checked_and_officers_hear_of_differences(city: City, stand_in: StandIn) -> None:
    session = city.session
    officer = add_user(session, LONG_AGO, "officer@example.org", "officer")
    appoint(session, LONG_AGO, officer.id, CITY, Role.OFFICER)
    group = city.group()
    city.join(group, city.household())
    city.everybody_came(group)
    close_month(session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    for night in range(2):
        audit_nightly.func.__wrapped__(session, CITY, CLOSED_AT + timedelta(days=night))
    assert session.exec(select(Message)).all() == []
    session.connection().execute(text("update statement set total_cents = total_cents + 1"))
    for hours in (48, 49):
        audit_nightly.func.__wrapped__(session, CITY, CLOSED_AT + timedelta(hours=hours))
    found = last_check(session, CITY)
    assert found is not None and found.count == 1 and found.with_stripe
    assert found.differences[0]["row"] == "2026/1"
    [message] = session.exec(select(Message)).all()
    assert message.recipient == "officer@example.org" and "questa notte: 1." in message.body
    gateways.pay_through(None)
    audit_nightly.func.__wrapped__(session, CITY, CLOSED_AT + timedelta(hours=50))
    assert not last_check(session, CITY).with_stripe  # type: ignore[union-attr]
