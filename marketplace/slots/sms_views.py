"""Where the provider of SMS hands in what people answer."""

import hmac
import json

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from marketplace.accounts.models import Municipality
from marketplace.db import db
from marketplace.errors import NotFound
from marketplace.messages.sms import signature_of
from marketplace.slots.sms_answers import answer_by_sms
from marketplace.web import now, public

blueprint = Blueprint("sms_answers", __name__)


@blueprint.post("/sms/<municipality_id>")
@public
def take_sms(municipality_id: str) -> ResponseReturnValue:
    """JSON {from, text, id}, believed by its signature alone (X-Signature: HMAC-SHA256 of the body, hexadecimal)."""
    settings, body = current_app.config["SETTINGS"].sms, request.get_data()
    if settings is None or db.session.get(Municipality, municipality_id) is None:
        raise NotFound
    given = request.headers.get("X-Signature", "")
    if not hmac.compare_digest(given.encode(), signature_of(body, settings.secret).encode()):
        return Response(status=400)
    try:
        sms = json.loads(body)
        number, text, message_id = str(sms["from"]), str(sms["text"]), str(sms["id"])
    except (ValueError, KeyError, TypeError):
        return Response(status=400)
    answer_by_sms(db.session, now(), municipality_id, number, text, message_id)
    return Response(status=204)
