"""Rules and decisions in words: each figure of a step is in its sentence, so that it can be followed by hand."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from flask_babel import gettext as _

from billing.rules import Kind, Limit, Per, Rule, Tariff
from marketplace.filters import duration, euros, number
from marketplace.i18n import language
from marketplace.words import N_

PER: Final = {
    "hour": N_("l'ora"),
    "day": N_("al giorno"),
    "week": N_("la settimana"),
    "month": N_("al mese"),
    "year": N_("all'anno"),
}
REFUSALS: Final = {
    "service": N_("La regola non vale per questo servizio."),
    "age": N_("La regola vale per un'altra età."),
    "residence": N_("La regola vale solo per chi risiede nel Comune."),
    "disability": N_("La regola vale solo per persone con disabilità."),
    "others": N_("Un altro programma paga già una parte, e questo non si somma."),
    "isee": N_("La regola dipende dall'ISEE, e quel giorno non ce n'era uno valido."),
    "isee_max": N_("Il tuo ISEE supera il limite della regola."),
    "full_price": N_("In questa fascia di ISEE la regola lascia il prezzo intero."),
    "no_band": N_("Nessuna fascia della regola arriva al tuo ISEE."),
    "no_step": N_("Le ore dell'anno superano quelle della regola."),
}


def money(amount: str | Decimal | int) -> str:
    """Cents, or euro as decimal text, in the language of the page."""
    return euros(amount if isinstance(amount, int) else int(Decimal(amount) * 100), locale=language())


def explain_decision(steps: Iterable[Mapping[str, Any]], kind: Kind) -> list[str]:
    """A decision's steps (as they are kept with a line) in sentences, without what only lets it pass."""
    return [sentence for step in steps if (sentence := _sentence(step, kind))]


def _sentence(step: Mapping[str, Any], kind: Kind) -> str:
    what, values = step["what"], step["values"]
    if what in REFUSALS:
        return "" if step["passed"] else str(_(REFUSALS[what]))
    if what in ("hourly", "period", "percent"):
        return _tariff_sentence(what, values, kind)
    if what == "stepped":
        return str(_("Per le ore dell'anno fin qui la famiglia paga %(cents)s.", cents=money(values["cents"])))
    if what == "limit":
        limit = Limit.model_validate({name: value for name, value in values.items() if name != "left_cents"})
        return str(
            _("Limite: %(limit)s. Ne restano %(left)s.", limit=limit_words(limit), left=money(values["left_cents"]))
        )
    return ""


def _tariff_sentence(what: str, values: Mapping[str, Any], kind: Kind) -> str:
    band = _band_words(values["above"], values["up_to"])
    if what == "percent":
        return str(
            _("%(band)s: il Comune mette il %(percent)s %% della quota.", band=band, percent=_plain(values["amount"]))
        )
    amount = f"{money(values['amount'])} {_(PER[values['per']])}"
    if "first" in values:
        amount += " " + str(
            _("(da %(first)s a %(last)s, in proporzione)", first=money(values["first"]), last=money(values["last"]))
        )
    who = (
        _("la famiglia paga %(amount)s", amount=amount)
        if kind is Kind.CHARGE
        else _("il Comune mette %(amount)s", amount=amount)
    )
    if what == "hourly":
        time = duration(values["minutes"] * values["seats"], locale=language())
        return str(
            _(
                "%(band)s: %(who)s. Per %(time)s fanno %(cents)s.",
                band=band,
                who=who,
                time=time,
                cents=money(values["cents"]),
            )
        )
    return str(
        _(
            "%(band)s: %(who)s. Già contati nel periodo %(before)s, ne restano %(cents)s.",
            band=band,
            who=who,
            before=money(values["before_cents"]),
            cents=money(values["cents"]),
        )
    )


