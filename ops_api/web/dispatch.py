"""From an HTTP request to a handler and back."""

from __future__ import annotations

import json
import uuid
from hashlib import sha256
from typing import Any

from flask import Flask, Response, current_app, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from sqlalchemy import Connection, Engine

from ops_api.clock import epoch
from ops_api.database import looking, reading, write_with_retry
from ops_api.errors import CrossSite, NotLoggedIn, RoleDenied
from ops_api.ledger.idempotency import Keyed, digest, run_keyed
from ops_api.ledger.write import record_audit
from ops_api.people.authenticate import principal_of_request
from ops_api.people.roles import PUBLIC, Principal
from ops_api.settings import Settings
from ops_api.web.body import parse, read_body, read_file, validate, validate_query
from ops_api.web.registry import (
    Answer,
    Call,
    Document,
    Endpoint,
    Registry,
    Site,
    check_scope,
    unknown_document,
)
from policies.domain.errors import InvalidInput, StoretwinError

NOBODY = Principal("", "", "", "en", ())
_AUDITED = frozenset({"ROLE_DENIED", "SITE_DENIED", "DOCUMENT_UNKNOWN", "CROSS_SITE"})


def bind(app: Flask, registry: Registry, limiter: Limiter) -> None:
    """Give each endpoint its address."""
    for endpoint in registry:
        view = _view(endpoint)
        if endpoint.limit:
            text = getattr(app.extensions["storetwin"].settings, endpoint.limit, endpoint.limit)
            view = limiter.limit(text, key_func=get_remote_address)(view)
        app.add_url_rule(
            endpoint.rule, endpoint=endpoint.name, view_func=view, methods=[endpoint.method]
        )


def _view(endpoint: Endpoint) -> Any:
    def view(**path: str) -> Response:
        return _answer(endpoint, path)

    view.__name__ = endpoint.name
    return view


def _answer(endpoint: Endpoint, path: dict[str, str]) -> Response:
    service = current_app.extensions["storetwin"]
    engine: Engine = service.engine
    settings: Settings = service.settings
    now = epoch(settings.clock())
    principal = _who(endpoint, engine, now)
    try:
        if endpoint.permission != PUBLIC and not principal.may(endpoint.permission):
            raise RoleDenied(
                f"none of your roles has {endpoint.permission}",
                field="role",
                remedy="ask a colleague who may",
            )
        _check_origin(endpoint, principal)
        _check_path(path)
        query = _read_query(endpoint)
        raw, body = _read_body(endpoint, settings)
        call = Call(None, principal, settings, now, body, query, path, endpoint.permission)  # type: ignore[arg-type]
        if endpoint.gathers:
            call.gatherer = service.gatherer
            return _respond(endpoint, settings, endpoint.handler(call))
        if endpoint.keyed:
            return _keyed(endpoint, engine, call, raw)
        if endpoint.writes:
            return _respond(endpoint, settings, _run(endpoint, engine, call))
        with reading(engine) as connection:
            call.connection = connection
            check_scope(endpoint, call)
            return _respond(endpoint, settings, endpoint.handler(call))
    except StoretwinError as error:
        _audit_refusal(endpoint, engine, principal, now, error)
        raise


def _who(endpoint: Endpoint, engine: Engine, now: int) -> Principal:
    if endpoint.permission == PUBLIC:
        return NOBODY
    with looking(engine) as connection:
        found = principal_of_request(connection, request, session, now)
    if found is None:
        raise NotLoggedIn("no valid session or token", remedy="log in, or send a bearer token")
    return found


def _check_origin(endpoint: Endpoint, principal: Principal) -> None:
    """A browser sends cookies with any form; only our own pages can send this header."""
    if endpoint.method == "GET" or not (principal.by_cookie or endpoint.permission == PUBLIC):
        return
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin != request.host_url.rstrip("/")
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in {
        "same-origin",
        "none",
    }:
        raise CrossSite("the request comes from another site", field="Origin")
    if principal.by_cookie and request.headers.get("X-Requested-With") != "storetwin":
        raise CrossSite(
            "the header X-Requested-With: storetwin is missing",
            field="X-Requested-With",
            remedy="send it with every write that is made by cookie",
        )


