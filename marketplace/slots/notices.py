"""What members and providers are told of their slots: no name, no address, one action, and its deadline."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from babel.dates import format_date, format_datetime, get_day_names
from babel.numbers import format_currency
from sqlmodel import Session, col, select

from marketplace.accounts.policy import get_policy
from marketplace.households.addresses import addresses_of
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, link_to, tell
from marketplace.providers.addresses import addresses_of_provider
from marketplace.providers.models import Provider
from marketplace.slots.answer_links import answer_code, answer_secret
from marketplace.slots.calendar import ROME, local_day
from marketplace.slots.models import Meeting, MeetingState, Membership, Proposal, ProposalState, Slot
from marketplace.states import STATES
from marketplace.words import N_, in_language

MOMENT, DAY, BRIEF = "EEEE d MMMM, HH:mm", "EEEE d MMMM y", "EEE d/M HH:mm"
SOON = timedelta(hours=12)
OF_PROPOSALS: Mapping[ProposalState, tuple[str, str]] = {
    ProposalState.PROPOSED: (
        N_("C'è un posto per te: rispondi entro %(deadline)s"),
        N_(
            "Abbiamo trovato un gruppo per la tua esigenza. Paghi al massimo %(cap)s la settimana, e niente se"
            " non si fa.\n\nLeggi la proposta e rispondi entro %(deadline)s, anche senza password:\n%(url)s\n\n"
            "Se non rispondi il posto va ad altri. Rifiutare non ti costa nulla e non ti fa perdere il turno."
        ),
    ),
    ProposalState.CONFIRMED: (
        N_("Il tuo gruppo è confermato"),
        N_(
            "Tutto è confermato: paghi %(net)s la settimana, mai più di %(cap)s. Le date sono nel tuo calendario,"
            " con le persone e il luogo."
        ),
    ),
    ProposalState.DISSOLVED: (
        N_("Il gruppo non si fa: non paghi nulla"),
        N_(
            "Non ci sono abbastanza conferme per stare entro i prezzi accettati, o il professionista non può."
            " Non paghi nulla. La tua esigenza è di nuovo in attesa, tra le prime al prossimo abbinamento."
        ),
    ),
    ProposalState.LAPSED: (
        N_("Il tempo per rispondere è scaduto"),
        N_("La proposta è scaduta e non paghi nulla. La tua esigenza resta in attesa del prossimo abbinamento."),
    ),
}
REMINDER = (
    N_("Manca poco: rispondi entro %(deadline)s"),
    N_(
        "La proposta che ti abbiamo inviato scade %(deadline)s. Se non rispondi il posto va ad altri; se accetti paghi"
        " al massimo %(cap)s la settimana.\n\nPer rispondere, anche senza password:\n%(url)s"
    ),
)
BY_SMS: Mapping[bool, str] = {
    False: N_(
        "Condiviso: c'è un posto, %(what)s. Al massimo %(cap)s la settimana. Rispondi SI %(code)s o NO %(code)s"
        " entro %(brief)s"
    ),
    True: N_(
        "Condiviso: manca poco. %(what)s, al massimo %(cap)s la settimana. Rispondi SI %(code)s o NO %(code)s entro"
        " %(brief)s"
    ),
}
LETTER_SUBJECT = N_("Proposta per Lei: rispondere entro %(deadline)s")
BY_LETTER: Mapping[ProposalState, str] = {
    ProposalState.PROPOSED: N_(
        "abbiamo trovato un gruppo per la Sua esigenza: %(what)s, una volta o più alla settimana dal %(first)s al"
        " %(last)s, %(count)s incontri in tutto.\n\nPaga %(net)s la settimana, e in nessun caso più di %(cap)s la"
        " settimana. Se il gruppo non si fa non paga niente.\n\nRisponda entro %(deadline)s: segni una casella nel"
        " tagliando qui sotto e lo porti o lo spedisca allo sportello, oppure telefoni e legga il codice. Se non"
        " risponde il posto va ad altri. Dire di no non costa nulla e non fa perdere il turno."
    ),
    ProposalState.CONFIRMED: N_(
        "il Suo gruppo è confermato: paga %(net)s la settimana, mai più di %(cap)s. Si comincia %(first)s: %(what)s."
        "\n\nPer sapere con chi e dove, telefoni o venga allo sportello."
    ),
    ProposalState.DISSOLVED: N_(
        "il gruppo che Le avevamo proposto non si fa, e Lei non paga niente. La Sua esigenza è di nuovo in attesa, tra"
        " le prime al prossimo abbinamento."
    ),
    ProposalState.LAPSED: N_(
        "il tempo per rispondere alla proposta è scaduto, e Lei non paga niente. La Sua esigenza resta in attesa del"
        " prossimo abbinamento."
    ),
}
ANSWER_TAKEN: Mapping[bool, tuple[str, str, str]] = {
    True: (
        N_("Abbiamo ricevuto il tuo sì"),
        N_(
            "Lo sportello ha registrato la tua risposta: hai accettato, al massimo %(cap)s la settimana. Ti scriviamo"
            " appena hanno risposto tutti; fino ad allora non paghi.\n\nSe non è vero, dillo subito allo sportello."
        ),
        N_(
            "lo sportello ha registrato la Sua risposta: ha accettato, al massimo %(cap)s la settimana. Le scriviamo"
            " appena hanno risposto tutti; fino ad allora non paga.\n\nSe non è vero, lo dica subito allo sportello."
        ),
    ),
    False: (
        N_("Abbiamo ricevuto il tuo no"),
        N_(
            "Lo sportello ha registrato la tua risposta: hai rifiutato, e non paghi niente. La tua esigenza resta in"
            " attesa.\n\nSe non è vero, dillo subito allo sportello."
        ),
        N_(
            "lo sportello ha registrato la Sua risposta: ha rifiutato, e non paga niente. La Sua esigenza resta in"
            " attesa.\n\nSe non è vero, lo dica subito allo sportello."
        ),
    ),
}
PROVIDER_ASKED = (
    N_("Un nuovo gruppo ti aspetta: rispondi entro %(deadline)s"),
    N_(
        "Hai %(count)s gruppi da accettare o rifiutare entro %(deadline)s. Rifiutare non ti fa perdere le"
        " prossime occasioni."
    ),
)
MEETING_CANCELLED = (
    N_("L'incontro di %(day)s è annullato"),
    N_("L'incontro di %(day)s non si fa (%(reason)s). Non paghi nulla per quel giorno."),
)
MEETING_MOVED = (
    N_("L'incontro di %(before)s passa a %(day)s"),
    N_(
        "L'incontro di %(before)s si fa %(day)s, alla stessa ora, nello stesso luogo e allo stesso prezzo.\n\nSe quel"
        " giorno non puoi, segnala l'assenza prima dell'inizio: vale come un avviso in tempo."
    ),
)
SUBSTITUTE_SOUGHT = (
    N_("Si cerca chi tenga un incontro: %(day)s"),
    N_(
        "Chi tiene l'incontro di %(day)s non può, e tu sì: lo tiene chi risponde per primo, allo stesso"
        " compenso, entro %(until)s.\n\nPer guardarlo e prenderlo:\n%(url)s\n\nSe non puoi, non devi fare niente."
    ),
)
SUBSTITUTES_SOUGHT = (
    N_("Si cerca chi tenga %(count)s incontri, dal %(day)s"),
    N_(
        "Chi tiene questi incontri non può, e tu sì:\n\n%(days)s\n\nOgnuno lo tiene chi risponde per primo, allo stesso"
        " compenso; il primo scade %(until)s.\n\nPer guardarli e prenderli, anche uno solo:\n%(url)s\n\nSe non puoi,"
        " non devi fare niente."
    ),
)
SUBSTITUTE_FOUND = (
    N_("L'incontro di %(day)s lo tiene %(name)s"),
    N_(
        "Chi tiene di solito il gruppo non può: l'incontro di %(day)s lo tiene %(name)s, che il Comune ha accreditato."
        " Giorno, ora, luogo e prezzo restano gli stessi.\n\nSe preferisci non venire, segnala l'assenza prima"
        " dell'inizio: vale come un avviso in tempo."
    ),
)
TAKEN_OVER = (
    N_("Qualcuno tiene il tuo incontro di %(day)s"),
    N_("L'incontro di %(day)s lo tiene %(name)s, che riceve anche il compenso. Le famiglie lo sanno già."),
)
SLOT_ENDS = (
    N_("Il tuo gruppo finisce il %(day)s"),
    N_(
        "Qualcuno lascia il gruppo, e per chi resta costerebbe più del tetto accettato: l'ultimo giorno è prima di"
        " %(day)s. Da allora la tua esigenza è di nuovo in attesa, tra le prime."
    ),
)
SERVICE_STOPPED = (
    N_("Il tuo gruppo è fermo da adesso"),
    N_(
        "Il Comune ha sospeso il servizio di chi tiene il tuo gruppo. Gli incontri che restano non si fanno e non li"
        " paghi. La tua esigenza è di nuovo in attesa, tra le prime.\n\nSe vuoi raccontare qualcosa, o chiedere che"
        " cosa succede, vai alla pagina «Segnala un pericolo» o allo sportello del Comune."
    ),
)


def tell_proposals(session: Session, now: datetime, proposals: Collection[Proposal], *, again: bool = False) -> None:
    """Tell the families what has become of these proposals (nothing of those that they declined themselves).

    `again`: remind those who have not answered.
    """
    addresses = addresses_of(
        session, {one.municipality_id for one in proposals}, {one.household_id for one in proposals}
    )
    first_of = _first_slots(session, proposals)
    subjects_of = cache(lambda who: get_policy(session, who, now.astimezone(ROME).date()).subjects)
    for one in proposals:
        if one.state not in OF_PROPOSALS:
            continue
        kind = Kind.TIMELY if one.state == ProposalState.PROPOSED else Kind.ORDINARY
        subject, body = REMINDER if again else OF_PROPOSALS[one.state]
        key = f"{'remind' if again else 'proposal'} {one.id} {one.state.value}"
        for to in addresses[one.household_id]:
            values = {
                "deadline": format_datetime(one.deadline.astimezone(ROME), MOMENT, locale=to.locale),
                "cap": _euros(one.cap_cents, to),
                "net": _euros(one.share_cents - one.subsidy_cents, to),
                "url": link_to(f"/rispondi/{answer_secret(one.municipality_id, one.id)}"),
            }
            sms = BY_SMS[again] if to.mobile and one.state == ProposalState.PROPOSED else None
            if sms:
                slot = first_of.get(one.id)
                values["code"] = answer_code(one.municipality_id, one.id)
                values["brief"] = format_datetime(one.deadline.astimezone(ROME), BRIEF, locale=to.locale)
                values["what"] = _what(slot, subjects_of(slot.municipality_id), to) if slot else ""
            if to.postal:
                if again:
                    continue  # it would come after the deadline
                values |= _of_slot(first_of.get(one.id), one, subjects_of, to)
                asked = one.state == ProposalState.PROPOSED
                words = (LETTER_SUBJECT if asked else subject, body, values, None, BY_LETTER[one.state])
                about = one.id if asked else None
                tell(session, one.municipality_id, now, to, f"{key} {to.mark}", *words, about, kind)
                continue
            _tell(session, one.municipality_id, now, to, key, (subject, body), values, kind, sms)


def tell_answer_taken(session: Session, now: datetime, proposal: Proposal, accepted: bool) -> None:
    """Tell the family what the desk has recorded as its answer, so that it can object."""
    subject, body, letter = ANSWER_TAKEN[accepted]
    for to in addresses_of(session, {proposal.municipality_id}, [proposal.household_id])[proposal.household_id]:
        key = f"answer taken {proposal.id} {accepted} {to.mark}"
        values = {"cap": _euros(proposal.cap_cents, to)}
        tell(session, proposal.municipality_id, now, to, key, subject, body, values, None, letter)


def _of_slot(
    slot: Slot | None, proposal: Proposal, subjects_of: Callable[[str], Mapping[str, str]], to: Recipient
) -> dict[str, Any]:
    """What, from when, until when and how often, for a letter."""
    if slot is None:
        return {"what": "", "first": "", "last": "", "count": proposal.meetings_count}
    return {
        "what": _what(slot, subjects_of(slot.municipality_id), to),
        "first": format_date(slot.first_date, DAY, locale=to.locale),
        "last": format_date(slot.last_date, DAY, locale=to.locale),
        "count": proposal.meetings_count,
    }


def tell_providers_asked(session: Session, now: datetime, slots: Collection[Slot]) -> None:
    """Tell each provider how many slots wait for its answer, and until when."""
    asked: dict[UUID, list[Slot]] = defaultdict(list)
    for slot in slots:
        asked[slot.provider_id].append(slot)
    providers = session.exec(select(Provider).where(col(Provider.id).in_(asked))).all()
    for provider in providers:
        mine = asked[provider.id]
        for to in addresses_of_provider(session, provider):
            deadline = min(slot.deadline for slot in mine).astimezone(ROME)
            values = {"count": len(mine), "deadline": format_datetime(deadline, MOMENT, locale=to.locale)}
            key = f"asked {provider.id} {mine[0].round_id}"
            _tell(session, provider.municipality_id, now, to, key, PROVIDER_ASKED, values, Kind.TIMELY)


def tell_cancelled(session: Session, now: datetime, meeting: Meeting, households: Collection[UUID]) -> None:
    """Tell the members, and for the municipality's cancelling the provider, that a meeting does not take place."""
    addresses = addresses_of(session, {meeting.municipality_id}, households)
    told = [to for of in addresses.values() for to in of]
    if meeting.state == MeetingState.CANCELLED_BY_MUNICIPALITY:
        provider = session.get_one(Provider, (meeting.municipality_id, meeting.provider_id))
        told += addresses_of_provider(session, provider)
    for to in told:
        values = {"day": format_date(meeting.held_on, DAY, locale=to.locale), "reason": _reason(meeting, to)}
        key = f"cancelled {meeting.id}"
        _tell(session, meeting.municipality_id, now, to, key, MEETING_CANCELLED, values, _kind(now, meeting))


