"""Municipalities and sign-in are global tables; an appointment ties a person to a role in one municipality."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from flask_security.core import UserMixin
from sqlalchemy import BigInteger, DateTime, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from marketplace.db import Row, check, choice, json_list, json_object, refers
from marketplace.sealed import IndexOf, SealedText


class Role(StrEnum):
    """For whom somebody acts."""

    FAMILY = "family"
    PROVIDER = "provider"
    OFFICER = "officer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Municipality(SQLModel, table=True):
    """A city of the programme; `id` is its six-digit ISTAT code, `outline` a GeoJSON geometry."""

    id: str = Field(primary_key=True, max_length=6)
    name: str
    cadastral_code: str | None = Field(default=None, max_length=4)
    host: str | None = Field(default=None, unique=True)
    lat: float
    lon: float
    outline: dict[str, Any] | None = Field(default=None, sa_type=json_object().sa_type)
    is_demo: bool = False
    created_at: datetime


class PolicyVersion(Row, table=True):
    """A municipality's rules from `valid_from` on; `settings` overrides the defaults of accounts/policy.py."""

    __tablename__ = "policy_version"

    valid_from: date
    settings: dict[str, Any] = json_object()
    created_at: datetime


class User(SQLModel, UserMixin, table=True):
    """Somebody who can sign in; the field names are Flask-Security's."""

    __tablename__ = "user_account"

    id: UUID = Field(default_factory=uuid7, primary_key=True)  # type: ignore[assignment]
    email: str = Field(unique=True, max_length=255)
    name: str = ""
    password: str | None = None
    active: bool = True
    fs_uniquifier: str = Field(unique=True, max_length=64)
    confirmed_at: datetime | None = None
    locale: str = Field(default="it", max_length=2)
    us_totp_secrets: str | None = Field(default=None, sa_type=Text)
    us_phone_number: str | None = Field(default=None, unique=True, max_length=128)
    tf_primary_method: str | None = Field(default=None, max_length=64)
    tf_totp_secret: str | None = None
    tf_phone_number: str | None = Field(default=None, max_length=128)
    create_datetime: datetime = Field(sa_type=DateTime(timezone=True))

    @property
    def roles(self) -> list[Any]:  # type: ignore[override]
        """Flask-Security's own roles are not used: appointments are (per municipality)."""
        return []


