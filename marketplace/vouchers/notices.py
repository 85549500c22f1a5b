"""What families and officers are told of vouchers: no amount of anybody's income, one message for each event."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from babel.dates import format_date
from sqlmodel import Session

from marketplace.households.addresses import addresses_of
from marketplace.households.models import Household
from marketplace.messages.operations import tell
from marketplace.vouchers.models import Programme
from marketplace.words import N_

DAY = "d MMMM y"
RULE_CHANGES = (
    N_("Dal %(day)s cambia la regola del buono «%(name)s»"),
    N_(
        "Il Comune ha pubblicato una nuova regola per il buono «%(name)s»: vale dal %(day)s, e per qualcuno il buono"
        " scende. Quello che hai accettato resta: non paghi mai più del tuo tetto. Se non ti va più bene puoi lasciare"
        " il gruppo. La regola è nella pagina dei buoni."
    ),
)
ISEE_CORRECTED = (
    N_("Il Comune ha corretto il tuo ISEE dal %(day)s"),
    N_(
        "L'ISEE che avevamo non era giusto: l'abbiamo corretto dal %(day)s. Quello che cambia negli incontri già"
        " conteggiati è una riga di rettifica del prossimo estratto conto, a credito o a debito. Il motivo e la"
        " decisione sono nella pagina dei buoni; entro 30 giorni puoi chiedere all'ufficio di rivederla."
    ),
)


def tell_rule_changes(
    session: Session, now: datetime, programme: Programme, households: Collection[UUID], day: date, key: str
) -> None:
    """Tell families that from `day` on the programme may give less than now."""
    for household_id, recipients in addresses_of(session, {programme.municipality_id}, households).items():
        for to in recipients:
            values = {"name": programme.name, "day": format_date(day, DAY, locale=to.locale)}
            mine = f"{key} {household_id} {to.email}"[:200]
            tell(session, programme.municipality_id, now, to, mine, *RULE_CHANGES, values)


def tell_corrected(session: Session, now: datetime, household: Household, day: date, means_test_id: UUID) -> None:
    """Tell a family that its ISEE was corrected, without saying it."""
    for recipients in addresses_of(session, {household.municipality_id}, [household.id]).values():
        for to in recipients:
            values = {"day": format_date(day, DAY, locale=to.locale)}
            key = f"corrected {means_test_id} {to.email}"[:200]
            tell(session, household.municipality_id, now, to, key, *ISEE_CORRECTED, values)
