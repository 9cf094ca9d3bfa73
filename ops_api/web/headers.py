"""Headers that tell a browser what an answer of ours may do."""

from __future__ import annotations

from flask import Flask, Response

FOR_DATA = "default-src 'none'; frame-ancestors 'none'"
"""Answers of the API: nothing in them runs, wherever they are opened."""
FOR_PAGES = "frame-ancestors 'self'; base-uri 'self'; object-src 'none'; form-action 'self'"
"""Pages of ours: framed by nobody else, and their forms come to us."""
_YEAR_S = 365 * 86_400


def add_headers(app: Flask, policy: str, *, over_tls: bool) -> None:
    """Have every answer carry them, refusals included.

    Parameters
    ----------
    policy : content security policy
    over_tls : whether browsers shall come back by TLS alone
    """

    @app.after_request
    def _headers(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", policy)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        if over_tls:
            answer.headers["Strict-Transport-Security"] = f"max-age={_YEAR_S}"
        return answer
