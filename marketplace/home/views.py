"""The public start page; whoever has signed in is led to the start page of the role."""

from flask import Blueprint, render_template

from marketplace.web import public

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public
def start() -> str:
    """What one can have here, and how it works."""
    return render_template("home/public.html")
