"""A closed month's report sums to the same from both sides, follows from the lines, and cannot be opened again."""

import csv
import io
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from marketplace.documents.commands import NotClosed, print_settlement
from marketplace.documents.settlement import DUE, PAYING, differences, report_csv, report_sheet, settlement_report
from marketplace.slots.models import Presence
from marketplace.statements.audit import audit
from marketplace.statements.models import MonthClosing
from marketplace.statements.operations import close_month
from tests.statements.world import CITY, CLOSED_AT, NOVEMBER, OFFICER, City


@pytest.fixture
def closing(city: City) -> MonthClosing:
    """Two families, one with a voucher and a low cap, and a day that the municipality cancelled."""
    group = city.group()
    group.slot.rate_cents_per_hour = 1803
    city.join(group, city.household(), percent="50", held=900, cap=700)
    city.join(group, city.household())
    for meeting in group.meetings[:3]:
        city.attend(meeting, {one.id: Presence.PRESENT for one in group.memberships})
    group.meetings[3].state = "cancelled_by_municipality"
    city.session.flush()
    return close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)


def test_both_sides_of_a_month_sum_to_the_same_and_follow_from_its_lines(city: City, closing: MonthClosing) -> None:
    report = settlement_report(city.session, closing)
    totals = closing.totals
    assert report.total_cents(*PAYING) == report.total_cents(*DUE) > 0
    assert report.total_cents("family") == totals["net_cents"]
    assert report.total_cents("programme") == totals["subsidy_cents"] > 0
    assert report.total_cents("guarantee") == totals["guarantee_cents"] + totals["compensation_cents"] > 0
    assert differences(city.session, report) == []
    assert list(audit(city.session, CITY)) == []


def test_the_report_as_csv_has_each_account_and_both_totals(city: City, closing: MonthClosing) -> None:
    report = settlement_report(city.session, closing)
    rows = list(csv.DictReader(io.StringIO(report_csv(report).decode("utf-8-sig")), delimiter=";"))
    assert {row["conto"] for row in rows} == {"family", "programme", "guarantee", "provider", "venue", "totale"}
    first, second = (row["importo"] for row in rows if row["conto"] == "totale")
    assert first == second == f"{report.total_cents(*PAYING) / 100:.2f}".replace(".", ",")


def test_a_total_that_was_changed_is_found_by_the_audit_and_by_the_report(city: City, closing: MonthClosing) -> None:
    changed = MonthClosing(**closing.model_dump() | {"totals": closing.totals | {"compensation_cents": 1}})
    wrong = differences(city.session, settlement_report(city.session, changed))
    assert len(wrong) == 1
    assert wrong[0].startswith("guarantee")


def test_a_closed_month_is_neither_changed_nor_taken_away(city: City, closing: MonthClosing) -> None:
    for change in (
        "update month_closing set totals = '{}'",
        "delete from month_closing",
        "truncate month_closing cascade",
    ):
        with pytest.raises(DBAPIError), city.session.begin_nested():
            city.session.execute(text(change))
    again = close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    assert again.id == closing.id


def test_the_command_prints_a_closed_month_and_refuses_an_open_one(city: City, closing: MonthClosing) -> None:
    said: list[str] = []
    assert print_settlement(city.session, CITY, NOVEMBER, said.append, said.append) == 0
    assert said[0].startswith("mese;lato;conto;nome;incontri;importo\n2026-11;paga;family;;")
    with pytest.raises(NotClosed):
        print_settlement(city.session, CITY, date(2026, 10, 1), said.append, said.append)


def test_the_report_on_paper_says_what_is_still_to_be_paid(city: City, closing: MonthClosing) -> None:
    from flask import Flask

    from marketplace.i18n import init_i18n

    app = Flask(__name__)
    init_i18n(app)
    with app.test_request_context():
        sheet = report_sheet(settlement_report(city.session, closing), "Reggio Emilia", 1234, "")
        assert sheet.totals[0][1] == sheet.totals[1][1]
        assert sheet.totals[-1][1] == "12,34\xa0€"
        settled = report_sheet(settlement_report(city.session, closing), "Reggio Emilia", 1234, "Versato")
        assert "Versato" in settled.facts
        assert len(settled.totals) == len(sheet.totals) - 1
