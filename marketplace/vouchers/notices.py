"""What families and officers are told of vouchers: no amount of anybody's income, one message for each event."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from babel.dates import format_date
from sqlmodel import Session

from marketplace.accounts.models import Role
from marketplace.accounts.operations import list_staff
from marketplace.households.addresses import addresses_of
from marketplace.households.models import Household
from marketplace.messages.operations import Recipient, tell
from marketplace.vouchers.models import Programme, VoucherRank
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
ENTITLED = (
    N_("Ora hai diritto al buono"),
    N_(
        "Si è liberato un buono del Comune e in graduatoria tocca a te: dal prossimo abbinamento le proposte per la tua"
        " esigenza lo contano già nel prezzo."
    ),
)
BUDGET = (
    N_("Buono «%(name)s»: budget impegnato, soglia %(percent)s %%"),
    N_(
        "Nella settimana dal %(day)s il programma «%(name)s» ha raggiunto la soglia %(percent)s %% del suo budget. Chi"
        " non ci sta entra in lista d'attesa, in ordine di graduatoria. Il budget si alza nella pagina del programma."
    ),
)


def tell_rule_changes(
    session: Session, now: datetime, programme: Programme, households: Collection[UUID], day: date, key: str
) -> None:
    """Tell families that from `day` on the programme may give less than now."""
    for household_id, recipients in addresses_of(session, {programme.municipality_id}, households).items():
        for to in recipients:
            values = {"name": programme.name, "day": format_date(day, DAY, locale=to.locale)}
            mine = f"{key} {household_id} {to.mark}"[:200]
            tell(session, programme.municipality_id, now, to, mine, *RULE_CHANGES, values)


def tell_corrected(session: Session, now: datetime, household: Household, day: date, means_test_id: UUID) -> None:
    """Tell a family that its ISEE was corrected, without saying it."""
    for recipients in addresses_of(session, {household.municipality_id}, [household.id]).values():
        for to in recipients:
            values = {"day": format_date(day, DAY, locale=to.locale)}
            key = f"corrected {means_test_id} {to.mark}"[:200]
            tell(session, household.municipality_id, now, to, key, *ISEE_CORRECTED, values)


def tell_entitled(session: Session, now: datetime, ranks: Collection[VoucherRank]) -> None:
    """Tell those whose turn has come in a waiting list."""
    for rank in ranks:
        for recipients in addresses_of(session, {rank.municipality_id}, [rank.household_id]).values():
            for to in recipients:
                tell(session, rank.municipality_id, now, to, f"entitled {rank.id} {to.mark}"[:200], *ENTITLED)


def tell_budget(session: Session, now: datetime, programme: Programme, week: date, percent: int) -> None:
    """Tell the officers of the municipality that a programme's week has reached a percentage."""
    for officer in list_staff(session, programme.municipality_id, (Role.OFFICER,)):
        values = {"name": programme.name, "percent": percent, "day": format_date(week, DAY, locale=officer.locale)}
        key = f"budget {programme.id} {percent} {week} {officer.email}"[:200]
        tell(session, programme.municipality_id, now, Recipient(officer.email, officer.locale), key, *BUDGET, values)