def tell_moved(session: Session, now: datetime, meeting: Meeting, before: date, households: Collection[UUID]) -> None:
    """Tell the members on which day a meeting is held instead."""
    kind = Kind.URGENT if before <= local_day(now + SOON) else _kind(now, meeting)
    for of in addresses_of(session, {meeting.municipality_id}, households).values():
        for to in of:
            values = {
                "before": format_date(before, DAY, locale=to.locale),
                "day": format_date(meeting.held_on, DAY, locale=to.locale),
            }
            key = f"moved {meeting.id} {meeting.held_on}"
            _tell(session, meeting.municipality_id, now, to, key, MEETING_MOVED, values, kind)


def tell_substitute_sought(
    session: Session, now: datetime, colleague: Provider, meetings: Sequence[Meeting], until: datetime
) -> None:
    """Ask a colleague who could hold these meetings (in order); `until`: when the first is no longer to be had."""
    first, words = meetings[0], SUBSTITUTE_SOUGHT if len(meetings) == 1 else SUBSTITUTES_SOUGHT
    key = f"sought {first.id} {first.provider_id} {len(meetings)}"
    for to in addresses_of_provider(session, colleague):
        days = [format_date(one.held_on, DAY, locale=to.locale) for one in meetings]
        values = {
            "day": days[0],
            "days": "\n".join(f"- {day}" for day in days),
            "count": len(days),
            "until": format_datetime(until.astimezone(ROME), MOMENT, locale=to.locale),
            "url": link_to("/lavoro/sostituzioni"),
        }
        _tell(session, first.municipality_id, now, to, key, words, values, _kind(now, first))


