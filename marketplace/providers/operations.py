"""A provider applies, an officer decides, and every decision is a dated row; only what is complete can be sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.accounts.sign_in import appoint
from marketplace.errors import Conflict, Forbidden, NotFound, Rejected
from marketplace.places.models import Venue
from marketplace.providers.details import Profile, Terms
from marketplace.providers.models import (
    Accreditation,
    AccreditationDecision,
    DocumentKind,
    Offer,
    Provider,
    ProviderDocument,
    ProviderVenue,
)
from marketplace.sealed import keyring
from marketplace.words import N_

# Who may lead an accreditation from which state to which (product.md).
OFFICER_STEPS: Mapping[Accreditation, tuple[Accreditation, ...]] = {
    Accreditation.APPLIED: (Accreditation.IN_REVIEW, Accreditation.ACCREDITED, Accreditation.REFUSED),
    Accreditation.IN_REVIEW: (Accreditation.ACCREDITED, Accreditation.REFUSED),
    Accreditation.ACCREDITED: (Accreditation.SUSPENDED, Accreditation.REVOKED),
    Accreditation.SUSPENDED: (Accreditation.ACCREDITED, Accreditation.REVOKED),
    Accreditation.EXPIRED: (Accreditation.ACCREDITED, Accreditation.REVOKED),
}
STOPPED = (Accreditation.SUSPENDED, Accreditation.REVOKED)
REASONED = (Accreditation.REFUSED, Accreditation.SUSPENDED, Accreditation.REVOKED)
EDITABLE = (Accreditation.DRAFT, Accreditation.REFUSED)
REQUIRED_DOCUMENTS = (DocumentKind.CRIMINAL_RECORD, DocumentKind.IDENTITY, DocumentKind.INSURANCE)
MEDIA_TYPES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
DOCUMENT_BYTES_MAX = 10 * 1024 * 1024

Stop = Callable[[Session, Actor, datetime, UUID], object]
_when_stopped: list[Stop] = []


class BelowPayFloor(Rejected):
    """An offer below the municipality's pay floor."""

    default = N_("La tariffa è sotto il minimo del Comune: alzala almeno a %(floor)s l'ora.")


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that an application needs: the page that does it, its words, and whether it is done."""

    page: str
    label: str
    done: bool


def apply_as_provider(session: Session, by: Actor, now: datetime, profile: Profile) -> Provider:
    """Begin an application: a draft provider, whose owner the actor is from now on."""
    if by.user_id is None:
        raise Forbidden
    provider_id = uuid7()
    provider = Provider(
        municipality_id=by.municipality_id,
        id=provider_id,
        code=f"p-{provider_id.hex[-12:]}",
        name=profile.name,
        address=profile.address,
        lat=profile.lat,
        lon=profile.lon,
        created_at=now,
    )
    session.add(provider)
    _write_profile(session, provider, profile)
    _decide(session, by, now, provider, Accreditation.DRAFT)
    appoint(session, now, by.user_id, by.municipality_id, Role.PROVIDER, provider_id=provider_id)
    return provider


def get_own(session: Session, by: Actor, *, lock: bool = False) -> Provider:
    """The provider for whom the actor acts. Raises NotFound."""
    return get_provider(session, by, by.provider_id, lock=lock) if by.provider_id else _none()


def get_provider(session: Session, by: Actor, provider_id: UUID, *, lock: bool = False) -> Provider:
    """A provider of the actor's municipality. Raises NotFound."""
    return session.get(Provider, (by.municipality_id, provider_id), with_for_update=lock or None) or _none()


def _none() -> Provider:
    raise NotFound


def change_profile(session: Session, by: Actor, now: datetime, profile: Profile) -> Provider:
    """Change what the provider says of itself; name and tax code only before the application is sent."""
    provider = get_own(session, by, lock=True)
    same = (profile.name, profile.tax_code) == (provider.name, provider.tax_code)
    if provider.accreditation not in EDITABLE and not same:
        raise Conflict(N_("Nome e codice fiscale non si cambiano dopo l'invio: scrivi all'ufficio."))
    _write_profile(session, provider, profile)
    record(session, by, now, "change_profile", "provider", provider.id)
    session.flush()
    return provider


