"""The officer's pages on rounds: start one, watch it, read what it did, send its proposals."""

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role, Shown
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import NotFound
from marketplace.rounds import operations as rounds
from marketplace.rounds.forms import StartForm
from marketplace.rounds.gaps import area_words, map_of
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.proposing import propose
from marketplace.rounds.results import REASONS, Result, read_result
from marketplace.rounds.solving import unpacked
from marketplace.vouchers.programmes import list_programmes
from marketplace.web import actor, allow, id_from, now, shows, today

blueprint = Blueprint("rounds", __name__)

RUNNING = (RoundState.PREPARING, RoundState.SOLVING)


@blueprint.route("/comune/abbinamenti", methods=["GET", "POST"])
@allow(Role.OFFICER)
def list_all() -> ResponseReturnValue:
    """Rounds so far, and the way to start one."""
    form = StartForm(seconds=get_policy(db.session, actor().municipality_id, today()).round_seconds, seed=0)
    if form.validate_on_submit():
        started = rounds.start_round(db.session, actor(), now(), form.seconds.data, form.seed.data)
        return redirect(url_for("rounds.show", round_id=started.id), code=303)
    municipality_id = actor().municipality_id
    page = render_template(
        "rounds/list.html",
        form=form,
        rounds=rounds.list_rounds(db.session, municipality_id),
        at_work=rounds.find_round_at_work(db.session, municipality_id),
    )
    return page, 422 if form.errors else 200


@blueprint.get("/comune/abbinamenti/<round_id>")
@allow(Role.OFFICER)
def show(round_id: str) -> ResponseReturnValue:
    """A round: where it stands while it runs, then what it did."""
    found = _round(round_id)
    if found.state in RUNNING:
        latest = found.progress[-1] if found.progress else None
        elapsed = min((now() - found.started_at).total_seconds(), found.seconds_limit)
        part = "rounds/_running.html" if "HX-Request" in request.headers else "rounds/running.html"
        return render_template(part, round=found, latest=latest, elapsed=round(elapsed))
    if "HX-Request" in request.headers:
        return Response(headers={"HX-Redirect": url_for("rounds.show", round_id=found.id)})
    if found.plan_gz is None or found.instance_gz is None:
        return render_template("rounds/failed.html", round=found)
    return render_template("rounds/result.html", round=found, reasons=REASONS, **_result(found))


def _result(found: Round) -> dict[str, object]:
    assert found.instance_gz is not None
    assert found.plan_gz is not None
    result = read_result(unpacked(found.instance_gz), unpacked(found.plan_gz))
    names = {one.code: one.name for one in list_programmes(db.session, found.municipality_id)}
    before = _round_before(found)
    return {"result": result, "programmes": names, "before": before, "area_words": area_words}


@blueprint.get("/comune/abbinamenti/<round_id>/senza-posto")
@allow(Role.OFFICER)
def unserved(round_id: str) -> str:
    """Every need without a place: why, and what would have been enough."""
    found = _round(round_id)
    if found.plan_gz is None or found.instance_gz is None:
        raise NotFound
    return render_template("rounds/unserved.html", round=found, reasons=REASONS, **_result(found))


def _round_before(found: Round) -> Result | None:
    """The result of the newest round before this one that has a plan."""
    for earlier in rounds.list_rounds(db.session, found.municipality_id):
        if earlier.started_at < found.started_at and earlier.instance_gz and earlier.plan_gz:
            return read_result(unpacked(earlier.instance_gz), unpacked(earlier.plan_gz))
    return None


@blueprint.route("/comune/abbinamenti/<round_id>/invia", methods=["GET", "POST"])
@allow(Role.OFFICER)
def send(round_id: str) -> ResponseReturnValue:
    """Ask again, then send the proposals."""
    found = _round(round_id)
    if request.method == "POST":
        propose(db.session, actor(), now(), found.id)
        flash(_("Proposte inviate. Le famiglie e i professionisti hanno ricevuto un messaggio."), "success")
        return redirect(url_for("rounds.show", round_id=found.id), code=303)
    if found.plan_gz is None or found.instance_gz is None:
        raise NotFound
    hours = get_policy(db.session, actor().municipality_id, today()).proposal_hours
    return render_template("rounds/send.html", round=found, hours=hours, **_result(found))


@blueprint.post("/comune/abbinamenti/<round_id>/scarta")
@allow(Role.OFFICER)
def discard(round_id: str) -> ResponseReturnValue:
    """Give the plan up, to compute again."""
    rounds.discard_round(db.session, actor(), now(), id_from(round_id))
    flash(_("Abbinamento scartato: puoi avviarne un altro, anche con più tempo."), "success")
    return redirect(url_for("rounds.list_all"), code=303)


@blueprint.get("/comune/abbinamenti/<round_id>/<any(istanza, piano):part>.json")
@allow(Role.OFFICER)
def download(round_id: str, part: str) -> Response:
    """The instance or the plan, byte for byte as it was hashed: whoever is entitled can check it again."""
    found = _round(round_id)
    packed = found.instance_gz if part == "istanza" else found.plan_gz
    if packed is None:
        raise NotFound
    if part == "istanza":
        codes = [need["id"] for need in unpacked(packed)["needs"]]
        shows(Shown.HOME, rounds.households_asking(db.session, found.municipality_id, codes))
    answer = Response(packed, content_type="application/json", headers={"Content-Encoding": "gzip"})
    answer.headers.set("Content-Disposition", "attachment", filename=f"{part}.json")
    return answer


@blueprint.get("/comune/abbinamenti/<round_id>/mappa.geojson")
@allow(Role.OFFICER)
def map_data(round_id: str) -> ResponseReturnValue:
    """The municipality's outline and the squares with needs, for the map."""
    found = _round(round_id)
    if found.plan_gz is None or found.instance_gz is None:
        raise NotFound
    result = read_result(unpacked(found.instance_gz), unpacked(found.plan_gz))
    return map_of(result.areas)


def _round(round_id: str) -> Round:
    return rounds.get_round(db.session, actor().municipality_id, id_from(round_id))