def tell_substitute_found(
    session: Session, now: datetime, meeting: Meeting, absent_id: UUID, households: Collection[UUID]
) -> None:
    """Tell the families who holds a meeting, and whoever could not that it is in good hands."""
    holder = session.get_one(Provider, (meeting.municipality_id, meeting.provider_id))
    absent = session.get_one(Provider, (meeting.municipality_id, absent_id))
    addresses = addresses_of(session, {meeting.municipality_id}, households)
    told = [(to, SUBSTITUTE_FOUND) for of in addresses.values() for to in of]
    told += [(to, TAKEN_OVER) for to in addresses_of_provider(session, absent)]
    for to, words in told:
        values = {"day": format_date(meeting.held_on, DAY, locale=to.locale), "name": holder.name}
        key = f"held {meeting.id} {holder.id}"
        _tell(session, meeting.municipality_id, now, to, key, words, values, _kind(now, meeting))


def tell_slot_ends(session: Session, now: datetime, proposals: Iterable[Proposal], on: date) -> None:
    """Tell those who stay behind that their group ends, and that they are first in line."""
    listed = list(proposals)
    addresses = addresses_of(session, {one.municipality_id for one in listed}, {one.household_id for one in listed})
    for one in listed:
        for to in addresses[one.household_id]:
            values = {"day": format_date(on, DAY, locale=to.locale)}
            _tell(session, one.municipality_id, now, to, f"ends {one.id} {on}", SLOT_ENDS, values, Kind.ORDINARY)


