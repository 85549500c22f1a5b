"""What is paid gets its receipt, what is corrected its credit note, once, with the next number and nothing between."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, func, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from marketplace.accounts.models import PolicyVersion
from marketplace.accounts.policy import get_policy
from marketplace.db import NOBODY, Scope, set_scope
from marketplace.documents.fatturapa import invoice_xml
from marketplace.documents.issuing import (
    certificate_so_far,
    issue_certificates,
    issue_for_statements,
    issue_payout_notes,
)
from marketplace.documents.models import Document, DocumentCounter, DocumentKind, DocumentLine, TaxRegime
from marketplace.documents.operations import issue_all
from marketplace.households.models import Household
from marketplace.installation import Installation
from marketplace.slots.models import Presence
from marketplace.statements.bank import statement_notice, take_file
from marketplace.statements.models import Payout, Statement, StatementLine
from marketplace.statements.operations import close_month
from tests.billing.test_bank import camt, entry
from tests.documents.paid import PAYER, VAT_NUMBER, a_group, close_and_pay, documents, says
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, pay_out
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, City, build

DECEMBER, CLOSED_AGAIN = date(2026, 12, 1), datetime(2027, 1, 4, 8, tzinfo=UTC)


def test_a_paid_statement_gets_a_receipt_of_each_provider_once(city: City, stand_in: StandIn) -> None:
    group = a_group(city, families=2, at_venue=True)
    city.groups.append(group)
    says(city.session, group.provider)
    close_and_pay(city, stand_in)
    assert issue_for_statements(city.session, CITY, DUE) == 2
    assert issue_for_statements(city.session, CITY, DUE) == 0
    first, second = documents(city.session)
    assert [(one.kind, one.year, one.number) for one in (first, second)] == [
        (DocumentKind.RECEIPT, 2026, 1),
        (DocumentKind.RECEIPT, 2026, 2),
    ]
    facts = first.facts
    lines = city.session.exec(select(StatementLine).where(StatementLine.household_id == first.household_id)).all()
    assert first.total_cents == sum(line.net_cents for line in lines) == sum(row["cents"] for row in facts["rows"])
    assert facts["taxable_cents"] == sum(line.provider_cents for line in lines)
    assert facts["taxable_cents"] + facts["passed_on_cents"] == first.total_cents
    assert facts["payer"]["tax_code"] == PAYER
    assert [(one["cents"], one["by_bank"]) for one in facts["paid"]] == [(first.total_cents, False)]


def test_nothing_is_issued_before_it_is_paid_or_before_the_provider_says_how_it_stands(
    city: City, stand_in: StandIn
) -> None:
    group = a_group(city)
    city.groups.append(group)
    close_and_pay(city, stand_in)
    assert issue_for_statements(city.session, CITY, DUE) == 0
    says(city.session, group.provider)
    city.session.execute(text("update statement set state = 'overdue'"))
    assert issue_for_statements(city.session, CITY, DUE) == 0
    city.session.execute(text("update statement set state = 'paid'"))
    assert issue_for_statements(city.session, CITY, DUE) == 1


def test_who_works_by_libretto_famiglia_issues_nothing(city: City, stand_in: StandIn) -> None:
    group = a_group(city)
    city.groups.append(group)
    says(city.session, group.provider, TaxRegime.LIBRETTO)
    close_and_pay(city, stand_in)
    assert issue_for_statements(city.session, CITY, DUE) == 0


@pytest.mark.parametrize(
    ("regime", "is_third_sector", "vat", "stamp"),
    [
        (TaxRegime.EXEMPT, False, 0, 200),
        (TaxRegime.EXEMPT, True, 0, 0),
        (TaxRegime.FLAT, False, 0, 200),
        (TaxRegime.ORDINARY, False, 514, 0),
    ],
)
def test_vat_and_stamp_follow_from_what_the_issuer_is_and_the_family_pays_no_more(
    city: City, stand_in: StandIn, regime: TaxRegime, is_third_sector: bool, vat: int, stamp: int
) -> None:
    group = a_group(city)
    city.groups.append(group)
    says(city.session, group.provider, regime, is_third_sector=is_third_sector)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    (receipt,) = documents(city.session)
    assert (receipt.total_cents, receipt.facts["vat_cents"], receipt.stamp_cents) == (10800, vat, stamp)


def test_what_a_correction_gives_back_is_a_credit_note_that_names_its_receipt(city: City, stand_in: StandIn) -> None:
    group = a_group(city)
    city.groups.append(group)
    says(city.session, group.provider)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    meeting, membership = group.meetings[0], group.memberships[0]
    city.attend(meeting, {membership.id: Presence.ABSENT_NOTIFIED}, at=DUE)
    (later,) = city.meet(group, [date(2026, 12, 1)])
    city.attend(later, {membership.id: Presence.PRESENT})
    close_and_pay(city, stand_in, DECEMBER, CLOSED_AGAIN)
    assert issue_for_statements(city.session, CITY, CLOSED_AGAIN) == 2
    first, *others = documents(city.session)
    new = {one.kind: one for one in others if one.year == 2027} | {one.kind: one for one in others}
    note = new[DocumentKind.CREDIT_NOTE]
    assert note.total_cents < 0
    receipt = city.session.get_one(Document, (CITY, note.original_id))
    assert receipt.facts["statement"] == "1/2026"
    assert note.facts["original"]["number"] == receipt.number
    assert (
        sum(one.total_cents for one in documents(city.session))
        == city.session.exec(select(func.sum(StatementLine.net_cents))).one()
    )
    assert first.issuer == note.issuer


def test_every_line_is_on_one_document_and_no_line_on_two(city: City, stand_in: StandIn) -> None:
    group = a_group(city, families=2)
    city.groups.append(group)
    says(city.session, group.provider)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    on_documents = set(city.session.exec(select(DocumentLine.line_id)))
    assert on_documents == set(city.session.exec(select(StatementLine.id)))
    line = city.session.exec(select(DocumentLine)).first()
    again = {name: getattr(line, name) for name in ("municipality_id", "document_id", "line_id", "household_id")}
    with pytest.raises(IntegrityError, match="line_documented_once"), city.session.begin_nested():
        city.session.execute(insert(DocumentLine), [again | {"provider_id": line.provider_id}])


def test_a_document_is_never_changed(city: City, stand_in: StandIn) -> None:
    group = a_group(city)
    city.groups.append(group)
    says(city.session, group.provider)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    for change in ("update document set total_cents = 1", "delete from document", "update tax_profile set town = ''"):
        with pytest.raises(DBAPIError, match="never changed"), city.session.begin_nested():
            city.session.execute(text(change))


def test_a_month_that_is_over_gets_a_note_of_what_the_provider_was_paid(city: City, stand_in: StandIn) -> None:
    group = a_group(city, at_venue=True)
    city.groups.append(group)
    close_and_pay(city, stand_in)
    group.provider.stripe_account_id = stand_in.open_account(str(group.provider.id))
    for payout in city.session.exec(select(Payout)).all():
        pay_out(city.session, payout, DUE + timedelta(days=8))
    assert issue_payout_notes(city.session, CITY, DUE + timedelta(days=9)) == 0
    assert issue_payout_notes(city.session, CITY, CLOSED_AGAIN) == 1
    assert issue_payout_notes(city.session, CITY, CLOSED_AGAIN) == 0
    (note,) = documents(city.session)
    assert (note.kind, note.issuer, note.total_cents) == (DocumentKind.PAYOUT_NOTE, "municipality", 10800)
    assert note.provider_id == group.provider.id


def test_a_certificate_says_what_was_paid_net_in_a_year_that_is_over(city: City, stand_in: StandIn) -> None:
    group = a_group(city, families=2)
    city.groups.append(group)
    close_and_pay(city, stand_in)
    household = city.session.get_one(Household, (CITY, group.memberships[0].household_id))
    so_far = certificate_so_far(city.session, household, DUE)
    assert issue_certificates(city.session, CITY, DUE) == 0
    assert issue_certificates(city.session, CITY, CLOSED_AGAIN) == 2
    found = {one.household_id: one for one in documents(city.session)}[household.id]
    assert found.total_cents == sum(row["cents"] for row in so_far["rows"]) > 0
    assert (found.facts["of_year"], found.year) == (2026, 2027)


def test_tax_notes_are_those_of_the_policy_of_the_day(city: City, stand_in: StandIn) -> None:
    city.session.add(
        PolicyVersion(
            municipality_id=CITY,
            valid_from=date(2026, 1, 1),
            settings={"tax_notes": {"tutoring": "Non detraibile.", "home_care": "Altro."}},
            created_at=LONG_AGO,
        )
    )
    group = a_group(city)
    city.groups.append(group)
    says(city.session, group.provider)
    close_and_pay(city, stand_in)
    issue_all(city.session, CITY, DUE)
    assert documents(city.session)[0].facts["notes"] == ["Non detraibile."]


def test_a_family_and_a_provider_see_their_own_documents_and_nobody_elses(city: City, stand_in: StandIn) -> None:
    groups = [a_group(city), a_group(city)]
    city.groups += groups
    for group in groups:
        says(city.session, group.provider)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    session, first = city.session, groups[0]
    family, provider = first.memberships[0].household_id, first.provider.id

    def seen(scope: Scope) -> set[tuple[object, object]]:
        set_scope(session, scope)
        session.expire_all()
        rows = session.exec(select(col(Document.household_id), col(Document.provider_id))).all()
        lines = session.exec(select(DocumentLine.id)).all()
        assert bool(rows) == bool(lines)
        return {tuple(row) for row in rows}

    assert len(seen(Scope(CITY))) == 2
    assert seen(Scope(CITY, family, NOBODY)) == {(family, provider)}
    assert seen(Scope(CITY, NOBODY, provider)) == {(family, provider)}
    assert seen(Scope(CITY, NOBODY, NOBODY)) == set()
    assert seen(Scope("006003")) == set()


def certificate_of(household_id: object, on: date = date(2026, 11, 26)) -> dict[str, object]:
    return {
        "municipality_id": CITY,
        "id": uuid7(),
        "kind": DocumentKind.CERTIFICATE,
        "issuer": "municipality",
        "year": on.year,
        "number": 7,
        "subject": str(uuid4()),
        "issued_on": on,
        "issued_at": LONG_AGO,
        "household_id": household_id,
        "total_cents": 1,
        "stamp_cents": 0,
        "content": "{}",
    }


def test_numbers_have_no_gap_whoever_issues_at_once_and_whoever_gives_up(installation: Installation) -> None:
    engine = create_engine(installation.app_url, pool_size=8)
    with Session(engine) as session:
        household = build(session).household().id
        session.commit()
    start = threading.Barrier(6)

    def issue(worker: int) -> None:
        start.wait()
        for turn in range(10):
            with Session(engine) as session:
                set_scope(session, Scope(CITY))
                session.execute(insert(Document), [certificate_of(household)])
                if (worker + turn) % 3:
                    session.commit()
                else:
                    session.rollback()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(issue, range(6)))
    with Session(engine) as session:
        set_scope(session, Scope(CITY))
        numbers = sorted(session.exec(select(Document.number)))
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) == 40
        assert session.exec(select(DocumentCounter.last)).one() == 40
    engine.dispose()


def test_a_number_is_never_chosen_and_never_dated_before_the_last(city: City) -> None:
    household = city.household().id
    city.session.execute(insert(Document), [certificate_of(household)])
    assert [one.number for one in documents(city.session)] == [1]
    with pytest.raises(IntegrityError, match="dated in order"), city.session.begin_nested():
        city.session.execute(insert(Document), [certificate_of(household, date(2026, 11, 25))])
    city.session.execute(insert(Document), [certificate_of(household, date(2027, 1, 2))])
    assert sorted((one.year, one.number) for one in documents(city.session)) == [(2026, 1), (2027, 1)]


def test_a_receipt_of_what_came_by_pagopa_names_its_notice(city: City, stand_in: StandIn) -> None:
    group = a_group(city)
    says(city.session, group.provider)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    settings = {"pagopa_creditor": VAT_NUMBER}
    city.session.add(PolicyVersion(municipality_id=CITY, valid_from=NOVEMBER, settings=settings, created_at=LONG_AGO))
    city.session.flush()
    statement = city.session.exec(select(Statement)).one()
    number = statement_notice(statement, get_policy(city.session, CITY, DUE.date()))
    euros = f"{statement.total_cents // 100}.{statement.total_cents % 100:02d}"
    take_file(city.session, OFFICER, DUE, camt(entry(euros, text=f"avviso {number}")))
    issue_for_statements(city.session, CITY, DUE)
    [receipt] = documents(city.session)
    [paid] = receipt.facts["paid"]
    assert (paid["by_notice"], paid["reference"]) == (True, number)
    assert b"<ModalitaPagamento>MP23</ModalitaPagamento>" in invoice_xml(receipt, "Reggio Emilia")
