"""A family's proposals, groups and calendar: the price and its cap before consent, names and addresses only after."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, flash, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, format_date
from flask_babel import gettext as _

from marketplace.accounts.models import Municipality, Role
from marketplace.accounts.policy import Policy, get_policy
from marketplace.db import db
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.filters import subject_words
from marketplace.households.operations import get_household, get_person
from marketplace.needs.operations import get_need
from marketplace.slots import (
    agenda,
    answer_links,
    extra_facts,
    extra_prices,
    leaving,
    operations,
    queries,
    subscriptions,
)
from marketplace.slots import meetings as meetings_of
from marketplace.slots.agenda import MeetingFacts
from marketplace.slots.feed import calendar_of
from marketplace.slots.forms import AbsenceForm, AcceptForm, DeclineForm, LeaveForm
from marketplace.slots.models import Presence, Proposal, ProposalState
from marketplace.slots.queries import ProposalFacts, ProposedSession
from marketplace.web import actor, allow, id_from, now, public, today

blueprint = Blueprint("slots", __name__)

CALENDAR_WEEKS = 26


@blueprint.get("/proposte/<proposal_id>")
@allow(Role.FAMILY)
def show_proposal(proposal_id: str) -> ResponseReturnValue:
    """What is proposed, what it costs at most, and until when one may answer."""
    proposal = queries.get_proposal(db.session, actor(), id_from(proposal_id))
    return proposal_page(proposal, DeclineForm())


def proposal_page(proposal: ProposalFacts, form: DeclineForm) -> ResponseReturnValue:
    """The proposal in whichever state it is."""
    need = get_need(db.session, actor(), proposal.need_id)
    page = render_template(
        "slots/proposal.html",
        proposal=proposal,
        need=need,
        person=get_person(db.session, actor(), need.person_id),
        form=form,
        has_method=get_household(db.session, actor()).stripe_payment_method_id is not None,
        is_open=proposal.state == ProposalState.PROPOSED and now() <= proposal.deadline,
        can_decline=proposal.state in queries.TO_ANSWER and now() <= proposal.deadline,
        policy=policy(),
        subjects=subjects(),
    )
    return page, 422 if form.errors else 200


@blueprint.get("/proposte/<proposal_id>/telefonata")
@allow(Role.FAMILY)
def call_script(proposal_id: str) -> str:
    """What an operator says on the phone for the family, word by word, with the buttons for its answer."""
    if actor().on_behalf_of is None:
        raise NotFound
    proposal = queries.get_proposal(db.session, actor(), id_from(proposal_id))
    return render_template(
        "slots/call.html",
        proposal=proposal,
        household=get_household(db.session, actor()),
        is_open=proposal.state == ProposalState.PROPOSED and now() <= proposal.deadline,
        policy=policy(),
        subjects=subjects(),
    )


@blueprint.post("/proposte/<proposal_id>/accetta")
@allow(Role.FAMILY)
def accept(proposal_id: str) -> ResponseReturnValue:
    """Consent to the cap that was shown."""
    form = AcceptForm()
    if not form.validate():
        raise Conflict(operations.CHANGED_CAP)
    if actor().on_behalf_of and not form.read_aloud.data:
        raise Rejected(_("Prima leggi il tetto ad alta voce, e segna che la famiglia ha detto sì."))
    proposal = operations.accept_proposal(db.session, actor(), now(), id_from(proposal_id), form.cap_cents.data)
    flash(_("Hai accettato. Ti scriviamo appena hanno risposto tutti: fino ad allora non paghi niente."), "success")
    return redirect(url_for("slots.show_proposal", proposal_id=proposal.id), code=303)


@blueprint.post("/proposte/<proposal_id>/rifiuta")
@allow(Role.FAMILY)
def decline(proposal_id: str) -> ResponseReturnValue:
    """Say no, free of charge; the need waits for the next round."""
    form = DeclineForm()
    if not form.validate():
        return proposal_page(queries.get_proposal(db.session, actor(), id_from(proposal_id)), form)
    proposal = operations.decline_proposal(db.session, actor(), now(), id_from(proposal_id), form.reason())
    flash(_("Va bene, hai rifiutato. La tua esigenza resta in attesa: puoi cambiarla o ritirarla."), "success")
    return redirect(url_for("need_pages.show", need_id=proposal.need_id), code=303)


@blueprint.get("/proposte/<proposal_id>/luogo.geojson")
@allow(Role.FAMILY)
def places_of_proposal(proposal_id: str) -> Response:
    """Home and meeting places, for the map."""
    return places(queries.get_proposal(db.session, actor(), id_from(proposal_id)).sessions)


@blueprint.get("/gruppi/<slot_id>/luogo.geojson")
@allow(Role.FAMILY)
def places_of_group(slot_id: str) -> Response:
    """Home and meeting place, for the map."""
    return places([my_session(slot_id)[1]])


def places(sessions: Iterable[ProposedSession]) -> Response:
    """GeoJSON: a group at a host's, before all have confirmed, is a circle of 500 m."""
    household = get_household(db.session, actor())
    features = [point(household.lon, household.lat, _("Casa tua"), tone="plain")]
    for spot in {one.slot.spot for one in sessions}:
        if spot.lat is not None and spot.lon is not None:
            label = spot.name or (_("Zona della casa che ospita") if spot.is_blurred else spot.address)
            blur = {"radius_m": 500} if spot.is_blurred else {}
            features.append(point(spot.lon, spot.lat, label, tone="act", **blur))
    answer = jsonify({"type": "FeatureCollection", "features": features})
    answer.mimetype = "application/geo+json"
    return answer


