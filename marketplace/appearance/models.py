"""One row a municipality: its colour, and its own words in both languages."""

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row, check

DEFAULT_COLOUR = "#0059b3"


class Appearance(Row, table=True):
    """`colour` as #rrggbb, dark enough for white words; `welcome` stands on the start page, `help` under each."""

    __table_args__ = (
        UniqueConstraint("municipality_id", name="appearance_once"),
        check("appearance_colour", "colour ~ '^#[0-9a-f]{6}$'"),
    )

    colour: str = Field(default=DEFAULT_COLOUR, max_length=7)
    welcome_it: str = Field(default="", sa_type=Text)
    welcome_en: str = Field(default="", sa_type=Text)
    help_it: str = Field(default="", sa_type=Text)
    help_en: str = Field(default="", sa_type=Text)
    changed_at: datetime

    def welcome(self, language: str) -> str:
        """The words of the start page; Italian where a language has none."""
        return (self.welcome_en if language == "en" else "") or self.welcome_it

    def help(self, language: str) -> str:
        """Where help is to be had; Italian where a language has none."""
        return (self.help_en if language == "en" else "") or self.help_it
