"""Pages of invitations: the member's own with its poster, and what a neighbour sees who has the code."""

import io

import segno
from flask import Blueprint, Response, render_template, url_for
from flask import redirect as to
from flask.typing import ResponseReturnValue

from marketplace.accounts.models import Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.filters import subject_words
from marketplace.slots import invitations
from marketplace.web import actor, allow, id_from, now, public, today

blueprint = Blueprint("invitations", __name__)


@blueprint.get("/invito/<code>")
@public
def show(code: str) -> str:
    """The group as a neighbour sees it, and what it would cost."""
    return render_template("slots/invitation.html", **_shown(code), code=code)


@blueprint.get("/invito/<code>/volantino")
@public
def poster(code: str) -> str:
    """The same on one page of paper, with the address as a QR code."""
    return render_template(
        "slots/poster.html", **_shown(code), code=code, address=url_for("invitations.show", code=code, _external=True)
    )


@blueprint.get("/invito/<code>/qr.svg")
@public
def qr(code: str) -> Response:
    """The invitation's address as a QR code."""
    invitations.read_invitation(db.session, actor().municipality_id, code)
    drawn = io.BytesIO()
    address = url_for("invitations.show", code=code, _external=True)
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=8, border=4)
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


def _shown(code: str) -> dict[str, object]:
    who = actor().municipality_id
    subjects = subject_words(get_policy(db.session, who, today()).subjects)
    return {"invited": invitations.read_invitation(db.session, who, code), "subjects": subjects}


@blueprint.get("/gruppi/<slot_id>/invito")
@allow(Role.FAMILY)
def mine(slot_id: str) -> str:
    """The member's own invitation: its address, its poster, and the way to end it."""
    found = invitations.find_invitation(db.session, actor(), id_from(slot_id))
    address = url_for("invitations.show", code=found.code, _external=True) if found else ""
    return render_template("slots/invite.html", slot_id=slot_id, invitation=found, address=address)


@blueprint.post("/gruppi/<slot_id>/invito")
@allow(Role.FAMILY)
def invite(slot_id: str) -> ResponseReturnValue:
    """Make it."""
    invitations.invite(db.session, actor(), now(), id_from(slot_id))
    return to(url_for("invitations.mine", slot_id=slot_id), code=303)


@blueprint.post("/gruppi/<slot_id>/invito/revoca")
@allow(Role.FAMILY)
def revoke(slot_id: str) -> ResponseReturnValue:
    """End it."""
    invitations.revoke_invitation(db.session, actor(), now(), id_from(slot_id))
    return to(url_for("invitations.mine", slot_id=slot_id), code=303)
