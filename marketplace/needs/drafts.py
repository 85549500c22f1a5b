"""A household's unfinished need, answer by answer: what was typed in one step is never lost by another."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor
from marketplace.needs.models import Need, NeedDraft, Service
from matching.instance import Window

STEPS = ("cosa", "quando", "dove", "riepilogo")


@dataclass(frozen=True, slots=True)
class Wish:
    """A need's answers, each in its unit; `windows` are merged local hours, distances km as decimals."""

    service: Service
    person_id: UUID
    sessions: int
    minutes: int
    windows: tuple[Window, ...]
    travel_km_max: Decimal
    seats: int = 1
    topic: str | None = None
    host_seats: int = 0
    group_max: int | None = None
    price_max_cents_per_hour: int | None = None
    languages: tuple[str, ...] = ("it",)
    notes: str = ""


def find_draft(session: Session, by: Actor) -> NeedDraft | None:
    """The household's unfinished need."""
    return session.exec(
        select(NeedDraft).where(
            NeedDraft.municipality_id == by.municipality_id, NeedDraft.household_id == by.household_id
        )
    ).first()


def lock_draft(session: Session, by: Actor) -> NeedDraft | None:
    """The draft, held until the transaction ends."""
    return session.exec(
        select(NeedDraft)
        .where(NeedDraft.municipality_id == by.municipality_id, NeedDraft.household_id == by.household_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def save_draft(session: Session, by: Actor, now: datetime, answers: Mapping[str, Any]) -> None:
    """Add `answers` (JSON values) to the draft, made now if there is none; others of its answers stay."""
    row = {"municipality_id": by.municipality_id, "household_id": by.household_id, "updated_at": now}
    statement = insert(NeedDraft).values(**row, id=uuid7(), answers=dict(answers))
    session.exec(
        statement.on_conflict_do_update(
            constraint="one_draft",
            set_={"answers": NeedDraft.answers.op("||")(statement.excluded.answers), "updated_at": now},  # type: ignore[attr-defined]
        ).execution_options(populate_existing=True)
    )
    session.expire_all()


def discard_draft(session: Session, by: Actor) -> None:
    """Throw the unfinished need away."""
    session.exec(
        delete(NeedDraft).where(
            col(NeedDraft.municipality_id) == by.municipality_id, col(NeedDraft.household_id) == by.household_id
        )
    )


def answers_of(need: Need) -> dict[str, Any]:
    """A need as a draft holds it."""
    return {
        "need_id": str(need.id),
        "service": need.service.value,
        "person_id": str(need.person_id),
        "seats": need.seats,
        "topic": need.topic,
        "sessions": need.sessions,
        "minutes": need.minutes,
        "windows": need.windows,
        "travel_km_max": need.travel_km_max,
        "price_max_cents_per_hour": need.price_max_cents_per_hour,
        "host_seats": need.host_seats,
        "group_max": need.group_max,
        "languages": need.languages,
        "notes": need.notes,
    }


def wish_of(answers: Mapping[str, Any]) -> Wish | None:
    """What a draft asks for; None while an answer that every need has is missing."""
    if any(answers.get(name) is None for name in ("service", "person_id", "sessions", "minutes", "travel_km_max")):
        return None
    if not answers.get("windows"):
        return None
    return Wish(
        service=Service(answers["service"]),
        person_id=UUID(answers["person_id"]),
        sessions=answers["sessions"],
        minutes=answers["minutes"],
        windows=tuple(Window(one["day"], one["start"], one["end"]) for one in answers["windows"]),
        travel_km_max=Decimal(answers["travel_km_max"]),
        seats=answers.get("seats") or 1,
        topic=answers.get("topic"),
        host_seats=answers.get("host_seats") or 0,
        group_max=answers.get("group_max"),
        price_max_cents_per_hour=answers.get("price_max_cents_per_hour"),
        languages=tuple(answers.get("languages") or ("it",)),
        notes=answers.get("notes") or "",
    )


def first_open_step(answers: Mapping[str, Any]) -> str:
    """The step where the draft goes on."""
    if answers.get("service") is None or answers.get("person_id") is None:
        return "cosa"
    if not answers.get("windows") or answers.get("sessions") is None:
        return "quando"
    return "dove" if answers.get("travel_km_max") is None else "riepilogo"
