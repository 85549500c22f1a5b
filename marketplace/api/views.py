"""The addresses of `/api/v1`: each is an operation of a feature, for the roles that have the page of it."""

from flask import Response, current_app, jsonify
from sqlmodel import col

from marketplace.accounts.models import Role
from marketplace.api import family, office, office_work, work
from marketplace.api.blueprint import blueprint
from marketplace.api.description import describe
from marketplace.api.schemas import Acceptance, NeedAnswer, NeedPage, ProposalAnswer, ProposalPage, Refusal
from marketplace.api.serving import operation, page_of, require_unchanged
from marketplace.db import db
from marketplace.needs import operations as needs
from marketplace.needs.models import Need
from marketplace.slots import operations as slots
from marketplace.slots.models import Proposal
from marketplace.slots.queries import get_proposal as proposal_facts
from marketplace.slots.queries import own_proposals, proposal_facts_of
from marketplace.web import actor, allow, id_from, now, public

__all__ = ["blueprint", "family", "office", "office_work", "work"]


@blueprint.get("/openapi.json")
@public
def description() -> Response:
    """This description."""
    return jsonify(describe(current_app))


@blueprint.get("/needs")
@allow(Role.FAMILY)
@operation("needs:read", NeedPage)
def list_needs() -> NeedPage:
    """The family's needs, newest first."""
    found, following = page_of(needs.own_needs(actor()), col(Need.created_at), col(Need.id))
    return NeedPage(items=[NeedAnswer.of(one) for one in found], next=following)


@blueprint.get("/needs/<need_id>")
@allow(Role.FAMILY)
@operation("needs:read", NeedAnswer)
def get_need(need_id: str) -> NeedAnswer:
    """One of the family's needs."""
    return NeedAnswer.of(needs.get_need(db.session, actor(), id_from(need_id)))


@blueprint.post("/needs/<need_id>/withdraw")
@allow(Role.FAMILY)
@operation("needs:write", NeedAnswer)
def withdraw_need(need_id: str) -> NeedAnswer:
    """Ask no longer; twice is once."""
    need = needs.get_need(db.session, actor(), id_from(need_id), lock=True)
    require_unchanged(NeedAnswer.of(need))
    return NeedAnswer.of(needs.withdraw_need(db.session, actor(), now(), need.id))


@blueprint.get("/proposals")
@allow(Role.FAMILY)
@operation("proposals:read", ProposalPage)
def list_proposals() -> ProposalPage:
    """The family's proposals, whatever became of them, by deadline."""
    rows, following = page_of(own_proposals(actor()), col(Proposal.deadline), col(Proposal.id), newest_first=False)
    found = proposal_facts_of(db.session, actor().municipality_id, rows)
    return ProposalPage(items=[ProposalAnswer.of(one) for one in found], next=following)


@blueprint.get("/proposals/<proposal_id>")
@allow(Role.FAMILY)
@operation("proposals:read", ProposalAnswer)
def get_proposal(proposal_id: str) -> ProposalAnswer:
    """One of the family's proposals."""
    return proposal_now(proposal_id)


@blueprint.post("/proposals/<proposal_id>/accept")
@allow(Role.FAMILY)
@operation("proposals:answer", ProposalAnswer, takes=Acceptance)
def accept_proposal(proposal_id: str, body: Acceptance) -> ProposalAnswer:
    """Say yes to the cap that was read, which binds; twice is once."""
    require_unchanged(proposal_now(proposal_id))
    slots.accept_proposal(db.session, actor(), now(), id_from(proposal_id), body.cap_cents)
    return proposal_now(proposal_id)


@blueprint.post("/proposals/<proposal_id>/decline")
@allow(Role.FAMILY)
@operation("proposals:answer", ProposalAnswer, takes=Refusal)
def decline_proposal(proposal_id: str, body: Refusal) -> ProposalAnswer:
    """Say no, free of charge; twice is once."""
    require_unchanged(proposal_now(proposal_id))
    slots.decline_proposal(db.session, actor(), now(), id_from(proposal_id), body.reason)
    return proposal_now(proposal_id)


def proposal_now(proposal_id: str) -> ProposalAnswer:
    """The proposal as it stands in this request. Raises NotFound."""
    return ProposalAnswer.of(proposal_facts(db.session, actor(), id_from(proposal_id)))