def tell_stopped(session: Session, now: datetime, proposals: Collection[Proposal]) -> None:
    """Tell the families that their provider may not work any more, and that they are first in line."""
    addresses = addresses_of(
        session, {one.municipality_id for one in proposals}, {one.household_id for one in proposals}
    )
    for one in proposals:
        for to in addresses[one.household_id]:
            _tell(session, one.municipality_id, now, to, f"stopped {one.id}", SERVICE_STOPPED, {}, Kind.URGENT)


def _tell(
    session: Session,
    municipality_id: str,
    now: datetime,
    to: Recipient,
    key: str,
    words: tuple[str, str],
    values: Mapping[str, Any],
    kind: Kind,
    sms: str | None = None,
) -> None:
    tell(session, municipality_id, now, to, f"{key} {to.mark}"[:200], *words, values, sms, kind=kind)


def _kind(now: datetime, meeting: Meeting) -> Kind:
    """Even at night, if the meeting is so soon that the morning would be too late."""
    return Kind.URGENT if meeting.starts_at < now + SOON else Kind.TIMELY


def _first_slots(session: Session, proposals: Collection[Proposal]) -> dict[UUID, Slot]:
    """The first slot of the week of each proposal."""
    rows = session.exec(
        select(Membership.proposal_id, Slot)
        .join(Slot, (col(Slot.municipality_id) == Membership.municipality_id) & (col(Slot.id) == Membership.slot_id))
        .where(
            col(Membership.municipality_id).in_({one.municipality_id for one in proposals}),
            col(Membership.proposal_id).in_([one.id for one in proposals]),
        )
        .order_by(col(Slot.day).desc(), col(Slot.start_minute).desc())
    )
    return dict(rows.all())


def _what(slot: Slot, subjects: Mapping[str, str], to: Recipient) -> str:
    """What, which day and when, as short as an SMS is: `Matematica mar 16:00`."""
    subject = next((word for word, code in subjects.items() if code == slot.topic), None)
    words = in_language(subject or STATES["service"][slot.service], to.locale).capitalize()
    day = get_day_names("abbreviated", locale=to.locale)[slot.day]
    return f"{words} {day} {slot.start_minute // 60}:{slot.start_minute % 60:02}"


def _reason(meeting: Meeting, to: Recipient) -> str:
    """Why it does not take place: a sentence of ours in the reader's language, what somebody typed as it is."""
    return in_language(meeting.reason, to.locale) if meeting.reason else ""


def _euros(cents: int, to: Recipient) -> str:
    return str(format_currency(cents / 100, "EUR", locale=to.locale))
