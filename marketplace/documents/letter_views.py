"""The desk's letters: print those that wait, print a batch again, type what came back on a slip."""

from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role, Shown
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.documents import letters
from marketplace.errors import Rejected
from marketplace.filters import subject_words
from marketplace.i18n import language
from marketplace.slots import slips
from marketplace.slots.models import ProposalState
from marketplace.slots.queries import list_proposals
from marketplace.web import actor, allow, id_from, now, shows, today

blueprint = Blueprint("letters", __name__, url_prefix="/sportello")


@blueprint.get("/lettere")
@allow(Role.OPERATOR, Role.OFFICER)
def waiting() -> str:
    """The letters that wait to be printed, and the batches that were."""
    shows(Shown.CONTACTS, letters.households_of(db.session, actor(), None))
    return render_template(
        "documents/letters.html",
        letters=letters.list_unprinted(db.session, actor()),
        batches=letters.list_batches(db.session, actor()),
        most=letters.BATCH_MAX,
    )


@blueprint.post("/lettere")
@allow(Role.OPERATOR, Role.OFFICER)
def print_them() -> ResponseReturnValue:
    """Make a batch: its letters wait no more."""
    letters.print_batch(db.session, actor(), now())
    flash(_("Il plico è pronto: aprilo e stampalo. Resta qui sotto, se serve di nuovo."), "success")
    return redirect(url_for("letters.waiting", _anchor="stampate"), code=303)


@blueprint.get("/lettere/<batch_id>.pdf")
@allow(Role.OPERATOR, Role.OFFICER)
def batch(batch_id: str) -> Response:
    """A batch on paper, as often as it is needed."""
    phone = get_policy(db.session, actor().municipality_id, today()).phone
    pdf = letters.batch_pdf(db.session, actor(), id_from(batch_id), phone, language())
    shows(Shown.CONTACTS, letters.households_of(db.session, actor(), id_from(batch_id)))
    answer = Response(pdf, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = "inline; filename=lettere.pdf"
    answer.cache_control.no_store = True
    return answer


@blueprint.route("/tagliandi", methods=["GET", "POST"])
@allow(Role.OPERATOR, Role.OFFICER)
def slip() -> ResponseReturnValue:
    """Type or scan a slip's code, see which proposal it is, record the answer that is ticked."""
    code = request.form.get("codice", "").strip()
    proposal, problems = None, []
    if request.method == "POST":
        try:
            if request.form.get("risposta") in ("si", "no"):
                return _answered(code, accept=request.form["risposta"] == "si")
            proposal = slips.find_by_slip(db.session, actor(), code)
        except Rejected as error:
            problems = [("codice", _(error.message))]
    if proposal is not None:
        shows(Shown.NEEDS, [proposal.household_id])
    shown = _facts_of(proposal.household_id, proposal.id) if proposal else None
    known = subject_words(get_policy(db.session, actor().municipality_id, today()).subjects)
    is_open = proposal is not None and proposal.state == ProposalState.PROPOSED and now() <= proposal.deadline
    page = render_template(
        "documents/slip.html", code=code, proposal=shown, is_open=is_open, subjects=known, problems=problems
    )
    return page, 422 if problems else 200


def _answered(code: str, *, accept: bool) -> ResponseReturnValue:
    slips.answer_by_slip(db.session, actor(), now(), code, accept=accept)
    yes, no = (
        _("Registrato: ha accettato. La famiglia riceve una conferma."),
        _("Registrato: ha rifiutato. La famiglia riceve una conferma."),
    )
    flash(yes if accept else no, "success")
    return redirect(url_for("letters.slip"), code=303)


def _facts_of(household_id: UUID, proposal_id: UUID) -> object:
    every = list_proposals(db.session, actor().municipality_id, household_id, states=tuple(ProposalState))
    return next(one for one in every if one.proposal_id == proposal_id)
