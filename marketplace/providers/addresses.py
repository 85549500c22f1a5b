"""Whom to write to about a provider's work: its own address, in the language of its account."""

from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, User
from marketplace.messages.operations import Recipient
from marketplace.providers.models import Provider


def addresses_of_provider(session: Session, provider: Provider) -> list[Recipient]:
    """Its address; none if it gave none."""
    if not provider.email:
        return []
    locales = session.exec(
        select(User.locale)
        .join(Appointment, col(Appointment.user_id) == col(User.id))
        .where(
            Appointment.municipality_id == provider.municipality_id,
            Appointment.provider_id == provider.id,
            col(Appointment.ended_at).is_(None),
            col(User.active),
        )
        .order_by(col(Appointment.created_at))
    )
    return [Recipient(provider.email, locales.first() or "it")]
