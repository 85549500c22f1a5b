"""What members and providers are told of extra sessions: no name, the most that it costs, and by when."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from babel.dates import format_date, format_datetime
from sqlmodel import Session

from marketplace.households.addresses import addresses_of
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, link_to, tell
from marketplace.providers.addresses import addresses_of_provider
from marketplace.providers.models import Provider
from marketplace.slots.calendar import ROME
from marketplace.slots.extra_models import ExtraSession, ExtraState
from marketplace.slots.models import Slot
from marketplace.words import N_

MOMENT, DAY = "EEEE d MMMM, HH:mm", "EEEE d MMMM"
ASKED = (
    N_("Una famiglia chiede un incontro in più: rispondi entro %(until)s"),
    N_(
        "Ti chiedono un incontro in più %(day)s, dalle %(start)s alle %(end)s, alle condizioni del gruppo.\n\n"
        "Rispondi entro %(until)s:\n%(url)s\n\nDire di no non ti costa nulla."
    ),
)
ANSWERED = {
    ExtraState.ACCEPTED: (
        N_("L'incontro in più di %(day)s si fa"),
        N_(
            "Il professionista ha detto sì: è nel tuo calendario, %(day)s dalle %(start)s alle %(end)s. Gli altri del"
            " gruppo possono unirsi entro %(join)s: se vengono, paghi meno. Fino ad allora puoi ritirarti gratis:\n"
            "%(url)s"
        ),
    ),
    ExtraState.REFUSED: (
        N_("L'incontro in più di %(day)s non si fa"),
        N_("Il professionista quel giorno non può: non paghi nulla. Puoi chiedere un altro giorno."),
    ),
    ExtraState.EXPIRED: (
        N_("L'incontro in più di %(day)s non si fa"),
        N_("Il professionista non ha risposto in tempo: non paghi nulla. Puoi chiedere un altro giorno."),
    ),
}
INVITED = (
    N_("Il tuo gruppo ha un incontro in più: vuoi venire?"),
    N_(
        "C'è un incontro in più %(day)s, dalle %(start)s alle %(end)s. Se vuoi venire dillo entro %(join)s: prima vedi"
        " quanto paghi. Se non rispondi non vieni e non paghi nulla.\n\n%(url)s"
    ),
)
OFF = (
    N_("L'incontro in più di %(day)s non si fa"),
    N_("Chi lo aveva chiesto si è ritirato: l'incontro in più di %(day)s non si fa e non lo paga nessuno."),
)


def tell_asked(session: Session, now: datetime, extra: ExtraSession, slot: Slot) -> None:
    """Ask the provider."""
    for to in _provider(session, slot):
        _tell(session, now, extra, to, "asked", ASKED, "/lavoro/incontri-in-piu")


def tell_answered(session: Session, now: datetime, extra: ExtraSession) -> None:
    """Tell who asked what has become of it."""
    _tell_households(session, now, extra, [extra.household_id], extra.state.value, ANSWERED[extra.state])


def tell_invited(session: Session, now: datetime, extra: ExtraSession, households: Collection[UUID]) -> None:
    """Ask the others of the group whether they come too."""
    _tell_households(session, now, extra, households, "invited", INVITED)


def tell_off(
    session: Session, now: datetime, extra: ExtraSession, households: Collection[UUID], was_accepted: bool
) -> None:
    """Tell those who were to come, and the provider who had said yes, that it does not take place."""
    _tell_households(session, now, extra, households, "off", OFF)
    if was_accepted:
        for to in _provider(session, session.get_one(Slot, (extra.municipality_id, extra.slot_id))):
            _tell(session, now, extra, to, "off", OFF, "/lavoro")


def _provider(session: Session, slot: Slot) -> Collection[Recipient]:
    return addresses_of_provider(session, session.get_one(Provider, (slot.municipality_id, slot.provider_id)))


def _tell_households(
    session: Session,
    now: datetime,
    extra: ExtraSession,
    households: Collection[UUID],
    what: str,
    words: tuple[str, str],
) -> None:
    for of in addresses_of(session, {extra.municipality_id}, households).values():
        for to in of:
            _tell(session, now, extra, to, what, words, f"/incontri-in-piu/{extra.id}")


def _tell(
    session: Session, now: datetime, extra: ExtraSession, to: Recipient, what: str, words: tuple[str, str], path: str
) -> None:
    values = {
        "day": format_date(extra.held_on, DAY, locale=to.locale),
        "start": f"{extra.start_minute // 60}:{extra.start_minute % 60:02}",
        "end": f"{extra.end_minute // 60}:{extra.end_minute % 60:02}",
        "until": format_datetime(extra.answer_by.astimezone(ROME), MOMENT, locale=to.locale),
        "join": format_datetime(extra.join_until.astimezone(ROME), MOMENT, locale=to.locale),
        "url": link_to(path),
    }
    tell(
        session,
        extra.municipality_id,
        now,
        to,
        f"extra {what} {extra.id} {to.mark}"[:200],
        *words,
        values,
        kind=Kind.TIMELY,
    )