class Appointment(SQLModel, table=True):
    """A user's role in a municipality, for a household or a provider where it needs one (read at sign-in)."""

    __table_args__ = (
        check("family_has_household", "(role = 'family') = (household_id is not null)"),
        check("provider_has_provider", "(role = 'provider') = (provider_id is not null)"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    user_id: UUID = Field(foreign_key="user_account.id", index=True)
    municipality_id: str = Field(foreign_key="municipality.id", max_length=6)
    role: Role = Field(sa_type=choice(Role))
    household_id: UUID | None = None
    provider_id: UUID | None = None
    created_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which role, for whom and why; every operation takes one and the audit log keeps it."""

    municipality_id: str
    role: Role | None = None
    user_id: UUID | None = None
    household_id: UUID | None = None
    provider_id: UUID | None = None
    on_behalf_of: UUID | None = None
    reason: str | None = None


class AuditEntry(Row, table=True):
    """One change of state: who, when, for whom, why; append-only (trigger). `detail` holds no personal data."""

    __tablename__ = "audit_entry"

    at: datetime
    user_id: UUID | None = None
    role: str | None = None
    on_behalf_of: UUID | None = None
    action: str = Field(max_length=60)
    subject: str = Field(max_length=60)
    subject_id: UUID | None = Field(default=None, index=True)
    reason: str | None = None
    detail: dict[str, Any] = json_object()


class StateChange(Row, table=True):
    """One row's state became another: the database itself writes it (trigger), whatever statement made the change.

    Who, for whom and why are those of the session's `set_author`; without a user it was a job or a command, named in
    `reason`. Append-only.
    """

    __tablename__ = "state_change"
    __table_args__ = (Index("state_change_of", "municipality_id", "subject_id"),)

    at: datetime
    subject: str = Field(max_length=60)
    subject_id: UUID
    before: str = Field(max_length=40)
    after: str = Field(max_length=40)
    user_id: UUID | None = None
    role: str | None = None
    on_behalf_of: UUID | None = None
    reason: str | None = None


class Shown(StrEnum):
    """What of a family somebody of the staff was shown; each page that shows it has its reason (accounts/looks.py)."""

    PAGES = "pages"
    CONTACTS = "contacts"
    MEANS_TEST = "means_test"
    RANKING = "ranking"
    PAYMENTS = "payments"
    CONTEST = "contest"
    DOCUMENTS = "documents"
    WORDS = "words"
    NEEDS = "needs"
    HOME = "home"


class Look(Row, table=True):
    """That somebody of the staff, or a command, was shown data of a family: when, in which role, what and why.

    Append-only (trigger): only the job that keeps to the retention takes away a row, and never one of this year.
    """

    __table_args__ = (refers("household"), Index("look_by_household", "municipality_id", "household_id", "at"))

    household_id: UUID
    at: datetime
    user_id: UUID | None = None
    role: str | None = Field(default=None, max_length=20)
    shown: Shown = Field(sa_type=choice(Shown))
    reason: str = Field(default="", max_length=200)


class SignInLink(SQLModel, table=True):
    """A link sent by e-mail that signs its owner in once (global); only the token's hash is kept.

    A link of somebody without an account makes the account when it is used: nobody learns who has one.
    """

    __tablename__ = "sign_in_link"

    token_hash: bytes = Field(primary_key=True)
    email: str = Field(max_length=255, index=True)
    name: str = Field(default="", max_length=120)
    password_hash: str | None = None
    wanted: str = Field(default="", max_length=500)
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class Way(StrEnum):
    """How somebody got in."""

    LINK = "link"
    PASSWORD = "password"  # noqa: S105
    PASSKEY = "passkey"
    SPID = "spid"
    CIE = "cie"
    DEMO = "demo"


class SignedIn(SQLModel, table=True):
    """One browser in which somebody is signed in (global); its cookie holds the token, only the hash is kept here.

    `is_strong`: two factors were given. It ends at `ends_at`, or before by its owner's will.
    """

    __tablename__ = "signed_in"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    token_hash: bytes = Field(unique=True)
    user_id: UUID = Field(foreign_key="user_account.id", index=True)
    way: Way = Field(sa_type=choice(Way))
    is_strong: bool
    device: str = Field(default="", max_length=60)
    started_at: datetime
    ends_at: datetime = Field(index=True)
    ended_at: datetime | None = None


class Authenticator(SQLModel, table=True):
    """The secret from which a phone makes six digits (global); a code counts once: `last_counter` is its time step."""

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    secret: str = Field(sa_type=SealedText)
    last_counter: int
    created_at: datetime


class RecoveryCode(SQLModel, table=True):
    """A code on paper for whoever has lost the phone (global); it counts once, only its keyed hash is kept."""

    __tablename__ = "recovery_code"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    code_hash: bytes = Field(primary_key=True)
    used_at: datetime | None = None


class SetUpCode(SQLModel, table=True):
    """Lets staff set up their first second step (global): from an administrator, not by e-mail; counts in one browser.

    `given_in` is the sign-in (`signed_in.id`) in which it was given.
    """

    __tablename__ = "set_up_code"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    code_hash: bytes
    ends_at: datetime
    given_in: UUID | None = None


class Passkey(SQLModel, table=True):
    """A key pair of somebody's phone, computer or security key (global); only the public half ever comes here.

    `sign_count` is the device's own count of its signatures, 0 where it keeps none: one that does not grow is a copy's.
    """

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    user_id: UUID = Field(foreign_key="user_account.id", index=True)
    credential_id: bytes = Field(unique=True)
    public_key: bytes
    sign_count: int = Field(sa_type=BigInteger)
    name: str = Field(max_length=60)
    created_at: datetime
    used_at: datetime | None = None


class Challenge(SQLModel, table=True):
    """What a passkey must sign (global), once, within its time, in the browser that asked for it.

    With `user_id` it is for a new passkey of that person, without for signing in; only hashes are kept.
    """

    challenge_hash: bytes = Field(primary_key=True)
    browser_hash: bytes
    user_id: UUID | None = Field(default=None, foreign_key="user_account.id")
    expires_at: datetime = Field(index=True)


class Identity(SQLModel, table=True):
    """Whose tax code SPID or CIE proved (global): one account a person; it is sealed, its index finds it."""

    __table_args__ = (UniqueConstraint("tax_code_index", name="one_identity"),)

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    tax_code: str = Field(sa_type=SealedText)
    tax_code_index: bytes = Field(sa_type=IndexOf("tax_code"))
    proved_at: datetime


class IdentityRequest(SQLModel, table=True):
    """Somebody on the way to a provider and back (global): answered once, in the same browser, within its time.

    With `user_id` it ties the identity to that account, without it signs in.
    """

    __tablename__ = "identity_request"

    state_hash: bytes = Field(primary_key=True)
    browser_hash: bytes
    user_id: UUID | None = Field(default=None, foreign_key="user_account.id")
    way: str = Field(max_length=40)
    issuer: str = Field(max_length=300)
    nonce: str = Field(sa_type=SealedText)
    verifier: str = Field(sa_type=SealedText)
    wanted: str = Field(default="", max_length=500)
    expires_at: datetime = Field(index=True)


class Attempts(SQLModel, table=True):
    """How often somebody tried something since when (global); the key is a keyed hash of what and who."""

    key_hash: bytes = Field(primary_key=True)
    since: datetime = Field(index=True)
    count: int


class LastingSecret(SQLModel, table=True):
    """A secret that outlives every key of SECRET_KEYS, sealed like the rest (global); made once, never changed."""

    __tablename__ = "lasting_secret"

    name: str = Field(primary_key=True, max_length=40)
    secret: str = Field(sa_type=SealedText)


class ApiToken(SQLModel, table=True):
    """A key with which a program acts for its owner (global); it is shown once, only its hash is kept.

    It acts in the role of its appointment, as long as that lasts, and does what its scopes name and that role may.
    """

    __tablename__ = "api_token"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    token_hash: bytes = Field(unique=True)
    appointment_id: UUID = Field(foreign_key="appointment.id", index=True)
    name: str = Field(max_length=60)
    scopes: list[str] = json_list()
    created_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
