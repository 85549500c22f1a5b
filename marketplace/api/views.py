"""The addresses of `/api/v1`: each is an operation of a feature, for the roles that have the page of it."""

from flask import Blueprint, Response, current_app, jsonify

from marketplace.accounts.models import Role
from marketplace.api.description import describe
from marketplace.api.schemas import NeedAnswer, NeedPage
from marketplace.api.serving import operation, page_of, require_unchanged
from marketplace.db import db
from marketplace.needs import operations as needs
from marketplace.web import actor, allow, id_from, now, public

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


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
    mine = needs.list_needs(db.session, actor())
    part, following = page_of([one.id for one in mine])
    return NeedPage(items=[NeedAnswer.of(one) for one in mine[part]], next=following)


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
