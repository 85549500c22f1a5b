"""Money in words: the sentences that explain a line or a payment, the same on the page and on paper."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask_babel import gettext as _

from billing.rules import Kind
from marketplace.filters import day, euros
from marketplace.i18n import language
from marketplace.slots.calendar import local_day
from marketplace.statements.models import Payment, PaymentState, Statement, StatementState
from marketplace.statements.queries import LineFacts
from marketplace.vouchers.wording import explain_decision
from marketplace.words import N_

FAILURES: Final = {
    "no_method": N_("non sappiamo ancora come vuoi pagare"),
    "insufficient_funds": N_("i fondi non bastano"),
    "card_declined": N_("la carta è stata rifiutata"),
    "authentication_required": N_("la tua banca vuole una conferma da te"),
    "debit_not_authorized": N_("la banca ha respinto l'addebito"),
}
PAYOUT_FAILURES: Final = {
    "no_account": N_("non ha ancora dato il conto su cui riceverlo"),
    "insufficient_capabilities_for_transfer": N_("il suo conto non può ancora ricevere"),
    "balance_insufficient": N_("il saldo online non basta: le commissioni vanno reintegrate"),
}
GONE: Final = {
    "dispute": N_("Contestazione della banca"),
    "refund": N_("Rimborso"),
    "reversal": N_("Compenso ripreso"),
    "needs_response": N_("In corso"),
    "under_review": N_("In corso"),
    "won": N_("Vinta: i soldi sono tornati"),
    "lost": N_("Persa: la famiglia deve di nuovo"),
    "asked": N_("Richiesto"),
    "done": N_("Fatto"),
    "failed": N_("Non riuscito"),
}
EVENTS: Final = {
    "meeting_billed": N_("Incontro"),
    "meeting_corrected": N_("Rettifica"),
    "payment_succeeded": N_("Pagamento"),
    "payment_returned": N_("Restituzione"),
    "payment_reinstated": N_("Restituzione annullata"),
    "bank_transfer_received": N_("Bonifico"),
    "borne_by_guarantee": N_("Passato al fondo di garanzia"),
}
UNMATCHED: Final = {
    "no_reference": N_("nessuna causale nota"),
    "nothing_due": N_("quell'estratto è già pagato, o in corso"),
    "other_amount": N_("la causale c'è, l'importo è un altro"),
    "unknown_iuv": N_("nessun estratto ha questo avviso pagoPA"),
    "revoked": N_("pagamento revocato: non si accredita"),
    "waits_for_flow": N_("bonifico di pagoPA: aspetta il suo flusso"),
}
UNKNOWN_FAILURE: Final = N_("la banca non l'ha accettato")
ELIDED: Final = {8, 11}  # l'otto, l'undici
METHODS: Final = {
    "card": N_("carta che finisce per %(last4)s"),
    "sepa_debit": N_("domiciliazione sul conto che finisce per %(last4)s"),
}


def money(cents: int) -> str:
    """An amount in the language of the page."""
    return euros(cents, locale=language())


def explain(line: LineFacts) -> list[str]:
    """Why a line costs what it costs, one sentence a step; each figure can be worked out from the one before."""
    why = line.explanation
    if "was_net_cents" in why:
        return [_correction(why)]
    attendance = why["attendance"]
    if attendance == "cancelled_by_municipality":
        return [_("Giorno annullato dal Comune: non paghi. Al professionista pensa il fondo di garanzia.")]
    if attendance == "cancelled_by_provider":
        return [_("Incontro annullato dal professionista: non paga nessuno.")]
    if attendance == "absent_notified" and not line.share_cents:
        return [_("Hai avvisato in tempo: questo incontro non lo paghi.")]
    steps = [_("Incontro in più, senza buono: lo paga solo chi ha detto sì.")] if "is_extra" in why else []
    if attendance == "absent":
        steps.append(_("Assenza senza avviso in tempo: il posto era tenuto per te, e la quota è come se ci fossi."))
    elif attendance == "absent_notified":
        steps.append(_("Per la regola del Comune paghi quello che la tua assenza aggiunge."))
    steps.append(_split(line))
    if line.subsidy_cents:
        steps.append(_("Il buono del Comune mette %(amount)s.", amount=money(line.subsidy_cents)))
    if "decision" in why:
        steps += _decision(why["decision"])
    if line.guarantee_cents:
        steps.append(
            _(
                "Il tuo tetto è %(cap)s a incontro. I %(amount)s in più li mette il fondo di garanzia del Comune.",
                cap=money(why["cap_cents"]),
                amount=money(line.guarantee_cents),
            )
        )
    return steps


def _correction(why: dict[str, Any]) -> str:
    was, is_now = money(why["was_net_cents"]), money(why["now_net_cents"])
    if why.get("is_forgiven"):
        return str(
            _(
                "Contestazione accolta: erano %(was)s, ora sono %(now)s. Il resto lo mette il fondo di garanzia.",
                was=was,
                now=is_now,
            )
        )
    return str(_("Rettifica: avevi pagato %(was)s, con le presenze corrette sono %(now)s.", was=was, now=is_now))


def _decision(made: dict[str, Any]) -> list[str]:
    """What the programme's rule, in the version of that day, said of the share, beyond what was promised."""
    sentences = explain_decision(made["steps"], Kind(made["kind"]))
    if made["extra_cents"]:
        end = _(
            "In tutto %(grant)s: %(extra)s più di quanto era promesso.",
            grant=money(made["grant_cents"]),
            extra=money(made["extra_cents"]),
        )
    else:
        end = _("Non è più di quanto era promesso: resta il buono promesso.")
    return [_("La regola del programma, versione %(number)s:", number=made["number"]), *sentences, end]


