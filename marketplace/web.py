"""Every request is one transaction by one actor; a route that does not say who may use it is used by nobody."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Flask, Request, Response, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from marketplace.accounts.looks import note_looks
from marketplace.accounts.models import Actor, Appointment, Municipality, Role, Shown
from marketplace.accounts.operations import sign_as
from marketplace.accounts.sessions import STAFF
from marketplace.accounts.signing import GIVE, SET_UP, missing_step
from marketplace.accounts.tokens import count_request, find_owner
from marketplace.db import NOBODY, Scope, db, set_scope
from marketplace.errors import CONFLICTS, Conflict, Forbidden, MarketplaceError, NotFound, NoToken, Rejected
from marketplace.i18n import API as API_PATH

P = ParamSpec("P")
R = TypeVar("R")
View = Callable[P, R]

PUBLIC = frozenset({"public"})
SIGNED_IN = frozenset({"signed in"})
FIRST_STEP = frozenset({"first step"})
CITY = ZoneInfo("Europe/Rome")
ACTING = "acting"  # of the session: for which household an operator acts, why, and its initials
# The same for everybody: answered without asking who it is, and so without a database.
API = "api"  # the blueprint whose callers are programs: they are known by a key, never by a cookie
ACTORLESS = ("assets", "health", "metrics")
LOOKLESS = ("desk", "pages", "accounts", "second_step", "passkeys")  # of these no page shows a family its data
# Endpoints of libraries, which have no decorator of ours: static files are for all.
LIBRARY_ENDPOINTS = ("assets.", "static")


def allow(*roles: Role) -> Callable[[View[P, R]], View[P, R]]:
    """State that actors with one of `roles` may use this view."""
    return lambda view: _with_access(view, frozenset(roles))


def public(view: View[P, R]) -> View[P, R]:
    """State that anybody may use this view."""
    return _with_access(view, PUBLIC)


def signed_in(view: View[P, R]) -> View[P, R]:
    """State that whoever has signed in may use this view, with or without an appointment."""
    return _with_access(view, SIGNED_IN)


def first_step(view: View[P, R]) -> View[P, R]:
    """State that whoever has taken the first step of signing in may use this view, with the second still missing."""
    return _with_access(view, FIRST_STEP)


def _with_access(view: View[P, R], access: frozenset[str]) -> View[P, R]:
    view.access = access  # type: ignore[attr-defined]
    return view


def access_of(app: Flask, endpoint: str) -> frozenset[str]:
    """Who may use an endpoint: role names, PUBLIC, SIGNED_IN or FIRST_STEP; the empty set is nobody."""
    if endpoint.startswith(LIBRARY_ENDPOINTS):
        return PUBLIC
    return cast(frozenset[str], getattr(app.view_functions[endpoint], "access", frozenset()))


class Cookies(SecureCookieSessionInterface):
    """A browser's session; programs have none, whatever cookie they send."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The browser's session, or an empty one."""
        return self.session_class() if request.path.startswith(API_PATH) else super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Answer no cookie to a program."""
        if not request.path.startswith(API_PATH):
            super().save_session(app, session, response)


class Application(Flask):
    """Flask, with one commit per request inside the dispatch, so that a constraint still becomes a Conflict."""

    session_interface = Cookies()

    def dispatch_request(self) -> ResponseReturnValue:
        if request.blueprint in ACTORLESS:
            return super().dispatch_request()
        g.actor = _actor_of_key() if request.blueprint == API else _find_actor()
        sign_as(db.session, g.actor)
        if request.blueprint == API:
            request.get_data()  # kept, before a form is looked for in it: many clients call any body a form
        if _holds_nul():
            raise Rejected
        if request.url_rule is not None:
            access = access_of(self, request.url_rule.endpoint)
            refused = _refuse_key(access) if request.blueprint == API else _refuse(access)
            if refused is not None:
                return refused
        try:
            response = super().dispatch_request()
            if g.actor.on_behalf_of is not None and request.blueprint not in LOOKLESS:
                shows(Shown.PAGES, [g.actor.on_behalf_of])
            db.session.commit()
        except IntegrityError as error:
            db.session.rollback()
            raise conflict_of(error) from error
        except BaseException:
            db.session.rollback()
            raise
        return response

    def log_exception(self, exc_info: Any) -> None:
        """Flask would log the address, which may hold a secret."""
        rule = request.url_rule.rule if request.url_rule else "none"
        self.logger.error("defect", exc_info=exc_info, extra={"facts": {"method": request.method, "rule": rule}})


def _holds_nul() -> bool:
    """Whether a text has a NUL in it, which no browser sends and no column of the database holds."""
    sent = (*(request.view_args or {}).items(), *request.values.items(multi=True))
    return any("\0" in text for _, text in sent if isinstance(text, str))


def conflict_of(error: IntegrityError) -> MarketplaceError:
    """The Conflict behind a violated constraint; an unknown constraint is a defect and stays an IntegrityError."""
    name = str(getattr(getattr(error.orig, "diag", None), "constraint_name", ""))
    if name not in CONFLICTS:
        raise error
    return Conflict(CONFLICTS[name])


def _refuse(access: frozenset[str]) -> ResponseReturnValue | None:
    """None if the actor may pass, a redirect to sign-in for strangers; raises Forbidden."""
    if access == PUBLIC:
        return None
    wanted = request.full_path if request.method == "GET" else None
    if not current_user.is_authenticated:
        return redirect(url_for("accounts.enter", next=wanted))
    if access == FIRST_STEP:
        return None
    if g.missing_step == GIVE:
        return redirect(url_for("second_step.give", next=wanted))
    if access != SIGNED_IN and g.missing_step == SET_UP:
        return redirect(url_for("second_step.set_up", next=wanted))
    if access == SIGNED_IN or (g.actor.role is not None and g.actor.role in access):
        return None
    raise Forbidden


