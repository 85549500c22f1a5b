"""Posting a need in four steps: each answer is saved as it is given, and nothing is posted before the summary."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm

from marketplace.accounts.models import Role
from marketplace.accounts.policy import Policy, get_policy
from marketplace.db import db
from marketplace.filters import subject_words
from marketplace.hours import Editor, editor_of, read_editor
from marketplace.households import operations as households
from marketplace.households.forms import language_choices
from marketplace.needs import drafts
from marketplace.needs import operations as needs
from marketplace.needs.forms import LIMIT, NO_LIMIT, PublishForm, WhatForm, WhenForm, WhereForm
from marketplace.needs.models import Service
from marketplace.rounds.estimate import count_neighbours, estimate
from marketplace.web import actor, allow, now, signed_in, today
from marketplace.words import N_
from matching.instance import Window

blueprint = Blueprint("wizard", __name__)

TITLES = (N_("Cosa"), N_("Quando"), N_("Dove"), N_("Riepilogo"))
FIELDS = {"price_max_cents_per_hour": "price"}
EXIT, BACK, PERSON = "esci", "indietro", "persona"


@blueprint.get("/esigenze/nuova")
@signed_in
def start() -> ResponseReturnValue:
    """Go on where the draft stopped; who has no family yet registers it first."""
    if actor().role != Role.FAMILY:
        return redirect(url_for("households.register"), code=303)
    if not households.list_people(db.session, actor()):
        return redirect(url_for("households.add_person", poi=url_for("wizard.start")), code=303)
    return redirect(step_url(drafts.first_open_step(answers())), code=303)


@blueprint.route("/esigenze/nuova/cosa", methods=["GET", "POST"])
@allow(Role.FAMILY)
def what() -> ResponseReturnValue:
    """Step 1."""
    people = [(str(one.id), one.name or _("Senza nome")) for one in households.list_people(db.session, actor())]
    saved = answers()
    only = {"person_id": people[0][0]} if len(people) == 1 else {}
    form = WhatForm(people, policy().subjects, data={**only, **saved, "seats": str(saved.get("seats") or 1)})
    if form.is_submitted():
        done = save(form, form.answers())
        if done or PERSON in request.form:
            return onward("cosa")
    return page("cosa", form)


@blueprint.route("/esigenze/nuova/quando", methods=["GET", "POST"])
@allow(Role.FAMILY)
def when() -> ResponseReturnValue:
    """Step 2: the buttons of the hours editor show the page again, all others go on."""
    saved = answers()
    form = WhenForm(data={name: str(saved[name]) for name in ("sessions", "minutes") if saved.get(name)})
    editor = editor_of(windows_of(saved))
    problems: list[tuple[str, str]] = []
    if form.is_submitted():
        editor = read_editor(request.form.to_dict(flat=False))
        done = save(form, {**form.answers(), "windows": [_window(one) for one in editor.windows]})
        if leaves():
            return onward("quando")
        if not editor.stays:
            problems = _problems(form, editor)
            if done and not problems:
                return onward("quando")
    return page("quando", form, editor=editor, problems=problems)


def _problems(form: WhenForm, editor: Editor) -> list[tuple[str, str]]:
    """(id of the field, sentence) of what keeps the sessions out of the hours."""
    found = [("ore-giorni-0" if name != "orario" else "ore-fascia-0", _(message)) for name, message in editor.errors]
    found += [(name, f"{form[name].label.text}: {messages[0]}") for name, messages in form.errors.items()]
    if found:
        return found
    given = form.answers()
    faults = needs.faults_of_hours(given["sessions"] or 0, given["minutes"] or 0, editor.windows)
    return [("minutes", _(fault)) for fault in faults]


@blueprint.route("/esigenze/nuova/dove", methods=["GET", "POST"])
@allow(Role.FAMILY)
def where() -> ResponseReturnValue:
    """Step 3."""
    saved = answers()
    limit = saved.get("price_max_cents_per_hour")
    given = {
        "travel_km_max": saved.get("travel_km_max"),
        "price_kind": LIMIT if limit else NO_LIMIT,
        "price": limit,
        "host_seats": str(saved.get("host_seats") or 0),
        "group_max": str(saved.get("group_max") or ""),
        "languages": saved.get("languages") or _languages(saved),
    }
    at_home = saved.get("service") == Service.HOME_CARE
    form = WhereForm(at_home, language_choices(), data=given)
    if form.is_submitted():
        done = save(form, form.answers())
        problems = _impossible("dove", form) if done and not leaves() else []
        if done and not problems:
            return onward("dove")
        return page("dove", form, problems=problems or None, at_home=at_home)
    return page("dove", form, at_home=at_home)


def _impossible(step: str, form: FlaskForm) -> list[tuple[str, str]]:
    """What the answers given so far make impossible in this step."""
    wish = drafts.wish_of(answers())
    if wish is None:
        return []
    return [(next(iter(form)).id, _(message)) for where, message in needs.faults_of(wish) if where == step]


@blueprint.route("/esigenze/nuova/riepilogo", methods=["GET", "POST"])
@allow(Role.FAMILY)
def summary() -> ResponseReturnValue:
    """Step 4: everything once more, the estimate, and the tap that posts."""
    wish = drafts.wish_of(answers())
    if wish is None:
        if request.method == "POST":  # a second tap: the first one has posted it
            return redirect(url_for("need_pages.list_all"), code=303)
        return redirect(step_url(drafts.first_open_step(answers())), code=303)
    form = PublishForm(data={"notes": wish.notes})
    if form.is_submitted():
        done = save(form, {"notes": (form.notes.data or "").strip()})
        if leaves():
            return onward("riepilogo")
        if done:
            return publish()
    return summary_page(form, wish)


def publish() -> ResponseReturnValue:
    """Post the draft; what could never be met leads back to its step."""
    wish = drafts.wish_of(answers())
    assert wish is not None
    faults = needs.faults_of(wish)
    if faults:
        flash(_(faults[0][1]), "error")
        return redirect(step_url(faults[0][0]), code=303)
    try:
        need = needs.post_need(db.session, actor(), now(), today(), wish)
    except needs.NothingToPost:
        return redirect(url_for("need_pages.list_all"), code=303)
    flash(_("Pubblicata. Ti scriviamo appena c'è una proposta."), "success")
    return redirect(url_for("need_pages.show", need_id=need.id), code=303)


def summary_page(form: PublishForm, wish: drafts.Wish) -> ResponseReturnValue:
    """The rows with their answers, and what it may cost."""
    household = households.get_household(db.session, actor())
    person = households.get_person(db.session, actor(), wish.person_id)
    return page(
        "riepilogo",
        form,
        wish=wish,
        person=person,
        subjects=subject_words(policy().subjects),
        estimate=estimate(db.session, household, person, wish, today()),
        neighbours=count_neighbours(db.session, household, wish.service),
        means_test=households.find_means_test(db.session, actor()),
        is_change=bool(answers().get("need_id")),
        policy_hours=policy().proposal_hours,
    )


@blueprint.post("/esigenze/nuova/butta")
@allow(Role.FAMILY)
def discard() -> ResponseReturnValue:
    """Throw the draft away."""
    drafts.discard_draft(db.session, actor())
    flash(_("Bozza buttata via."), "success")
    return redirect(url_for("need_pages.list_all"), code=303)


def answers() -> Mapping[str, Any]:
    """The draft's answers so far."""
    draft = drafts.find_draft(db.session, actor())
    return draft.answers if draft else {}