def _write_profile(session: Session, provider: Provider, profile: Profile) -> None:
    provider.name, provider.email, provider.phone = profile.name, profile.email, profile.phone
    provider.tax_code, provider.tax_code_index = profile.tax_code, keyring.index(profile.tax_code)
    provider.address, provider.lat, provider.lon = profile.address, profile.lat, profile.lon
    provider.travel_km_max, provider.visits_homes = profile.travel_km_max, profile.visits_homes
    provider.languages, provider.qualifications = list(profile.languages), list(profile.qualifications)
    session.flush()
    known = {link.venue_id: link for link in list_venue_links(session, provider)}
    for venue_id in set(profile.venue_ids) - known.keys():
        session.add(ProviderVenue(municipality_id=provider.municipality_id, provider_id=provider.id, venue_id=venue_id))
    for venue_id in known.keys() - set(profile.venue_ids):
        session.delete(known[venue_id])
    session.flush()


def set_hours(session: Session, by: Actor, now: datetime, windows: Sequence[Mapping[str, int]]) -> Provider:
    """The provider's weekly hours, for the rounds to come; groups that stand keep theirs."""
    provider = get_own(session, by, lock=True)
    provider.windows = [dict(window) for window in windows]
    record(session, by, now, "set_hours", "provider", provider.id)
    session.flush()
    return provider


def add_offer(session: Session, by: Actor, now: datetime, terms: Terms, today: date) -> Offer:
    """One more offer; it counts from the next round. Raises BelowPayFloor, Rejected."""
    provider = get_own(session, by, lock=True)
    policy = get_policy(session, by.municipality_id, today)
    floor = policy.pay_floor_cents_per_hour
    if not set(terms.topics) <= set(policy.subjects.values()):
        raise Rejected(N_("Una delle materie non è tra quelle del Comune."), field="topics")
    if 0 < terms.rate_cents_per_hour < floor:
        raise BelowPayFloor(floor=f"{floor / 100:.2f} €".replace(".", ","))
    if terms.extra_seat_cents_per_hour > terms.rate_cents_per_hour:
        raise Rejected(N_("Il supplemento per un posto in più non può superare la tariffa."), field="extra")
    if terms.seats_min > terms.seats_max:
        raise Rejected(N_("I posti minimi non possono superare i posti massimi."), field="seats_max")
    if terms.level_min > terms.level_max:
        raise Rejected(N_("La prima classe non può venire dopo l'ultima."), field="level_max")
    if terms.age_min > terms.age_max:
        raise Rejected(N_("L'età minima non può superare la massima."), field="age_max")
    offer = Offer(
        municipality_id=by.municipality_id,
        provider_id=provider.id,
        service=terms.service,
        topics=list(terms.topics),
        level_min=terms.level_min,
        level_max=terms.level_max,
        age_min=terms.age_min,
        age_max=terms.age_max,
        seats_min=terms.seats_min,
        seats_max=terms.seats_max,
        rate_cents_per_hour=terms.rate_cents_per_hour,
        extra_seat_cents_per_hour=terms.extra_seat_cents_per_hour,
        minutes_min=terms.minutes_min,
    )
    session.add(offer)
    record(session, by, now, "add_offer", "provider", provider.id, service=terms.service)
    session.flush()
    return offer


def remove_offer(session: Session, by: Actor, now: datetime, offer_id: UUID) -> None:
    """Take an offer back; groups that stand keep its price. Twice is once."""
    provider = get_own(session, by, lock=True)
    offer = session.get(Offer, (by.municipality_id, offer_id))
    if offer is None or offer.provider_id != provider.id:
        return
    session.delete(offer)
    record(session, by, now, "remove_offer", "provider", provider.id, service=offer.service)
    session.flush()


def offers_of(by: Actor) -> SelectOfScalar[Offer]:
    """The actor's own offers."""
    return select(Offer).where(Offer.municipality_id == by.municipality_id, Offer.provider_id == by.provider_id)


