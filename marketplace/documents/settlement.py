"""A closed month's report for the municipality comes from the ledger alone: who pays and who is due sum to the same."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import text
from sqlmodel import Session

from marketplace.documents.paper import Sheet
from marketplace.filters import month as month_words
from marketplace.i18n import language
from marketplace.statements.documents import decimal_text, plain_text
from marketplace.statements.models import MonthClosing
from marketplace.statements.months import last_day
from marketplace.statements.wording import money

# What was booked to a month by account, with the account's name and on how many meetings; families are one row.
_BOOKED = """
select split_part(p.account, ':', 1) as kind, coalesce(g.code || ' - ' || g.name, pr.name, v.name, '') as name,
       count(distinct e.id) as meetings, sum(p.cents)::bigint as cents
from ledger_entry e join posting p on p.municipality_id = e.municipality_id and p.entry_id = e.id
left join programme g on g.municipality_id = p.municipality_id and p.account = 'programme:' || g.id
left join provider pr on pr.municipality_id = p.municipality_id and p.account = 'provider:' || pr.id
left join venue v on v.municipality_id = p.municipality_id and p.account = 'venue:' || v.id
where e.municipality_id = :city and e.booked_on = :booked_on and e.event in ('meeting_billed', 'meeting_corrected')
group by 1, case when p.account like 'family:%' then 'family' else p.account end, 2 order by 1, 2
"""
PAYING = ("family", "programme", "guarantee")
DUE = ("provider", "venue", "platform")


@dataclass(frozen=True, slots=True)
class Row:
    """One account of a month: `cents` as it pays or is due, negative where a correction gave back."""

    kind: str
    name: str
    meetings: int
    cents: int


@dataclass(frozen=True, slots=True)
class Report:
    """A closed month: who pays and who is due; both sides sum to the same."""

    closing: MonthClosing
    rows: Sequence[Row]

    def side(self, kinds: Sequence[str]) -> list[Row]:
        """The rows of some kinds of account."""
        return [row for row in self.rows if row.kind in kinds]

    def total_cents(self, *kinds: str) -> int:
        """What the accounts of some kinds add up to."""
        return sum(row.cents for row in self.side(kinds))

    @property
    def of_municipality_cents(self) -> int:
        """What programmes and the fund owe for the month."""
        return self.total_cents("programme", "guarantee")


def settlement_report(session: Session, closing: MonthClosing) -> Report:
    """A closed month's report, derived again from the ledger."""
    found = session.connection().execute(
        text(_BOOKED), {"city": closing.municipality_id, "booked_on": last_day(closing.month)}
    )
    return Report(
        closing,
        [Row(row.kind, row.name, row.meetings, -row.cents if row.kind in DUE else row.cents) for row in found],
    )


def kind_words(kind: str) -> str:
    """What an account is, in words."""
    words: dict[str, str] = {
        "family": _("Famiglie"),
        "programme": _("Programma"),
        "guarantee": _("Fondo di garanzia"),
        "provider": _("Professionista"),
        "venue": _("Sede"),
        "platform": _("Commissioni della piattaforma"),
    }
    return words[kind]


def report_csv(report: Report) -> bytes:
    """The report as CSV that Italian spreadsheets open: each account, then the two totals."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(("mese", "lato", "conto", "nome", "incontri", "importo"))
    name = f"{report.closing.month:%Y-%m}"
    for side, kinds in (("paga", PAYING), ("spetta", DUE)):
        for row in report.side(kinds):
            writer.writerow((name, side, row.kind, plain_text(row.name), row.meetings, decimal_text(row.cents)))
        writer.writerow((name, side, "totale", "", "", decimal_text(report.total_cents(*kinds))))
    return out.getvalue().encode("utf-8-sig")


def report_sheet(report: Report, city: str, owed_cents: int, settled: str) -> Sheet:
    """The report on paper; `owed_cents` is what is still to be paid, `settled` says when it was."""
    closing = report.closing
    columns = [(_("Conto"), False), (_("Nome"), False), (_("Incontri"), True), (_("Importo"), True)]
    totals = closing.totals

    def rows(kinds: Sequence[str]) -> list[list[str]]:
        return [[kind_words(one.kind), one.name, str(one.meetings), money(one.cents)] for one in report.side(kinds)]

    sums = [
        (_("Pagano famiglie, programmi e fondo"), money(report.total_cents(*PAYING))),
        (_("Spetta a professionisti, sedi e piattaforma"), money(report.total_cents(*DUE))),
        (_("A carico del Comune per questo mese"), money(report.of_municipality_cents)),
    ]
    if owed_cents and not settled:
        sums.append((_("Da versare, con commissioni online e conguagli"), money(owed_cents)))
    return Sheet(
        title=_("Rendiconto di %(month)s", month=month_words(closing.month, locale=language())),
        issuer=_("Comune di %(city)s", city=city),
        facts=[
            _("Chiuso il %(day)s", day=f"{closing.closed_at:%d/%m/%Y}"),
            _("Incontri: %(count)s", count=totals["meetings"]),
            _("Estratti conto: %(count)s", count=totals["statements"]),
            *([settled] if settled else []),
        ],
        tables=[(_("Chi paga"), columns, rows(PAYING)), (_("A chi spetta"), columns, rows(DUE))],
        totals=sums,
        notes=[
            _("Ogni importo è la somma delle scritture del mese nel registro: «marketplace audit» lo ricalcola."),
            _("Un mese chiuso non si riapre: una correzione sta nel rendiconto del mese in cui si fa."),
        ],
    )


def differences(session: Session, report: Report) -> list[str]:
    """What of the report does not follow from the statements' lines; nothing where all does."""
    values = {"city": report.closing.municipality_id, "month": report.closing.month}
    lines: Any = (
        session.connection()
        .execute(
            text("""
                select coalesce(sum(l.net_cents), 0)::bigint as family, coalesce(sum(l.subsidy_cents), 0)::bigint
                       as programme, coalesce(sum(l.guarantee_cents), 0)::bigint as guarantee
                from statement s
                join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id
                where s.municipality_id = :city and s.month = :month"""),
            values,
        )
        .one()
    )
    fund = lines.guarantee + report.closing.totals.get("compensation_cents", 0)
    pairs = (
        ("family", lines.family),
        ("programme", lines.programme),
        ("guarantee", fund),
    )
    wrong = [
        f"{kind}: {report.total_cents(kind)} e non {cents}"
        for kind, cents in pairs
        if report.total_cents(kind) != cents
    ]
    if report.total_cents(*PAYING) != report.total_cents(*DUE):
        wrong.append(f"{report.total_cents(*PAYING)} e non {report.total_cents(*DUE)}")
    return wrong