def _check_path(path: dict[str, str]) -> None:
    """No database has a name with a NUL, and PostgreSQL can't even be asked for one."""
    for name in path.values():
        if "\x00" in name:
            raise unknown_document(name.replace("\x00", " "))


def _read_query(endpoint: Endpoint) -> Any:
    if endpoint.query is None:
        if request.args:
            name = next(iter(request.args))
            raise InvalidInput(f"no parameter {name[:40]!r} here", field=name[:40])
        return None
    if any(len(values) > 1 for _, values in request.args.lists()):
        raise InvalidInput("a parameter stands twice", field="query")
    return validate_query(endpoint.query, request.args.to_dict())


def _read_body(endpoint: Endpoint, settings: Settings) -> tuple[bytes, Any]:
    if endpoint.takes and endpoint.reads is not None:
        raw = read_file(request, endpoint.takes, settings.max_file_bytes)
        return raw, endpoint.reads(raw, request.mimetype)
    if endpoint.body is None:
        return b"{}", None
    raw = read_body(request, settings.max_body_bytes)
    return raw, validate(endpoint.body, raw)


def _run(endpoint: Endpoint, engine: Engine, call: Call) -> Answer | dict[str, Any]:
    def work(connection: Connection) -> Answer | dict[str, Any]:
        call.connection = connection
        check_scope(endpoint, call)
        return endpoint.handler(call)

    return write_with_retry(engine, work)


def _keyed(endpoint: Endpoint, engine: Engine, call: Call, raw: bytes) -> Response:
    call.key = _key()
    # A file's place stands in its query; a document's in its path.
    said = [sha256(raw).hexdigest(), request.args] if endpoint.takes else parse(raw)
    sha = digest(endpoint.name, call.path, said)

    def work(connection: Connection) -> Keyed:
        call.connection = connection
        check_scope(endpoint, call)

        def handle() -> tuple[int, dict[str, Any]]:
            out = endpoint.handler(call)
            answer = out if isinstance(out, Answer) else Answer(out, endpoint.statuses[0])
            return answer.status, answer.body

        return run_keyed(
            connection,
            call.key,
            sha,
            actor=call.principal.person,
            recorded_at=call.now,
            work=handle,
        )

    done = write_with_retry(engine, work)
    if done.refusal is not None:
        raise done.refusal
    response = _respond(endpoint, call.settings, Answer(done.answer, done.status))
    if done.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _key() -> str:
    text = request.headers.get("Idempotency-Key", "")
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidInput(
            "the header Idempotency-Key is missing or no UUID",
            field="Idempotency-Key",
            remedy="make a UUID per operation, keep it, and send it again with each retry",
        ) from None


def _respond(endpoint: Endpoint, settings: Settings, out: Answer | dict[str, Any]) -> Response:
    answer = out if isinstance(out, Answer) else Answer(out, endpoint.statuses[0])
    if answer.status not in endpoint.all_statuses:
        raise AssertionError(f"{endpoint.name} answered an undeclared {answer.status}")
    if answer.content is not None:
        response = Response(answer.content, status=answer.status, content_type=answer.media_type)
        response.headers["Content-Disposition"] = f'attachment; filename="{answer.file_name}"'
        return response
    if settings.check_answers:
        endpoint.answer.model_validate_json(json.dumps(answer.body))
    if answer.ends_session:
        session.clear()
    if answer.session is not None:
        session.clear()
        session.update(answer.session)
    response = Response(
        json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")),
        status=answer.status,
        content_type=answer.media_type,
    )
    if answer.location:
        response.headers["Location"] = answer.location
        response.headers["Cache-Control"] = "no-store"
    return response


def _audit_refusal(
    endpoint: Endpoint, engine: Engine, principal: Principal, now: int, error: StoretwinError
) -> None:
    scoped = isinstance(endpoint.scope, Site | Document)
    if error.code not in _AUDITED or not principal.person:
        return
    if error.code == "DOCUMENT_UNKNOWN" and not scoped:
        return

    def work(connection: Connection) -> None:
        record_audit(
            connection,
            "refused",
            recorded_at=now,
            actor=principal.person,
            device=principal.device,
            subject=str(error.row or "")[:64],
            detail={"endpoint": endpoint.name, "code": error.code},
        )

    write_with_retry(engine, work)