def list_offers(session: Session, provider: Provider) -> list[Offer]:
    """A provider's offers, oldest first."""
    return list(
        session.exec(
            select(Offer)
            .where(Offer.municipality_id == provider.municipality_id, Offer.provider_id == provider.id)
            .order_by(col(Offer.id))
        )
    )


def list_venue_links(session: Session, provider: Provider) -> list[ProviderVenue]:
    """At which venues a provider works."""
    return list(
        session.exec(
            select(ProviderVenue).where(
                ProviderVenue.municipality_id == provider.municipality_id, ProviderVenue.provider_id == provider.id
            )
        )
    )


def list_venues(session: Session, municipality_id: str) -> list[Venue]:
    """The municipality's venues, by name."""
    return list(session.exec(select(Venue).where(Venue.municipality_id == municipality_id).order_by(Venue.name)))


def media_type_of(content: bytes) -> str | None:
    """The type that the first bytes show: PDF, PNG or JPEG; a name or a header proves nothing."""
    return next((kind for magic, kind in MEDIA_TYPES.items() if content.startswith(magic)), None)


def add_document(
    session: Session, by: Actor, now: datetime, kind: DocumentKind, name: str, content: bytes, expires: date | None
) -> ProviderDocument:
    """Keep a document, sealed. Raises Rejected for what is no PDF, PNG or JPEG, is too large, or has expired."""
    provider = get_own(session, by, lock=True)
    media_type = media_type_of(content)
    if media_type is None:
        raise Rejected(N_("Il documento deve essere un PDF o una foto (JPEG o PNG)."))
    if len(content) > DOCUMENT_BYTES_MAX:
        raise Rejected(N_("Il documento può pesare al massimo 10 MB: riducilo e riprova."))
    if kind == DocumentKind.CRIMINAL_RECORD and expires is None:
        raise Rejected(N_("Scrivi la data di scadenza del certificato del casellario."), field="expires")
    if expires is not None and expires < now.date():
        raise Rejected(N_("Questo documento è scaduto: carica quello in corso."), field="expires")
    document = ProviderDocument(
        municipality_id=by.municipality_id,
        provider_id=provider.id,
        kind=kind,
        file_name=name[-200:],
        media_type=media_type,
        content=content,
        expires=expires,
        created_at=now,
    )
    session.add(document)
    record(session, by, now, "add_document", "provider", provider.id, kind=kind.value)
    session.flush()
    return document


def list_documents(session: Session, provider: Provider) -> list[ProviderDocument]:
    """A provider's documents, newest first (the newest of a kind counts)."""
    return list(
        session.exec(
            select(ProviderDocument)
            .where(
                ProviderDocument.municipality_id == provider.municipality_id,
                ProviderDocument.provider_id == provider.id,
            )
            .order_by(col(ProviderDocument.id).desc())
        )
    )


def tasks_of(session: Session, provider: Provider, today: date) -> list[Task]:
    """What an application needs, done or not, in the order in which it is asked."""
    kinds = {one.kind for one in list_documents(session, provider) if one.expires is None or one.expires >= today}
    labels = {
        DocumentKind.CRIMINAL_RECORD: N_("Certificato del casellario giudiziale, valido"),
        DocumentKind.IDENTITY: N_("Documento d'identità"),
        DocumentKind.INSURANCE: N_("Assicurazione di responsabilità civile"),
    }
    return [
        Task("profile", N_("I tuoi dati"), bool(provider.tax_code and provider.email)),
        Task("offers", N_("Almeno un'offerta con la tariffa"), bool(list_offers(session, provider))),
        Task("hours", N_("I tuoi orari della settimana"), bool(provider.windows)),
        *(Task("documents", labels[kind], kind in kinds) for kind in REQUIRED_DOCUMENTS),
    ]