def _refuse_key(access: frozenset[str]) -> ResponseReturnValue | None:
    """Let a program pass if its owner's role may, and its key names the view's scope."""
    if access == PUBLIC:
        return None
    if g.actor.role is None:
        raise NoToken
    view = current_app.view_functions[str(request.endpoint)]
    if g.actor.role not in access or getattr(view, "scope", None) not in g.scopes:
        raise Forbidden
    return None


def _actor_of_key() -> Actor:
    """The owner of the key in the request's header, in the one role for which the key was made; else nobody."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    found = find_owner(db.session, now(), text.strip()) if kind.lower() == "bearer" else None
    if found is None:
        count_request(db.session, now(), None, client_address())
        db.session.commit()
        set_scope(db.session, Scope("", NOBODY, NOBODY))
        return Actor("")
    token, appointment, owner = found
    g.token_id, g.scopes, g.owners_language = token.id, token.scopes, owner.locale
    actor = _actor_in(appointment)
    count_request(db.session, now(), token, client_address())
    db.session.commit()  # apart: requests of one key do not wait for each other, and one that fails is counted too
    set_scope(db.session, scope_of(actor))
    return actor


def _actor_in(appointment: Appointment) -> Actor:
    return Actor(
        municipality_id=appointment.municipality_id,
        role=appointment.role,
        user_id=appointment.user_id,
        household_id=appointment.household_id,
        provider_id=appointment.provider_id,
    )


def _find_actor() -> Actor:
    """The actor of this request; the session sees only its municipality, and only its own guarded rows.

    While a step of signing in is missing nobody has a role: `g.missing_step` says which.
    """
    appointment = _find_appointment()
    g.missing_step = missing_step(appointment.role if appointment else None)
    if appointment is None or g.missing_step:
        user_id = current_user.id if current_user.is_authenticated else None
        actor = Actor(_municipality_of_host(), user_id=user_id)
        set_scope(db.session, Scope(actor.municipality_id, NOBODY, NOBODY))
        return actor
    actor = _assisting(appointment) or _actor_in(appointment)
    set_scope(db.session, scope_of(actor))
    return actor


def _assisting(appointment: Appointment) -> Actor | None:
    """An operator who acts for a family: with its role and no more than its rows, on record as on its behalf."""
    acting = session.get(ACTING)
    if appointment.role != Role.OPERATOR or not acting:
        return None
    household_id = UUID(acting["household"])
    return Actor(
        municipality_id=appointment.municipality_id,
        role=Role.FAMILY,
        user_id=appointment.user_id,
        household_id=household_id,
        on_behalf_of=household_id,
        reason=acting["reason"],
    )


def scope_of(actor: Actor) -> Scope:
    """What row-level security lets an actor see: staff the municipality, others only their own guarded rows."""
    if actor.role in STAFF:
        return Scope(actor.municipality_id)
    return Scope(actor.municipality_id, actor.household_id or NOBODY, actor.provider_id or NOBODY)


def list_appointments(user_id: UUID) -> list[Appointment]:
    """A user's roles, oldest first."""
    return list(
        db.session.exec(
            select(Appointment)
            .where(Appointment.user_id == user_id, col(Appointment.ended_at).is_(None))
            .order_by(col(Appointment.created_at), col(Appointment.id))
        )
    )


def _find_appointment() -> Appointment | None:
    if not current_user.is_authenticated:
        return None
    mine = list_appointments(current_user.id)
    chosen = session.get("appointment")
    return next((one for one in mine if str(one.id) == chosen), mine[0] if mine else None)


def _municipality_of_host() -> str:
    """The municipality whose host name was called, else the one last chosen, else the only or first one; '' if none."""
    host = request.host.split(":")[0]
    found = db.session.exec(select(Municipality.id).where(Municipality.host == host)).first()
    if found:
        return found
    known = list(db.session.exec(select(Municipality.id).order_by(col(Municipality.created_at), Municipality.id)))
    chosen = str(session.get("municipality"))
    return chosen if chosen in known else (known[0] if known else "")


def actor() -> Actor:
    """Who makes this request."""
    return cast(Actor, g.actor)


def shows(shown: Shown, households: Iterable[UUID | None]) -> None:
    """This request shows data of these families; if it is the staff's, that is put on record for them to read.

    Every view that puts a family's name, address or numbers before the staff calls this: a test walks all of them.
    """
    note_looks(db.session, actor(), now(), shown, households)


def client_address() -> str:
    """The network address that this request came from, as the outermost of the setting PROXIES saw it.

    '' for this machine itself: a proxy that is not told of speaks for everybody, who must not be counted as one.
    """
    address = request.remote_addr or ""
    return "" if address in ("127.0.0.1", "::1") else address


def now() -> datetime:
    """The instant of this request, aware UTC, the same throughout."""
    if "now" not in g:
        g.now = datetime.now(UTC)
    return cast(datetime, g.now)


def today() -> date:
    """The city's date at this request."""
    return now().astimezone(CITY).date()


def id_from(text: str) -> UUID:
    """A row's id from a URL; raises NotFound for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def template_globals() -> dict[str, Any]:
    """What every template knows: the actor and its municipality."""
    who = g.get("actor")
    municipality = db.session.get(Municipality, who.municipality_id) if who and who.municipality_id else None
    assisted = session.get(ACTING) if who and who.on_behalf_of else None
    return {"actor": who, "municipality": municipality, "Role": Role, "assisted": assisted}