def point(lon: float, lat: float, label: str, **properties: Any) -> dict[str, Any]:
    """A place of the map."""
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": {"label": label, **properties},
    }


@blueprint.route("/rispondi/<secret>", methods=["GET", "POST"])
@public
def answer_by_link(secret: str) -> ResponseReturnValue:
    """Answer the one proposal of a message's link, without sign-in: what it costs and by when, and no name."""
    row, family = answer_links.open_by_secret(db.session, secret)
    if request.method == "POST":
        if "rifiuta" in request.form:
            operations.decline_proposal(db.session, family, now(), row.id)
        else:
            operations.accept_proposal(db.session, family, now(), row.id, request.form.get("cap_cents", -1, type=int))
        return redirect(url_for("slots.answer_by_link", secret=secret), code=303)
    proposal = queries.get_proposal(db.session, family, row.id)
    known = subject_words(get_policy(db.session, family.municipality_id, today()).subjects)
    is_open = proposal.state == ProposalState.PROPOSED and now() <= proposal.deadline
    page = make_response(render_template("slots/answer.html", proposal=proposal, subjects=known, is_open=is_open))
    page.cache_control.no_store = True
    return page


@blueprint.get("/gruppi")
@allow(Role.FAMILY)
def list_groups() -> str:
    """The groups in which the family has, or had, a place."""
    mine = queries.list_proposals(db.session, actor().municipality_id, household_id(), states=queries.MINE)
    return render_template("slots/groups.html", proposals=mine, subjects=subjects())


@blueprint.get("/gruppi/<slot_id>")
@allow(Role.FAMILY)
def show_group(slot_id: str) -> str:
    """When, where, with whom."""
    proposal, mine = my_session(slot_id)
    first, last = today() - timedelta(days=28), today() + timedelta(weeks=CALENDAR_WEEKS)
    meetings = agenda.list_household_meetings(db.session, actor().municipality_id, household_id(), first, last)
    return render_template(
        "slots/group.html",
        proposal=proposal,
        mine=mine,
        slot=mine.slot,
        meetings=[one for one in meetings if one.slot_id == mine.slot.slot_id],
        extras=extra_facts.list_extras(db.session, actor(), now(), mine.slot.slot_id),
        can_ask=extra_facts.can_ask(proposal, mine),
        now=now(),
        policy=policy(),
        subjects=subjects(),
    )


@blueprint.route("/gruppi/<slot_id>/lascia", methods=["GET", "POST"])
@allow(Role.FAMILY)
def leave(slot_id: str) -> ResponseReturnValue:
    """Leave a group, with all sessions of its proposal: first what it means, then the tap."""
    proposal, mine = my_session(slot_id)
    form = LeaveForm()
    if form.validate_on_submit():
        left = leaving.leave_slot(db.session, actor(), now(), proposal.proposal_id)
        day = format_date(left.left_on, "full")
        flash(_("Hai lasciato il gruppo: dal %(day)s non paghi più.", day=day), "success")
        return redirect(url_for("slots.show_group", slot_id=mine.slot.slot_id), code=303)
    row = db.session.get_one(Proposal, (actor().municipality_id, proposal.proposal_id))
    return render_template(
        "slots/leave.html",
        proposal=proposal,
        mine=mine,
        form=form,
        out_from=leaving.last_day_for(db.session, now(), row),
        subjects=subjects(),
    )


