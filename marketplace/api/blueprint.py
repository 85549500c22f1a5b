"""Where all addresses of the API hang: its name tells web.py that callers are programs."""

from flask import Blueprint

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