def _split(line: LineFacts) -> str:
    """How the cost became this share."""
    why = line.explanation
    shares: list[int] = why["shares"]
    cost = money(why["cost_cents"])
    parts = " + ".join(money(share) for share in shares)
    division = f"{cost} : {len(shares)} = {parts}"
    larger = sum(1 for share in shares if share == max(shares))
    if len(shares) == 1:
        sentence = _("Eri l'unico posto: tutto il costo, %(cost)s.", cost=cost)
    elif not why["equal"] or max(shares) - min(shares) > 1:
        sentence = _(
            "Il costo, %(cost)s, segue posti e tempo di ciascuno: %(parts)s. La tua quota è %(share)s.",
            cost=cost,
            parts=parts,
            share=money(line.share_cents),
        )
    elif max(shares) == min(shares):
        sentence = f"{division}."
    elif larger == 1:
        sentence = _("%(division)s; il centesimo va al primo dell'elenco.", division=division)
    else:
        sentence = _("%(division)s; i %(count)s centesimi vanno ai primi dell'elenco.", division=division, count=larger)
    return str(sentence)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a statement stands: the heading's second sentence, what follows, and whether the family can act."""

    headline: str
    text: str
    tone: str
    can_pay: bool


def standing(statement: Statement, payment: Payment | None, today: date, has_method: bool = True) -> Standing:
    """Where a statement's payment is, in words."""
    if payment is None:
        return Standing(_("Non c'è niente da pagare."), "", "good", False)
    if statement.state == StatementState.PAID:
        when = _on(local_day(statement.paid_at) if statement.paid_at else today)
        return Standing(_("Pagato %(when)s.", when=when), "", "good", False)
    if payment.state == PaymentState.PROCESSING:
        return Standing(_("Pagamento in corso."), _("La banca può metterci qualche giorno."), "plain", False)
    if payment.cause.startswith("returned:") and payment.state == PaymentState.DUE:
        return Standing(_("Il pagamento è tornato indietro."), _("Paga adesso, o chiama il Comune."), "bad", True)
    if payment.state == PaymentState.DUE:
        when = _on(payment.next_attempt_on or statement.due_on)
        headline = _("Addebito %(when)s.", when=when) if has_method else _("Da pagare: scade %(when)s.", when=when)
        return Standing(headline, "", "act", True)
    return _failed(payment)


def _failed(payment: Payment) -> Standing:
    headline = _("L'addebito non è riuscito: %(reason)s.", reason=failure(payment))
    text = _("È in ritardo: paga adesso, o chiama il Comune. Nessun altro paga per questo.")
    if payment.next_attempt_on:
        text = _("Riproviamo %(when)s, oppure paga adesso.", when=_on(payment.next_attempt_on))
    return Standing(headline, text, "bad", True)


def _on(when: date) -> str:
    words = day(when, locale=language(), year=False).split(" ", 1)[1]
    return str(_("l'%(day)s", day=words) if when.day in ELIDED else _("il %(day)s", day=words))


def failure(payment: Payment) -> str:
    """Why a payment did not work, in words."""
    return str(_(FAILURES.get(payment.failure, UNKNOWN_FAILURE)))


def method(label: str) -> str:
    """`card:4242` as people recognise it; empty for none."""
    kind, _sep, last4 = label.partition(":")
    return str(_(METHODS[kind], last4=last4)) if kind in METHODS else ""


def subject_name(topic: str | None, subjects: dict[str, str]) -> str:
    """A topic's Italian name from the municipality's table, empty for none."""
    names = [name for name, code in subjects.items() if code == topic]
    return names[0].capitalize() if names else (topic or "").capitalize()
