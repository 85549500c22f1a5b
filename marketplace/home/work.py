"""A provider's working pages: where to go, who is expected, which groups wait for an answer."""

from collections.abc import Mapping
from datetime import date, timedelta
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlmodel import col, select

from marketplace.accounts.models import Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import NotFound
from marketplace.providers import operations as providers
from marketplace.slots import agenda, extra_facts, meetings, moving, operations, queries, substitutes
from marketplace.slots.models import Presence
from marketplace.statements.models import Payout
from marketplace.talk.feedback import rating_of
from marketplace.web import actor, allow, id_from, now, today

blueprint = Blueprint("work", __name__)


@blueprint.get("/lavoro")
@allow(Role.PROVIDER)
def week() -> str:
    """The week: what is on now, the days, the answers due, the next payout."""
    provider = providers.get_own(db.session, actor())
    monday = _monday(request.args.get("settimana"))
    found = agenda.get_provider_week(db.session, actor().municipality_id, now(), provider.id, monday)
    soon = now() + timedelta(hours=1)
    return render_template(
        "home/work.html",
        provider=provider,
        week=found,
        days=_days(found),
        current=next((one for one in found.meetings if one.starts_at <= soon and one.ends_at >= now()), None),
        next_payout=_next_payout(provider.id),
        rating=rating_of(db.session, actor().municipality_id, provider.id),
        extras=extra_facts.list_asked(db.session, actor(), now()),
        searches=substitutes.list_searches(db.session, actor(), now()),
        subjects=subjects(),
        today=today(),
        instant=now(),
        week_before=monday - timedelta(days=7),
        week_after=monday + timedelta(days=7),
    )


def _days(week: agenda.ProviderWeek) -> list[tuple[date, list[agenda.ProviderMeeting]]]:
    """The seven days with their meetings."""
    days = [week.first_day + timedelta(days=number) for number in range(7)]
    return [(day, [one for one in week.meetings if one.held_on == day]) for day in days]


def subjects() -> Mapping[str, str]:
    """The municipality's words for topics."""
    known = get_policy(db.session, actor().municipality_id, today()).subjects
    return {code: word for word, code in known.items()}


def _monday(text: str | None) -> date:
    """The Monday of the week that a link names, else of this week."""
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        day = today()
    return day - timedelta(days=day.weekday())


def _next_payout(provider_id: UUID) -> Payout | None:
    return db.session.exec(
        select(Payout)
        .where(
            Payout.municipality_id == actor().municipality_id,
            Payout.provider_id == provider_id,
            col(Payout.paid_at).is_(None),
        )
        .order_by(col(Payout.due_on))
        .limit(1)
    ).first()


@blueprint.get("/lavoro/proposte")
@allow(Role.PROVIDER)
def proposals() -> str:
    """Groups that wait for the provider's answer."""
    provider = providers.get_own(db.session, actor())
    found = agenda.get_provider_week(db.session, actor().municipality_id, now(), provider.id, today())
    return render_template("home/work_proposals.html", slots=found.answers_due, subjects=subjects(), now=now())


@blueprint.post("/lavoro/proposte/<slot_id>/<any(accetta, rifiuta):answer>")
@allow(Role.PROVIDER)
def answer(slot_id: str, answer: str) -> ResponseReturnValue:
    """The provider's yes or no."""
    accepted = answer == "accetta"
    operations.answer_slot(db.session, actor(), now(), id_from(slot_id), accepted)
    flash(
        _("Hai accettato. Il gruppo parte se accettano abbastanza famiglie: ti scriviamo.")
        if accepted
        else _("Hai rifiutato. Non cambia le tue possibilità nei prossimi abbinamenti."),
        "success",
    )
    return redirect(url_for("work.proposals"), code=303)


@blueprint.get("/lavoro/gruppi/<slot_id>")
@allow(Role.PROVIDER)
def group(slot_id: str) -> str:
    """One group: who is in it, what it pays."""
    slot = queries.get_slot_facts(db.session, actor(), id_from(slot_id))
    return render_template("home/work_group.html", slot=slot, subjects=subjects())


@blueprint.route("/lavoro/presenze/<meeting_id>", methods=["GET", "POST"])
@allow(Role.PROVIDER)
def attendance(meeting_id: str) -> ResponseReturnValue:
    """Who came."""
    meeting = agenda.get_provider_meeting(db.session, actor(), id_from(meeting_id))
    if request.method == "GET":
        hours = get_policy(db.session, actor().municipality_id, meeting.held_on).unrecorded_after_hours
        return render_template(
            "home/attendance.html",
            meeting=meeting,
            subjects=subjects(),
            now=now(),
            hours=hours,
            is_over=now() > meeting.ends_at + timedelta(hours=hours),
            is_sought=bool(substitutes.list_sought(db.session, actor().municipality_id, {meeting.meeting_id})),
        )
    everybody = "tutti" in request.form
    presence = _presence(meeting, everybody)
    if presence:
        meetings.record_attendance(db.session, actor(), now(), meeting.meeting_id, presence)
    if everybody or len(presence) == len(meeting.attendees):
        flash(_("Presenze segnate."), "success")
        return redirect(url_for("work.week"), code=303)
    flash(_("Manca qualcuno: scegli per ognuno se c'è, poi salva."), "error")
    return redirect(url_for("work.attendance", meeting_id=meeting_id), code=303)


def _presence(meeting: agenda.ProviderMeeting, everybody: bool) -> dict[UUID, Presence]:
    """What the form says of each; with "all present" the rows left blank are present."""
    chosen = {}
    for one in meeting.attendees:
        value = request.form.get(f"presenza-{one.membership_id}", "")
        if value in list(Presence):
            chosen[one.membership_id] = Presence(value)
        elif everybody and one.presence is None:
            chosen[one.membership_id] = Presence.PRESENT
    return chosen


@blueprint.route("/lavoro/presenze/<meeting_id>/annulla", methods=["GET", "POST"])
@allow(Role.PROVIDER)
def cancel(meeting_id: str) -> ResponseReturnValue:
    """The provider cannot hold the meeting: asks again, then tells everybody."""
    meeting = agenda.get_provider_meeting(db.session, actor(), id_from(meeting_id))
    if request.method == "POST":
        reason = request.form.get("motivo", "").strip()[:300]
        meetings.cancel_meeting(db.session, actor(), now(), meeting.meeting_id, reason)
        flash(_("Incontro annullato: le famiglie non pagano e ricevono un messaggio."), "success")
        return redirect(url_for("work.week"), code=303)
    if meeting.ends_at <= now():
        raise NotFound
    is_sought = bool(substitutes.list_sought(db.session, actor().municipality_id, {meeting.meeting_id}))
    can_seek = not is_sought and now() < meeting.starts_at - substitutes.ENDS_BEFORE
    days = moving.list_days(db.session, actor(), now(), meeting.meeting_id)
    return render_template(
        "home/cancel_meeting.html", meeting=meeting, subjects=subjects(), can_seek=can_seek, days=days
    )
