"""Every refusal is of one of these kinds, says what to do in the user's language, and changes nothing.

MarketplaceError
|- NotFound    what was asked for is not here, or not for this person to see   404
|- NoToken     a program without a key that holds                               401
|- Forbidden   this person may not do this                                      403
|- Conflict    somebody was faster, or the state does not allow it any more     409
|- Rejected    the input is wrong or a rule says no                             422
|- Outdated    a program would change what it has not seen                        412
`- CannotRun   this machine lacks what it takes: a database, a port, room      503
"""

from collections.abc import Mapping
from typing import Any

from marketplace.words import N_


class MarketplaceError(Exception):
    """`message` is an Italian msgid; `values` fill its %(name)s places; `field` names the input that it is about.

    `wait_seconds`: after which time the same may be asked again.
    """

    status = 500
    default = N_("Qualcosa non ha funzionato. Riprova tra qualche minuto.")

    def __init__(
        self, message: str | None = None, *, field: str = "", wait_seconds: int | None = None, **values: Any
    ) -> None:
        self.message = message or self.default
        self.field = field
        self.wait_seconds = wait_seconds
        self.values: Mapping[str, Any] = values
        super().__init__(self.message % values if values else self.message)


class NotFound(MarketplaceError):
    """What was asked for does not exist for this actor."""

    status = 404
    default = N_("Questa pagina non c'è, o non è per te.")


class NoToken(MarketplaceError):
    """A program came without a key, or with one that does not hold (any more)."""

    status = 401
    default = N_("Serve una chiave valida: creane una nella pagina «Chiavi per i programmi».")


class Forbidden(MarketplaceError):
    """The actor may not do this."""

    status = 403
    default = N_("Non puoi fare questa operazione con il ruolo con cui sei entrato.")


class Conflict(MarketplaceError):
    """The state does not allow it (any more)."""

    status = 409
    default = N_("Nel frattempo qualcosa è cambiato. Ricarica la pagina e guarda come stanno le cose.")


class Outdated(MarketplaceError):
    """What the program read before has changed since."""

    status = 412
    default = N_("Nel frattempo è cambiato: leggi di nuovo e guarda come stanno le cose.")


class Rejected(MarketplaceError):
    """The input is wrong or a rule says no."""

    status = 422
    default = N_("C'è qualcosa da correggere.")


class CannotRun(MarketplaceError):
    """The machine lacks what the installation needs; commands say so in one line and end with 1."""

    status = 503
    default = N_("Il servizio qui non può funzionare.")


# Constraints that guard against races, and what the loser is told.
CONFLICTS: Mapping[str, str] = {
    "one_active_round": N_("C'è già un abbinamento in corso. Aspetta che finisca."),
    "one_active_proposal_per_need": N_("Questa esigenza ha già una proposta aperta."),
    "one_active_membership": N_("Questo posto è già tuo."),
    "seats_within_limit": N_("Il gruppo è al completo: qualcuno è arrivato prima."),
    "budget_not_exceeded": N_("Il budget del programma per quella settimana è finito."),
    "provider_meets_once": N_("Il professionista ha già un incontro a quell'ora."),
    "meeting_once_a_day": N_("Il gruppo ha già un incontro in quel giorno."),
    "one_extra_a_day": N_("Per quel giorno il gruppo ha già chiesto un incontro in più: guarda la pagina del gruppo."),
    "extra_seats_within_limit": N_("L'incontro in più è al completo: qualcuno è arrivato prima."),
    "extra_steps": N_("Nel frattempo l'incontro in più è cambiato. Ricarica la pagina e guarda come sta."),
    "month_closed_once": N_("Il mese è già chiuso."),
    "document_in_order": N_("Un altro documento ha già una data più avanti: riprova."),
    "one_identity": N_("Questa identità è già di un altro account: esci ed entra con quella."),
    "flow_once": N_("Questo flusso è già stato letto: lo trovi nell'elenco."),
    "settled_once": N_("Il versamento di questo mese è già registrato."),
}