def _band_words(above: str | Decimal, up_to: str | Decimal | None) -> str:
    if up_to is None:
        return str(_("ISEE oltre %(above)s", above=money(above)) if Decimal(above) else _("Qualunque ISEE"))
    return str(
        _("ISEE fino a %(up_to)s", up_to=money(up_to))
        if not Decimal(above)
        else _("ISEE da %(above)s a %(up_to)s", above=money(above), up_to=money(up_to))
    )


def band_names(rule: Rule) -> list[str]:
    """The name of each band of a rule."""
    below = Decimal(0)
    names = []
    for edge in rule.edges:
        names.append(_band_words(below, edge))
        below = edge or below
    return names


def rule_sentences(rule: Rule) -> list[str]:
    """A rule as people read it: its amounts, one sentence a band, then limits and conditions."""
    sentences = [sentence for tariff in rule.tariffs for sentence in _tariff_sentences(rule, tariff)]
    sentences += [str(_("Al massimo %(limit)s.", limit=limit_words(limit))) for limit in rule.limits]
    if rule.age_min is not None or rule.age_max is not None:
        sentences.append(_age_words(rule))
    for asked, words in (
        (rule.residents_only, N_("Solo per chi risiede nel Comune.")),
        (rule.disability_only, N_("Solo per persone con disabilità.")),
        (rule.isee_waived, N_("Con una disabilità l'ISEE non conta.")),
        (not rule.with_others, N_("Non si somma ad altri programmi.")),
    ):
        if asked:
            sentences.append(str(_(words)))
    return sentences


def _tariff_sentences(rule: Rule, tariff: Tariff) -> list[str]:
    if tariff.steps:
        return [
            str(
                _(
                    "La famiglia paga %(price)s l'ora fino all'ora %(up_to)s dell'anno.",
                    price=money(step.price),
                    up_to=step.up_to,
                )
            )
            if step.up_to
            else str(_("Oltre, la famiglia paga %(price)s l'ora.", price=money(step.price)))
            for step in tariff.steps
        ]
    below, sentences = Decimal(0), []
    for band in tariff.graded:
        words = _band_words(below, band.up_to)
        sentences.append(f"{words}: {_amount_words(rule.kind, tariff.per, band.first, band.last)}.")
        below = band.up_to or below
    return sentences


def _amount_words(kind: Kind, per: Per, first: Decimal | None, last: Decimal | None) -> str:
    if first is None or last is None:
        return str(_("prezzo intero"))
    if kind is Kind.PERCENT:
        low, high = _plain(first), _plain(last)
        if first == last:
            return str(_("il Comune mette il %(percent)s %% della quota", percent=low))
        return str(_("il Comune mette dal %(low)s al %(high)s %% della quota, in proporzione", low=low, high=high))
    amount = money(first) if first == last else str(_("da %(first)s a %(last)s", first=money(first), last=money(last)))
    amount += " " + str(_(PER[per.value]))
    if kind is Kind.CHARGE:
        return str(_("la famiglia paga %(amount)s", amount=amount))
    return str(_("il Comune mette %(amount)s", amount=amount))


def limit_words(limit: Limit) -> str:
    """`100,00 € al mese a persona`, `6 settimane all'anno a persona`."""
    of = _("a persona") if limit.of == "person" else _("a famiglia")
    per = _(PER[limit.per.value])
    if limit.amount is not None:
        return f"{money(limit.amount)} {per} {of}"
    if limit.weeks is not None:
        return str(_("%(count)s settimane %(per)s %(of)s", count=limit.weeks, per=per, of=of))
    return str(_("%(count)s giorni %(per)s %(of)s", count=limit.days, per=per, of=of))


def _age_words(rule: Rule) -> str:
    if rule.age_max is None:
        return str(_("Da %(low)s anni in su.", low=rule.age_min))
    if rule.age_min is None:
        return str(_("Fino a %(high)s anni.", high=rule.age_max))
    return str(_("Da %(low)s a %(high)s anni.", low=rule.age_min, high=rule.age_max))


def _plain(amount: str | Decimal) -> str:
    return number(Decimal(amount).normalize() if Decimal(amount) else 0, locale=language())
