"""OpenAPI 3.1 from the registry: the contract is what is served, not what is written."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ops_api.people.roles import PUBLIC
from ops_api.web.registry import PREFIX, Endpoint, Registry

_BINARY = {"type": "string", "format": "binary"}
_REF = "#/components/schemas/{model}"


def document(registry: Registry) -> dict[str, Any]:
    """The description of every endpoint."""
    models = {m for e in registry for m in (e.body, e.answer, e.query) if m is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=_REF
    )
    schemas = definitions.get("$defs", {})
    schemas["Problem"] = _problem()
    paths: dict[str, Any] = {}
    for endpoint in registry:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "storetwin", "version": "1", "summary": "Operations of a retail chain"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    out: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": (endpoint.handler.__doc__ or "").strip().splitlines()[0],
        "parameters": _parameters(endpoint),
        "responses": {str(status): _response(endpoint, status) for status in endpoint.all_statuses},
    }
    if endpoint.permission != PUBLIC:
        out["security"] = [{"token": []}, {"cookie": []}]
        out["x-permission"] = endpoint.permission
    if endpoint.body is not None:
        schema = {"$ref": _REF.format(model=endpoint.body.__name__)}
        out["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if endpoint.takes:
        content = {media: {"schema": _BINARY} for media in endpoint.takes}
        out["requestBody"] = {"required": True, "content": content}
    return out


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    if endpoint.query is not None:
        shape = endpoint.query.model_json_schema()
        required = set(shape.get("required", ()))
        out += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in shape.get("properties", {}).items()
        ]
    if endpoint.keyed:
        schema = {"type": "string", "format": "uuid"}
        out.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema})
    return out


def _response(endpoint: Endpoint, status: int) -> dict[str, Any]:
    good = status < 400
    name = endpoint.answer.__name__ if good else "Problem"
    media = "application/json" if good else "application/problem+json"
    schema = {"$ref": _REF.format(model=name)}
    if good and endpoint.gives:
        return {
            "description": "done",
            "content": {media: {"schema": _BINARY} for media in endpoint.gives},
        }
    return {"description": "done" if good else "refused", "content": {media: {"schema": schema}}}


def _problem() -> dict[str, Any]:
    class Problem(BaseModel):
        """RFC 9457 with our code, field, row, remedy and whether a retry may help."""

        type: str
        status: int
        code: str
        title: str
        detail: str
        field: str | None
        row: int | str | None
        remedy: str | None
        retryable: bool

    return Problem.model_json_schema()
