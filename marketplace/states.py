"""The words and looks of states: one state has one word on every screen, message and paper."""

from collections.abc import Mapping
from typing import Final

from marketplace.words import N_

STATES: Final[Mapping[str, Mapping[str, str]]] = {
    "service": {
        "tutoring": N_("Aiuto nello studio"),
        "babysitting": N_("Baby-sitter"),
        "home_care": N_("Assistenza in casa"),
    },
    "need": {
        "draft": N_("Bozza"),
        "open": N_("In attesa"),
        "proposed": N_("Proposta da decidere"),
        "served": N_("Hai un posto"),
        "withdrawn": N_("Ritirata"),
        "expired": N_("Scaduta"),
    },
    "group": {
        "proposed": N_("Proposta"),
        "accepted": N_("Accettata"),
        "declined": N_("Rifiutata"),
        "lapsed": N_("Tempo scaduto"),
        "confirmed": N_("Confermato"),
        "running": N_("In corso"),
        "ended": N_("Concluso"),
        "left": N_("Lasciato"),
        "dissolved": N_("Sciolto"),
    },
    "extra": {
        "asked": N_("Chiesto al professionista"),
        "accepted": N_("Si fa"),
        "refused": N_("Il professionista non può"),
        "withdrawn": N_("Non si fa"),
        "expired": N_("Tempo scaduto"),
        "held": N_("Concluso"),
    },
    "attendance": {
        "present": N_("Presente"),
        "absent_notified": N_("Assente con avviso"),
        "absent": N_("Assente"),
        "cancelled_by_provider": N_("Annullato, non paghi"),
        "cancelled_by_municipality": N_("Annullato, non paghi"),
        "unrecorded": N_("Da segnare"),
    },
    "statement": {
        "open": N_("Aperto"),
        "closed": N_("Da pagare"),
        "paid": N_("Pagato"),
        "overdue": N_("In ritardo"),
        "written_off": N_("Stralciato"),
        "contested": N_("In verifica"),
    },
    "payment": {
        "due": N_("Da pagare"),
        "processing": N_("In corso"),
        "succeeded": N_("Pagato"),
        "failed": N_("Non riuscito"),
        "refunded": N_("Tornato indietro"),
        "waiting": N_("In verifica"),
        "cancelled": N_("Non si chiede più"),
    },
    "contest": {
        "open": N_("In verifica"),
        "rejected": N_("Contestata: resta"),
        "upheld": N_("Contestazione accolta"),
    },
    "accreditation": {
        "draft": N_("Bozza"),
        "applied": N_("Domanda inviata"),
        "in_review": N_("In esame"),
        "accredited": N_("Accreditato"),
        "refused": N_("Non accolta"),
        "suspended": N_("Sospeso"),
        "expired": N_("Scaduto"),
        "revoked": N_("Revocato"),
    },
    "meeting": {
        "scheduled": N_("In programma"),
        "held": N_("Svolto"),
        "cancelled_by_provider": N_("Annullato, non paghi"),
        "cancelled_by_municipality": N_("Annullato, non paghi"),
    },
    "work": {
        "scheduled": N_("In programma"),
        "held": N_("Svolto"),
        "cancelled_by_provider": N_("Annullato da te"),
        "cancelled_by_municipality": N_("Annullato dal Comune"),
    },
    "answer": {
        "asked": N_("Da decidere"),
        "accepted": N_("Accettata"),
        "declined": N_("Rifiutata"),
    },
    "isee": {
        "declared": N_("Da verificare"),
        "verified": N_("Verificato"),
        "refused": N_("Non accolto"),
    },
    "upload": {
        "checking": N_("In controllo"),
        "checked": N_("Da confermare"),
        "imported": N_("Importato"),
        "discarded": N_("Scartato"),
    },
    "round": {
        "preparing": N_("In preparazione"),
        "solving": N_("In calcolo"),
        "solved": N_("Calcolato"),
        "proposed": N_("Proposte inviate"),
        "settled": N_("Concluso"),
        "failed": N_("Senza esito"),
    },
}

TONES: Final[Mapping[str, str]] = {
    "served": "good",
    "accepted": "good",
    "confirmed": "good",
    "running": "good",
    "present": "good",
    "paid": "good",
    "accredited": "good",
    "settled": "good",
    "verified": "good",
    "held": "good",
    "imported": "good",
    "checked": "act",
    "proposed": "act",
    "asked": "act",
    "declared": "act",
    "applied": "act",
    "closed": "act",
    "solved": "act",
    "in_review": "act",
    "unrecorded": "act",
    "contested": "act",
    "upheld": "good",
    "overdue": "bad",
    "refused": "bad",
    "suspended": "bad",
    "revoked": "bad",
    "failed": "bad",
    "absent": "bad",
}


def state_word(kind: str, state: str) -> str:
    """The msgid for `state` of a `kind` of STATES; KeyError when the pair is unknown."""
    return STATES[kind][state]


def state_tone(state: str) -> str:
    """`good`, `act` (somebody has to decide), `bad` or `plain`: it chooses the badge's look, never its meaning."""
    return TONES.get(state, "plain")
