"""The OpenAPI 3.1 description is written from the routes themselves: it names what is served, all of it and no more."""

import re
from typing import Any, Final

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from marketplace.api.operations import KEY_MAX
from marketplace.api.schemas import Problem
from marketplace.api.serving import LIMIT, LIMIT_MAX

PREFIX: Final = "/api/v1"
REFERENCE: Final = "#/components/schemas/{model}"
ID: Final = {"format": "uuid"}
PLACES: Final = {"month": {"pattern": r"^20[0-9]{2}-(0[1-9]|1[0-2])$"}}
CAUSES: Final = {
    "401": "No key, or one that does not hold (any more).",
    "403": "The owner's role may not, or the key lacks the scope.",
    "404": "Not here, or not for the key's owner to see.",
    "409": "The state does not allow it (any more).",
    "412": "It has changed since the ETag in If-Match.",
    "422": "The input is wrong, or a rule says no.",
    "429": "Too many requests in a minute: Retry-After says how many seconds to wait.",
}


def describe(app: Flask) -> dict[str, Any]:
    """The whole API as an OpenAPI 3.1 document."""
    rules = [one for one in app.url_map.iter_rules() if hasattr(app.view_functions[one.endpoint], "returns")]
    views: list[Any] = [app.view_functions[one.endpoint] for one in rules]
    models = {one.returns for one in views} | {one.takes for one in views if one.takes} | {Problem}
    ordered = sorted(models, key=lambda model: model.__name__)
    taken = {one.takes for one in views if one.takes}
    modes = [(one, "validation" if one in taken else "serialization") for one in ordered]
    _, schemas = models_json_schema(modes, ref_template=REFERENCE)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(rules, key=lambda one: one.rule):
        path = re.sub(r"<(\w+)>", r"{\1}", rule.rule.removeprefix(PREFIX))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(app, rule, method)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Condiviso", "version": "1"},
        "servers": [{"url": PREFIX}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(app: Flask, rule: Rule, method: str) -> dict[str, Any]:
    view: Any = app.view_functions[rule.endpoint]
    is_list = "items" in view.returns.model_fields
    codes = ["401", "403", *(["404"] if rule.arguments else []), *(["409", "412"] if method != "GET" else [])]
    answer: dict[str, Any] = {
        "description": view.returns.__doc__,
        "headers": {"ETag": {"schema": {"type": "string"}}},
        "content": {"application/json": {"schema": _reference(view.returns.__name__)}},
    }
    responses = {
        "200": answer,
        **({"304": {"description": "As the ETag in If-None-Match."}} if method == "GET" else {}),
    }
    for code in [*codes, "422", "429"]:
        content = {"application/problem+json": {"schema": _reference("Problem")}}
        responses[code] = {"description": CAUSES[code], "content": content}
    takes = view.takes
    body = (
        {"required": True, "content": {"application/json": {"schema": _reference(takes.__name__)}}} if takes else None
    )
    return {
        "operationId": rule.endpoint.split(".")[-1],
        "summary": view.__doc__,
        "security": [{"key": [view.scope]}],
        "parameters": _parameters(rule, method, is_list, view.asks),
        **({"requestBody": body} if body else {}),
        "responses": responses,
    }


def _parameters(rule: Rule, method: str, is_list: bool, asks: type[BaseModel] | None) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {**text, **PLACES.get(name, ID)}}
        for name in sorted(rule.arguments)
    ]
    if asks is not None:
        told = asks.model_json_schema()
        found += [
            {"name": name, "in": "query", "required": name in told.get("required", ()), "schema": schema}
            for name, schema in told["properties"].items()
        ]
    if is_list:
        limit = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT}
        found.append({"name": "limit", "in": "query", "schema": limit})
        found.append({"name": "after", "in": "query", "schema": {**text, "format": "uuid"}})
    found.append({"name": "If-None-Match" if method == "GET" else "If-Match", "in": "header", "schema": text})
    if method != "GET":
        key = {**text, "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[!-~]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "schema": key})
    return found


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=name)}