@blueprint.route("/calendario/<meeting_id>/<membership_id>/assenza", methods=["GET", "POST"])
@allow(Role.FAMILY)
def report_absence(meeting_id: str, membership_id: str) -> ResponseReturnValue:
    """Say beforehand that somebody will not come, and see what it costs."""
    meeting = my_meeting(meeting_id, membership_id)
    form = AbsenceForm()
    if form.validate_on_submit():
        what = meetings_of.report_absence(
            db.session, actor(), now(), meeting.meeting_id, meeting.membership_id, illness=form.illness.data
        )
        is_free = policy().absence_notified_is_free or meeting.may_be_refused
        free = what == Presence.ABSENT_NOTIFIED and is_free
        flash(
            _("Assenza segnalata: quell'incontro non lo paghi.")
            if free
            else _("Assenza segnalata: quell'incontro lo paghi, perché l'avviso è arrivato tardi."),
            "success",
        )
        return redirect(url_for("slots.show_group", slot_id=meeting.slot_id), code=303)
    notice = timedelta(hours=policy().absence_notice_hours)
    in_time = meeting.may_be_refused or now() <= meeting.starts_at - notice
    return render_template(
        "slots/absence.html",
        meeting=meeting,
        form=form,
        in_time=in_time,
        can_swap=meeting.starts_at > now() + extra_prices.ANSWER_WITHIN,
        policy=policy(),
        subjects=subjects(),
    )


def my_meeting(meeting_id: str, membership_id: str) -> agenda.MeetingFacts:
    """One of the family's dated meetings to come. Raises NotFound."""
    wanted = (id_from(meeting_id), id_from(membership_id))
    for meeting in agenda.list_household_meetings(
        db.session, actor().municipality_id, household_id(), today(), today() + timedelta(weeks=2 * CALENDAR_WEEKS)
    ):
        if (meeting.meeting_id, meeting.membership_id) == wanted:
            return meeting
    raise NotFound


def my_session(slot_id: str) -> tuple[ProposalFacts, ProposedSession]:
    """The family's own part of a slot. Raises NotFound."""
    return queries.get_own_session(db.session, actor(), id_from(slot_id))


@blueprint.get("/calendario")
@allow(Role.FAMILY)
def show_calendar() -> str:
    """All dated meetings from this week on."""
    first = today() - timedelta(days=today().weekday())
    meetings = agenda.list_household_meetings(
        db.session, actor().municipality_id, household_id(), first, first + timedelta(weeks=CALENDAR_WEEKS)
    )
    feed = subscriptions.find_feed(db.session, actor())
    address = feed and url_for(
        "slots.read_feed", municipality_id=feed.municipality_id, secret=feed.secret, _external=True
    )
    return render_template(
        "slots/calendar.html", meetings=meetings, subjects=subjects(), now=now(), feed_address=address
    )


@blueprint.get("/calendario.ics")
@allow(Role.FAMILY)
def download_calendar() -> Response:
    """The same meetings once, as a file: no names, no home address."""
    meetings = subscriptions.list_feed_meetings(db.session, now(), actor().municipality_id, household_id())
    municipality = db.session.get_one(Municipality, actor().municipality_id)
    answer = _calendar(meetings, municipality.name)
    answer.headers["Content-Disposition"] = "attachment; filename=condiviso.ics"
    return answer


@blueprint.post("/calendario/indirizzo")
@allow(Role.FAMILY)
def open_feed() -> ResponseReturnValue:
    """Make the secret address from which a phone keeps its calendar up to date."""
    subscriptions.open_feed(db.session, actor(), now())
    flash(_("L'indirizzo è pronto: copialo nel calendario del telefono."), "success")
    return redirect(url_for("slots.show_calendar", _anchor="telefono"), code=303)


@blueprint.post("/calendario/indirizzo/annulla")
@allow(Role.FAMILY)
def revoke_feed() -> ResponseReturnValue:
    """Close the secret address."""
    subscriptions.revoke_feed(db.session, actor(), now())
    flash(_("Annullato: quell'indirizzo non mostra più nulla. Se serve, creane un altro."), "success")
    return redirect(url_for("slots.show_calendar", _anchor="telefono"), code=303)


@blueprint.get("/calendario/<municipality_id>/<secret>.ics")
@public
def read_feed(municipality_id: str, secret: str) -> Response:
    """The calendar behind a secret address, in its owner's language: no names, no home address."""
    shown = subscriptions.read_feed(db.session, now(), municipality_id, secret)
    with force_locale(shown.locale):
        answer = _calendar(shown.meetings, shown.city)
    answer.headers["Cache-Control"] = "private, max-age=900"
    return answer


def _calendar(meetings: Iterable[MeetingFacts], city: str) -> Response:
    answer = make_response(calendar_of(meetings, city, now()))
    answer.mimetype = "text/calendar"
    return answer


def household_id() -> Any:
    """The family of this request."""
    return actor().household_id


def policy() -> Policy:
    """The municipality's rules of today."""
    return get_policy(db.session, actor().municipality_id, today())


def subjects() -> dict[str, str]:
    """The municipality's subjects: code -> word."""
    return subject_words(policy().subjects)
