"""RFC 9457 problem+json for every error, in Chinese and English."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from ops_api.errors import (
    RETRYABLE,
    BatchTooLarge,
    Busy,
    ServiceError,
    UnknownPath,
    status_of,
)
from ops_api.web.catalogue import detail_of, remedy_of, title_of
from policies.domain.errors import InvalidInput, StoretwinError

MEDIA_TYPE = "application/problem+json"
LANGUAGES = ("en", "zh")


class MethodNotAllowed(ServiceError):
    """The address takes other methods."""

    code = "METHOD_NOT_ALLOWED"


class Internal(ServiceError):
    """A defect of the program."""

    code = "INTERNAL"


def language() -> str:
    """Language of the answer, by Accept-Language."""
    return request.accept_languages.best_match(LANGUAGES, default="en") or "en"


def problem(error: StoretwinError, tongue: str) -> dict[str, Any]:
    """The members of a problem document."""
    return {
        "type": f"urn:storetwin:problem:{error.code.lower().replace('_', '-')}",
        "status": status_of(error),
        "code": error.code,
        "title": title_of(error.code, tongue),
        "detail": detail_of(error, tongue),
        "field": error.field,
        "row": error.row,
        "remedy": remedy_of(error, tongue),
        "retryable": error.code in RETRYABLE,
    }


def respond(body: dict[str, Any]) -> Response:
    """A response of a problem document."""
    response = Response(
        json.dumps(body, ensure_ascii=False), status=body["status"], content_type=MEDIA_TYPE
    )
    if body["status"] in {429, 503}:
        response.headers["Retry-After"] = "1" if body["status"] == 503 else "60"
    if body["status"] == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers["Vary"] = "Accept-Language"
    return response


def from_http(error: HTTPException) -> StoretwinError:
    """Our own error for one that the web framework raised."""
    code = error.code or 500
    if code == 404:
        return UnknownPath("no such address", remedy="see /api/v1/openapi.json")
    if code == 405:
        return MethodNotAllowed("this address takes other methods", remedy="see the Allow header")
    if code == 413:
        return BatchTooLarge("the body is too large", field="body", remedy="send smaller batches")
    if code == 503:
        return Busy("nothing was recorded", remedy="send it again")
    if code >= 500:
        return Internal("the service failed; nothing was recorded")
    return InvalidInput(error.description or "bad request")


def install(app: Flask) -> None:
    """Handle every error of the application."""

    @app.errorhandler(StoretwinError)
    def _known(error: StoretwinError) -> Response:
        g.refusal = error
        return respond(problem(error, language()))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        response = respond(problem(from_http(error), language()))
        if error.code == 405 and "Allow" in dict(error.get_headers()):
            response.headers["Allow"] = dict(error.get_headers())["Allow"]
        return response

    @app.errorhandler(Exception)
    def _defect(error: Exception) -> Response:
        app.logger.exception("defect", exc_info=error)
        return respond(problem(Internal("the service failed; nothing was recorded"), language()))
