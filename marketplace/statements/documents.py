"""A statement on paper says what the page says: an accessible PDF (PDF/UA-1), and a month's lines as CSV."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import typst
from flask_babel import gettext as _

from marketplace.filters import day, day_brief, month, state
from marketplace.i18n import language
from marketplace.statements.queries import StatementFacts
from marketplace.statements.wording import explain, money, standing, subject_name

TEMPLATE = Path(__file__).parents[2] / "templates" / "documents" / "statement.typ"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def statement_pdf(
    facts: StatementFacts, payer: str, address: str, city: str, subjects: dict[str, str], today: date
) -> bytes:
    """A family's statement as PDF/UA-1, in the language of the page."""
    statement, where = facts.statement, standing(facts.statement, facts.payment, today)
    title = _("Estratto conto di %(month)s", month=month(statement.month, locale=language()))
    data = {
        "lang": language(),
        "title": title,
        "city": _("Comune di %(city)s", city=city),
        "number": _("Numero %(number)s/%(year)s", number=statement.number, year=statement.year),
        "payer": payer,
        "address": address,
        "standing": where.headline,
        "columns": [_("Data"), _("Presenza"), _("Posti"), _("Costo"), _("Quota"), _("Buono"), _("Fondo"), _("Paghi")],
        "why": _("Come si arriva alla quota"),
        "groups": [_group(group, subjects) for group in facts.groups],
        "totals": [[label, money(cents)] for label, cents in totals(facts)],
        "note": _("I prezzi comprendono l'IVA. Il servizio è reso dal professionista indicato per ogni gruppo."),
    }
    pdf = typst.compile(
        TEMPLATE.read_bytes(), format="pdf", pdf_standards=["ua-1"], sys_inputs={"data": json.dumps(data)}
    )
    return bytes(pdf)


def totals(facts: StatementFacts) -> list[tuple[str, int]]:
    """The rows under a statement: what it adds up to, step by step; the last is what is paid."""
    rows = [(_("Le tue quote"), facts.share_cents)]
    if facts.subsidy_cents:
        rows.append((_("Buono del Comune"), -facts.subsidy_cents))
    if facts.guarantee_cents:
        rows.append((_("Fondo di garanzia (oltre il tuo tetto)"), -facts.guarantee_cents))
    if facts.credit_cents > 0:
        rows.append((_("Credito dai mesi scorsi"), -facts.credit_cents))
    elif facts.credit_cents:
        rows.append((_("Dai mesi scorsi"), -facts.credit_cents))
    rows.append((_("Paghi tu"), facts.statement.total_cents - facts.credit_cents))
    return rows


def _group(group: Any, subjects: dict[str, str]) -> dict[str, Any]:
    service = state(group.service, "service")
    topic = subject_name(group.topic, subjects)
    return {
        "title": f"{service}: {topic}" if topic else service,
        "provider": _("con %(name)s", name=group.provider_name),
        "rows": [
            [
                day_brief(line.held_on, locale=language()),
                state(line.explanation["attendance"], "attendance"),
                str(line.explanation["seats"]),
                money(line.explanation["cost_cents"]),
                money(line.share_cents),
                money(-line.subsidy_cents),
                money(-line.guarantee_cents),
                money(line.net_cents),
            ]
            for line in group.lines
        ],
        "reasons": [
            [day(line.held_on, locale=language(), year=False), " ".join(explain(line))] for line in group.lines
        ],
    }


HEADER = (
    "estratto", "cognome", "nome", "data", "servizio", "professionista", "presenza", "quota", "buono", "programma",
    "fondo di garanzia", "paga la famiglia",
)  # fmt: skip


def month_csv(lines: Sequence[Any]) -> bytes:
    """A closed month's lines as CSV that Italian spreadsheets open: semicolons, decimal commas, UTF-8 with its mark."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    for line in lines:
        writer.writerow(
            [
                f"{line.number}/{line.year}",
                plain_text(line.family_name),
                plain_text(line.given_name),
                f"{line.held_on:%d/%m/%Y}",
                line.service,
                plain_text(line.provider_name),
                line.attendance,
                decimal_text(line.share_cents),
                decimal_text(line.subsidy_cents),
                plain_text(line.programme),
                decimal_text(line.guarantee_cents),
                decimal_text(line.net_cents),
            ]
        )
    return out.getvalue().encode("utf-8-sig")


def payouts_csv(payouts: Sequence[tuple[Any, Any]]) -> bytes:
    """The bank transfers of a settled month, for the treasury."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(("professionista", "codice", "importo", "riferimento", "pagato il"))
    for payout, provider in payouts:
        paid = f"{payout.paid_at:%d/%m/%Y}" if payout.paid_at else ""
        writer.writerow(
            (plain_text(provider.name), plain_text(provider.code), decimal_text(payout.due_cents), payout.id, paid)
        )
    return out.getvalue().encode("utf-8-sig")


def plain_text(words: str) -> str:
    """Words that no spreadsheet takes for a formula."""
    return f"'{words}" if words.startswith(FORMULA_STARTS) else words


def decimal_text(cents: int) -> str:
    """Cents as `1234,50`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100},{abs(cents) % 100:02d}"