def windows_of(saved: Mapping[str, Any]) -> list[Window]:
    """The draft's hours."""
    return [Window(one["day"], one["start"], one["end"]) for one in saved.get("windows") or ()]


def _window(window: Window) -> dict[str, int]:
    return {"day": window.day, "start": window.start, "end": window.end}


def _languages(saved: Mapping[str, Any]) -> list[str]:
    """The languages of whoever the draft is for."""
    people = households.list_people(db.session, actor())
    return next((one.languages for one in people if str(one.id) == saved.get("person_id")), ["it"])


def policy() -> Policy:
    """The municipality's rules of today."""
    return get_policy(db.session, actor().municipality_id, today())


def save(form: FlaskForm, given: Mapping[str, Any]) -> bool:
    """Keep every answer that stands, right or not to go on; True if all of them stand."""
    stands = bool(form.validate())
    right = {name: value for name, value in given.items() if FIELDS.get(name, name) not in form.errors}
    drafts.save_draft(db.session, actor(), now(), right)
    return stands or leaves()


def leaves() -> bool:
    """Whether the person goes elsewhere than on."""
    return EXIT in request.form or BACK in request.form


def onward(step: str) -> ResponseReturnValue:
    """Where the pressed button leads."""
    if EXIT in request.form:
        flash(_("Bozza salvata. La ritrovi qui quando vuoi."), "success")
        return redirect("/oggi", code=303)
    if PERSON in request.form:
        return redirect(url_for("households.add_person", poi=step_url("cosa")), code=303)
    change = -1 if BACK in request.form else 1
    following = drafts.STEPS[max(0, drafts.STEPS.index(step) + change)]
    if change == 1 and answers().get("travel_km_max") is not None:
        following = drafts.first_open_step(answers())
    return redirect(step_url(following), code=303)


def step_url(step: str) -> str:
    """The page of a step."""
    names = dict(zip(drafts.STEPS, ("what", "when", "where", "summary"), strict=True))
    return url_for(f"wizard.{names[step]}")


def page(step: str, form: FlaskForm, **values: Any) -> ResponseReturnValue:
    """A step's page; 422 if something must be corrected."""
    wrong = bool(form.errors or values.get("problems"))
    titles = [_(title) for title in TITLES]
    number = drafts.STEPS.index(step) + 1
    shown = render_template(f"needs/{step}.html", form=form, step=number, titles=titles, saved=answers(), **values)
    return shown, 422 if wrong else 200
