"""An operation's answer becomes JSON with an ETag: a program asks for news alone, and changes only what it saw."""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar
from uuid import UUID

from flask import Response, g, make_response, request
from pydantic import BaseModel, ValidationError
from sqlalchemy import tuple_
from sqlalchemy.exc import IntegrityError
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.api.models import ApiRequest
from marketplace.api.operations import find_answer
from marketplace.db import db
from marketplace.errors import MarketplaceError, Outdated, Rejected
from marketplace.failures import refused
from marketplace.web import actor, conflict_of, now
from marketplace.words import N_

LIMIT: Final = 50
LIMIT_MAX: Final = 200
T = TypeVar("T")
BAD_LIMIT: Final = N_("«limit» va da 1 a 200.")
BAD_BODY: Final = N_("«%(name)s» non è come dice la descrizione: correggi e invia di nuovo.")
UNKNOWN_NAME: Final = N_("Nell'indirizzo c'è un nome che questo elenco non conosce, o due volte lo stesso.")
BAD_CURSOR: Final = N_("«after» non è di questo elenco: riparti dall'inizio.")


def operation(
    scope: str,
    returns: type[BaseModel],
    takes: type[BaseModel] | None = None,
    asks: type[BaseModel] | None = None,
) -> Callable[[Callable[..., BaseModel]], Callable[..., Response]]:
    """State the scope that a key needs for this view, what it answers, what it takes as `body` and `query`."""

    def with_answer(view: Callable[..., BaseModel]) -> Callable[..., Response]:
        @wraps(view)
        def answer(**values: Any) -> Response:
            refuse_unknown(returns, asks)
            key = request.headers.get("Idempotency-Key") if request.method != "GET" else None
            fingerprint = fingerprint_of_request()
            known = find_answer(db.session, actor(), now(), g.token_id, key, fingerprint) if key is not None else None
            if known is not None:
                return replayed(known)
            if takes is not None:
                values["body"] = body_of(takes)
            if asks is not None:
                values["query"] = query_of(asks)
            if key is None:
                return respond(view(**values))
            given = once(lambda: view(**values))
            keep(given, key, fingerprint)
            return given

        answer.scope = scope  # type: ignore[attr-defined]
        answer.takes = takes  # type: ignore[attr-defined]
        answer.asks = asks  # type: ignore[attr-defined]
        answer.returns = returns  # type: ignore[attr-defined]
        return answer

    return with_answer


def once(view: Callable[[], BaseModel]) -> Response:
    """The answer, or a rule's no, of which nothing but the words is left: the key stays this transaction's own.

    A refusal that says when to come back is no answer: it is raised, and may be asked again.
    """
    try:
        with db.session.begin_nested():
            return respond(view())
    except IntegrityError as error:
        return make_response(refused(conflict_of(error)))
    except MarketplaceError as error:
        if error.wait_seconds is not None or error.status >= 500:
            raise
        return make_response(refused(error))


def fingerprint_of_request() -> bytes:
    """A hash of all that a request asks for."""
    condition = request.headers.get("If-Match", "")
    asked = f"{request.method} {request.full_path} {condition}\n".encode() + request.get_data()
    return hashlib.sha256(asked).digest()


def keep(given: Response, key: str, fingerprint: bytes) -> None:
    """Keep the answer in the transaction of what was done: both are there, or neither."""
    row = ApiRequest(
        municipality_id=actor().municipality_id,
        token_id=g.token_id,
        key=key,
        fingerprint=fingerprint,
        status=given.status_code,
        media_type=str(given.mimetype),
        body=given.get_data(),
        at=now(),
    )
    db.session.add(row)
    db.session.flush()


def replayed(known: ApiRequest) -> Response:
    """The answer that was given before."""
    answer = Response(known.body, known.status, mimetype=known.media_type)
    if known.status < 400:
        answer.set_etag(hashlib.sha256(known.body).hexdigest()[:32])
    answer.headers["Cache-Control"] = "private, no-cache" if known.status < 400 else "no-store"
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def body_of(model: type[BaseModel]) -> BaseModel:
    """The request's JSON. Raises Rejected, with the name of what is wrong and nothing of what was sent."""
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        raise wrong(model, error, "body") from None


def query_of(model: type[BaseModel]) -> BaseModel:
    """What stands behind the question mark, each name once. Raises Rejected as `body_of` does."""
    try:
        return model.model_validate({name: given for name, given in request.args.items() if name in model.model_fields})
    except ValidationError as error:
        raise wrong(model, error, "query") from None


def refuse_unknown(returns: type[BaseModel], asks: type[BaseModel] | None) -> None:
    """A misspelt name must not be passed over: half of an answer would be taken for the whole. Raises Rejected."""
    known = {*(asks.model_fields if asks else ()), *(("limit", "after") if "items" in returns.model_fields else ())}
    names = [name for name, _ in request.args.items(multi=True)]
    if len(set(names)) < len(names) or not set(names) <= known:
        raise Rejected(UNKNOWN_NAME, field="query")


def wrong(model: type[BaseModel], error: ValidationError, otherwise: str) -> Rejected:
    """The refusal that names the first field that is wrong."""
    where = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    field = str(where[0]) if where and where[0] in model.model_fields else otherwise
    return Rejected(BAD_BODY, field=field, name=field)


def respond(body: BaseModel) -> Response:
    """The answer, or 304 where the program has it already."""
    answer = Response(body.model_dump_json(), mimetype="application/json")
    answer.set_etag(tag_of(body))
    answer.headers["Cache-Control"] = "private, no-cache"
    if request.method == "GET" and request.if_none_match.contains_weak(tag_of(body)):
        answer.status_code = 304
        answer.set_data(b"")
    return answer


def require_unchanged(body: BaseModel) -> None:
    """Raises Outdated when the request's If-Match names another state than this."""
    if "If-Match" in request.headers and not request.if_match.contains(tag_of(body)):
        raise Outdated


def tag_of(body: BaseModel) -> str:
    """The ETag of an answer."""
    return hashlib.sha256(body.model_dump_json().encode()).hexdigest()[:32]


def page_of(rows: SelectOfScalar[T], *order: Any, newest_first: bool = True) -> tuple[list[T], UUID | None]:
    """The part of `rows` that `limit` and `after` ask for, and the cursor of the next; no more is read than that.

    `order` are the columns by which it goes, the last of them the id, all the one way. Raises Rejected.
    """
    size = limit_of()
    after = request.args.get("after")
    if after is not None:
        cursor = rows.with_only_columns(*order).where(order[-1] == _cursor(after))
        last = db.session.connection().execute(cursor).first()
        if last is None:
            raise Rejected(BAD_CURSOR, field="after")
        seen, place = tuple_(*order), tuple_(*last)
        rows = rows.where(seen < place if newest_first else seen > place)
    ordered = rows.order_by(*(one.desc() if newest_first else one for one in order))
    found = list(db.session.exec(ordered.limit(size + 1)))
    following = getattr(found[size - 1], "id") if len(found) > size else None  # noqa: B009
    return found[:size], following


def limit_of() -> int:
    """How many rows a page may have. Raises Rejected."""
    text = request.args.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= LIMIT_MAX):
        raise Rejected(BAD_LIMIT, field="limit")
    return int(text)


def _cursor(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Rejected(BAD_CURSOR, field="after") from None
