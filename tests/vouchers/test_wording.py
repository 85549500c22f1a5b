"""A decision's sentences hold every figure of its steps, in both languages, and never the ISEE itself."""

from dataclasses import asdict
from datetime import date
from decimal import Decimal

from flask_babel import force_locale

from billing.decisions import History, Use, decide
from billing.reading import model_of
from billing.rules import Rule
from marketplace.vouchers.wording import explain_decision, rule_sentences
from marketplace.web import Application
from tests.billing.test_decisions import LIGURIA, RAVENNA, TERAMO, WALLONIA


def plain(sentences: list[str]) -> list[str]:
    return [sentence.replace("\xa0", " ") for sentence in sentences]


def explained(values: dict[str, object], **changes: object) -> list[str]:
    rule = model_of(values, Rule)
    use = Use("h", "p", date(2026, 1, 5), 90, 3000, **{"isee": Decimal(15123), **changes})
    steps = [asdict(step) for step in decide(rule, use, History(rule)).steps]
    sentences = plain(explain_decision(steps, rule.kind))
    assert not any("15.123" in sentence or "15,123" in sentence for sentence in sentences)
    return sentences


def test_a_decision_can_be_followed_by_hand(app: Application) -> None:
    with app.test_request_context():
        assert explained({**TERAMO, "limits": [{"amount": 20, "per": "month"}]}) == [
            "ISEE da 9.000,00 € a 30.000,00 €: la famiglia paga 2,52 € l'ora (da 1,50 € a 5,00 €, in proporzione)."
            " Per 1 ora e 30 fanno 3,78 €.",
            "Limite: 20,00 € al mese a persona. Ne restano 20,00 €.",
        ]
        assert explained(LIGURIA) == [
            "ISEE da 15.000,00 € a 30.000,00 €: il Comune mette 70,00 € la settimana."
            " Già contati nel periodo 0,00 €, ne restano 70,00 €."
        ]
        assert explained({"kind": "percent", "tariffs": [{"bands": [{"amount": 62.5}]}]}) == [
            "Qualunque ISEE: il Comune mette il 62,5 % della quota."
        ]
        assert explained(WALLONIA) == ["Per le ore dell'anno fin qui la famiglia paga 15,30 €."]
        assert explained(TERAMO, isee=None) == ["La regola dipende dall'ISEE, e quel giorno non ce n'era uno valido."]
        assert explained({**TERAMO, "age_min": 65}, age=20) == ["La regola vale per un'altra età."]


def test_a_rule_reads_as_sentences(app: Application) -> None:
    with app.test_request_context():
        assert plain(rule_sentences(model_of({**TERAMO, "age_min": 65, "residents_only": True}, Rule))) == [
            "ISEE fino a 7.500,00 €: la famiglia paga 0,00 € l'ora.",
            "ISEE da 7.500,00 € a 9.000,00 €: la famiglia paga 1,50 € l'ora.",
            "ISEE da 9.000,00 € a 30.000,00 €: la famiglia paga da 1,50 € a 5,00 € l'ora.",
            "ISEE oltre 30.000,00 €: prezzo intero.",
            "Da 65 anni in su.",
            "Solo per chi risiede nel Comune.",
        ]
        assert len(rule_sentences(model_of(RAVENNA, Rule))) == 8
        assert plain(rule_sentences(model_of(WALLONIA, Rule)))[0] == (
            "La famiglia paga 10,20 € l'ora fino all'ora 175 dell'anno."
        )
        with force_locale("en"):
            assert rule_sentences(model_of(LIGURIA, Rule))[-1] == "At most 6 weeks a year for each person."
