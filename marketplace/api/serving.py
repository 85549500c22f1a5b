"""An operation's answer becomes JSON with an ETag: a program asks for news alone, and changes only what it saw."""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from uuid import UUID

from flask import Response, g, request
from pydantic import BaseModel, ValidationError

from marketplace.api.models import ApiRequest
from marketplace.api.operations import find_answer
from marketplace.db import db
from marketplace.errors import Outdated, Rejected
from marketplace.web import actor, now
from marketplace.words import N_

LIMIT: Final = 50
LIMIT_MAX: Final = 200
BAD_LIMIT: Final = N_("«limit» va da 1 a 200.")
BAD_BODY: Final = N_("«%(name)s» non è come dice la descrizione: correggi e invia di nuovo.")
BAD_CURSOR: Final = N_("«after» non è di questo elenco: riparti dall'inizio.")


def operation(
    scope: str, returns: type[BaseModel], takes: type[BaseModel] | None = None
) -> Callable[[Callable[..., BaseModel]], Callable[..., Response]]:
    """State the scope that a key needs for this view, what it answers, and what it takes as `body`."""

    def with_answer(view: Callable[..., BaseModel]) -> Callable[..., Response]:
        @wraps(view)
        def answer(**values: Any) -> Response:
            key = request.headers.get("Idempotency-Key") if request.method != "GET" else None
            fingerprint = fingerprint_of_request()
            known = find_answer(db.session, actor(), now(), g.token_id, key, fingerprint) if key is not None else None
            if known is not None:
                return replayed(known)
            if takes is not None:
                values["body"] = body_of(takes)
            given = respond(view(**values))
            if key is not None:
                keep(given, key, fingerprint)
            return given

        answer.scope = scope  # type: ignore[attr-defined]
        answer.takes = takes  # type: ignore[attr-defined]
        answer.returns = returns  # type: ignore[attr-defined]
        return answer

    return with_answer


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
    answer.set_etag(hashlib.sha256(known.body).hexdigest()[:32])
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def body_of(model: type[BaseModel]) -> BaseModel:
    """The request's JSON. Raises Rejected, with the name of what is wrong and nothing of what was sent."""
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        where = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
        field = str(where[0]) if where and where[0] in model.model_fields else "body"
        raise Rejected(BAD_BODY, field=field, name=field) from None


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


def page_of(ids: list[UUID]) -> tuple[slice, UUID | None]:
    """The part of an ordered list that `limit` and `after` ask for, and the cursor of the next. Raises Rejected."""
    text = request.args.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= LIMIT_MAX):
        raise Rejected(BAD_LIMIT, field="limit")
    after, start = request.args.get("after"), 0
    if after is not None:
        known = {str(one): place for place, one in enumerate(ids)}
        if after not in known:
            raise Rejected(BAD_CURSOR, field="after")
        start = known[after] + 1
    end = start + int(text)
    return slice(start, end), ids[end - 1] if end < len(ids) else None
