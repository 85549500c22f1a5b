"""Addresses while they are typed; what somebody types is posted, so that no log or history holds where they live."""

from flask import Blueprint, Response, jsonify, request

from marketplace.db import db
from marketplace.places.queries import suggest_addresses
from marketplace.web import actor, public

blueprint = Blueprint("places", __name__)


@blueprint.post("/indirizzi")
@public
def suggest() -> Response:
    """Streets, or house numbers once there is a digit, that `testo` may become: a JSON list, the likeliest first."""
    return jsonify(suggest_addresses(db.session, actor().municipality_id, request.form.get("testo", "")))
