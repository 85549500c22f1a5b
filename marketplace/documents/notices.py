"""A pagoPA notice asks for what a statement still lacks; its number follows from the statement's and never changes."""

import io
from datetime import date

import segno
from flask_babel import gettext as _

from billing.pagopa import qr_text
from marketplace.accounts.policy import Policy
from marketplace.documents.paper import Sheet, print_sheet
from marketplace.errors import NotFound
from marketplace.filters import month
from marketplace.households.models import Household
from marketplace.i18n import language
from marketplace.statements.bank import statement_notice
from marketplace.statements.models import ASKED, PaymentState
from marketplace.statements.queries import StatementFacts
from marketplace.statements.wording import money


def due_cents(facts: StatementFacts) -> int:
    """What is asked of a statement and may be paid now: not what is under way, nor what waits for a decision."""
    idle = (PaymentState.PROCESSING, PaymentState.WAITING)
    return sum(one.cents for one in facts.payments if one.state in ASKED and one.state not in idle)


def notice_pdf(facts: StatementFacts, household: Household, policy: Policy, city: str) -> bytes:
    """The notice on paper, with its QR code; raises NotFound where there is nothing to pay or no pagoPA."""
    cents, statement = due_cents(facts), facts.statement
    if not cents or not policy.pagopa_creditor:
        raise NotFound
    number = statement_notice(statement, policy)
    code = segno.make(qr_text(number, policy.pagopa_creditor, cents), error="m")
    svg = io.BytesIO()
    code.save(svg, kind="svg", border=4)
    spaced = " ".join(number[start : start + 4] for start in range(0, 18, 4))
    rows = [
        [_("Codice avviso"), spaced],
        [_("Codice fiscale dell'ente"), policy.pagopa_creditor],
        [_("Scadenza"), _date(statement.due_on)],
    ]
    if policy.pagopa_interbank:
        rows.append([_("Codice interbancario"), policy.pagopa_interbank])
    return print_sheet(
        Sheet(
            title=_("Avviso di pagamento pagoPA"),
            issuer=_("Comune di %(city)s", city=city),
            facts=[
                _("Estratto conto di %(month)s", month=month(statement.month, locale=language())),
                _("Numero %(number)s/%(year)s", number=statement.number, year=statement.year),
            ],
            parties=[
                (_("Ente creditore"), [policy.payee or _("Comune di %(city)s", city=city)]),
                (_("Chi paga"), [f"{household.given_name} {household.family_name}", household.address]),
            ],
            tables=[(_("Dati per pagare"), [(_("Voce"), False), (_("Valore"), False)], rows)],
            totals=[(_("Da pagare"), money(cents))],
            code={
                "svg": svg.getvalue().decode(),
                "alt": _("Codice QR dell'avviso %(number)s, %(amount)s", number=spaced, amount=money(cents)),
                "words": _(
                    "Inquadra il codice con l'app della tua banca o con IO, oppure porta codice avviso e codice"
                    " fiscale dell'ente in banca, in posta o dal tabaccaio."
                ),
            },
            notes=[_("L'importo è quello di oggi: se paghi in un altro modo, l'avviso non serve più.")],
        )
    )


def _date(day: date) -> str:
    return f"{day:%d/%m/%Y}"
