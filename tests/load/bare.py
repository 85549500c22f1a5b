"""The least that a page can be here: Flask, SQLModel, one row by its key, a few lines of HTML."""

import os
from html import escape
from uuid import UUID

from flask import Flask
from sqlmodel import Session, create_engine, select

from marketplace.accounts.models import User


def bare_app(url: str) -> Flask:
    """The page `/` on the database at `url`."""
    app, engine = Flask(__name__), create_engine(url, pool_size=8)
    user_id = UUID(os.environ["LOAD_USER"])

    @app.get("/")
    def page() -> str:
        with Session(engine) as session:
            user = session.exec(select(User).where(User.id == user_id)).one()
            return f"<!doctype html><title>Bare</title><h1>{escape(user.name)}</h1>"

    return app