def submit_application(session: Session, by: Actor, now: datetime, today: date) -> Provider:
    """Send the application; twice is once. Raises Rejected while something is missing, Conflict after a decision."""
    provider = get_own(session, by, lock=True)
    if provider.accreditation in (Accreditation.APPLIED, Accreditation.IN_REVIEW):
        return provider
    if provider.accreditation not in EDITABLE:
        raise Conflict(N_("Sulla tua domanda c'è già una decisione."))
    if not all(task.done for task in tasks_of(session, provider, today)):
        raise Rejected(N_("Manca ancora qualcosa: completa le voci segnate prima di inviare."))
    _decide(session, by, now, provider, Accreditation.APPLIED)
    return provider


def decide(
    session: Session,
    by: Actor,
    now: datetime,
    provider_id: UUID,
    state: Accreditation,
    reason: str = "",
    certificate_expires: date | None = None,
) -> Provider:
    """An officer's step (OFFICER_STEPS); the same one twice is once.

    Accrediting needs the expiry of the criminal-record certificate; refusing, suspending and revoking need a reason.
    """
    if by.role != Role.OFFICER:
        raise Forbidden
    provider = get_provider(session, by, provider_id, lock=True)
    if provider.accreditation == state:
        return provider
    if state not in OFFICER_STEPS.get(provider.accreditation, ()):
        raise Conflict(N_("La domanda è cambiata nel frattempo: guardala di nuovo."))
    if state in REASONED and not reason.strip():
        raise Rejected(N_("Scrivi il motivo: lo leggerà il professionista."))
    if state == Accreditation.ACCREDITED:
        expires = certificate_expires or provider.certificate_expires
        if expires is None or expires < now.date():
            raise Rejected(
                N_("Serve un certificato del casellario valido: scrivi la data di scadenza."),
                field="certificate_expires",
            )
        provider.certificate_expires = expires
    _decide(session, by, now, provider, state, reason.strip())
    if state in STOPPED:
        for stop in _when_stopped:
            stop(session, by, now, provider.id)
    return provider


def when_stopped(stop: Stop) -> None:
    """From now on, whoever is suspended or revoked is handed to `stop` in the same transaction (slots are above)."""
    _when_stopped[:] = [stop]


def _decide(
    session: Session, by: Actor, now: datetime, provider: Provider, state: Accreditation, reason: str = ""
) -> None:
    provider.accreditation = state
    session.add(
        AccreditationDecision(
            municipality_id=by.municipality_id,
            provider_id=provider.id,
            state=state,
            at=now,
            by_user_id=by.user_id,
            reason=reason,
        )
    )
    record(session, by, now, f"accreditation_{state.value}", "provider", provider.id)
    session.flush()


def expire_certificates(session: Session, by: Actor, now: datetime, today: date) -> int:
    """Suspend until renewal whoever's certificate is over; how many."""
    expired = session.exec(
        select(Provider)
        .where(
            Provider.municipality_id == by.municipality_id,
            Provider.accreditation == Accreditation.ACCREDITED,
            col(Provider.certificate_expires) < today,
        )
        .with_for_update()
    ).all()
    for provider in expired:
        _decide(session, by, now, provider, Accreditation.EXPIRED, N_("Il certificato del casellario è scaduto."))
    return len(expired)


def list_providers(session: Session, municipality_id: str, states: Sequence[Accreditation]) -> list[Provider]:
    """Providers in the given states, who has waited longest first."""
    return list(
        session.exec(
            select(Provider)
            .where(Provider.municipality_id == municipality_id, col(Provider.accreditation).in_(states))
            .order_by(col(Provider.created_at), col(Provider.id))
        )
    )


def providers_of(by: Actor, state: Accreditation | None = None) -> SelectOfScalar[Provider]:
    """The municipality's providers, in every state or in one."""
    mine = select(Provider).where(Provider.municipality_id == by.municipality_id)
    return mine if state is None else mine.where(Provider.accreditation == state)


def list_decisions(session: Session, provider: Provider) -> list[AccreditationDecision]:
    """Every step of a provider's accreditation, newest first."""
    return list(
        session.exec(
            select(AccreditationDecision)
            .where(
                AccreditationDecision.municipality_id == provider.municipality_id,
                AccreditationDecision.provider_id == provider.id,
            )
            .order_by(col(AccreditationDecision.at).desc(), col(AccreditationDecision.id).desc())
        )
    )
