"""The officer's pages on pagoPA's flows: hand one in, see what each payment does, then book it or throw it away."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from billing.ledger import moved_cents
from billing.pagopa_flow import MAX_BYTES
from marketplace.accounts.models import Role
from marketplace.db import db
from marketplace.statements import flows, wording
from marketplace.statements.forms import FlowForm
from marketplace.web import actor, allow, id_from, now

blueprint = Blueprint("flows", __name__, url_prefix="/comune/banca/flussi")


@blueprint.route("", methods=["GET", "POST"])
@allow(Role.OFFICER)
def read() -> ResponseReturnValue:
    """Hand a flow in; nothing is booked before it was looked at."""
    form = FlowForm()
    if form.validate_on_submit():
        try:
            flow = flows.take_flow(db.session, actor(), now(), form.flow.data.read(MAX_BYTES + 1))
        except flows.BadFlow as refused:
            db.session.rollback()
            form.flow.errors = [_(refused.message) % refused.values]
        else:
            return redirect(url_for("flows.show", flow_id=flow.id), code=303)
    listed = flows.list_flows(db.session, actor())
    return render_template("statements/flows.html", form=form, flows=listed), 422 if form.errors else 200


@blueprint.get("/<flow_id>")
@allow(Role.OFFICER)
def show(flow_id: str) -> str:
    """A flow: what each of its payments will do, or that it is booked."""
    flow = flows.get_flow(db.session, actor(), id_from(flow_id))
    lines = [] if flow.confirmed_at else flows.plan_flow(db.session, flow)
    deed = flows.flow_deed(flow, lines)
    return render_template(
        "statements/flow.html",
        flow=flow,
        lines=lines,
        rows=flows.rows_of(flow),
        deed=deed,
        posted_cents=sum(moved_cents(entry) for entry in deed.entries),
        why=wording.UNMATCHED,
    )


@blueprint.post("/<flow_id>/conferma")
@allow(Role.OFFICER)
def confirm(flow_id: str) -> ResponseReturnValue:
    """Book what the page showed."""
    flows.confirm_flow(db.session, actor(), now(), id_from(flow_id), request.form.get("visto", ""))
    flash(_("Flusso registrato: i pagamenti abbinati risultano pagati."), "success")
    return redirect(url_for("flows.show", flow_id=flow_id), code=303)


@blueprint.post("/<flow_id>/scarta")
@allow(Role.OFFICER)
def discard(flow_id: str) -> ResponseReturnValue:
    """Throw it away."""
    flows.discard_flow(db.session, actor(), now(), id_from(flow_id))
    flash(_("Il flusso è stato scartato: non è cambiato nulla."), "success")
    return redirect(url_for("flows.read"), code=303)
