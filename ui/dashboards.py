"""Panel pages and Flask on one port: Tornado outside, Flask in a thread pool."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui
from bokeh.server.auth_provider import AuthProvider
from bokeh.server.server import Server
from flask import Flask
from tornado.web import FallbackHandler, RequestHandler
from tornado.websocket import WebSocketHandler

from ui.access import THEME_COOKIE
from ui.container import OneTrip
from ui.plots import load_backend
from ui.shell import Visit
from ui.theme import tokens
from ui.web.pages import PATHS, Gate, chosen_words

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS = 8
PageMaker = Callable[[Visit], pmui.Page]
# Bokeh and Panel keep these prefixes; everything else is Flask's.
_FLASK_PATHS = r"^/(?!static/|components/).*$"


class SessionAuth(AuthProvider):  # type: ignore[misc]
    """Panel's view of Flask's log-in.

    Parameters
    ----------
    gate : Gate
    app : Flask, renders the refusal
    """

    def __init__(self, gate: Gate, app: Flask) -> None:
        self._gate, self._app = gate, app
        super().__init__()

    @property
    def get_user_async(self) -> Any:
        """Coroutine function (handler) -> log-in name or None."""
        return self._user

    @property
    def get_login_url(self) -> Any:
        """Function (handler) -> address of the log-in that leads back here."""

        def url(handler: RequestHandler) -> str:
            return f"/login?next={handler.request.path}"

        return url

    async def _user(self, handler: RequestHandler) -> str | None:
        cookies = {name: morsel.value for name, morsel in handler.cookies.items()}
        person = self._gate.person(cookies)
        if person is None:
            return None
        page = _page_of(handler.request.path)
        if page is not None and not person.may_open(page):
            # A log-in would not help this role: answer, instead of sending it there.
            if not isinstance(handler, WebSocketHandler):
                handler.set_status(403)
                handler.set_header("Content-Type", "text/html; charset=utf-8")
                handler.finish(_refusal(self._app, handler))
            return None
        return person.name


def _page_of(path: str) -> str | None:
    head = "/" + path.lstrip("/").split("/", 1)[0]
    return next((name for name, at in PATHS.items() if at.rstrip("/") == head), None)


def _refusal(app: Flask, handler: RequestHandler) -> bytes:
    with app.test_client() as client:
        answer = client.get(
            "/refused", headers={"Cookie": handler.request.headers.get("Cookie", "")}
        )
        return answer.get_data()


def start(
    site: Flask,
    gate: Gate,
    pages: Mapping[str, PageMaker],
    port: int,
    *,
    address: str = "127.0.0.1",
    wsgi: WSGIApplication | None = None,
    origins: tuple[str, ...] = (),
) -> Server:
    """A server of `site` and the dashboards on one port.

    Parameters
    ----------
    site : Flask, the server-rendered pages
    gate : Gate
    pages : mapping of page name ("twin", "whatif") to its maker
    port : int, 0 picks a free one
    address : str, interface to listen on
    wsgi : callable, everything that is not a dashboard; `site` alone by default
    origins : further host:port names that browsers may come from

    Returns
    -------
    Server, listening; its IOLoop is the caller's to run
    """
    load_backend()
    pn.extension("tabulator", notifications=False)
    pn.config.console_output = "disable"

    def opened(make: PageMaker, path: str) -> Callable[[], pmui.Page]:
        def open_page() -> pmui.Page:
            cookies = pn.state.cookies
            person = gate.person(cookies)
            # The handler has checked the role; a session can end in between.
            assert person is not None, "a page was opened without a session"
            colours = tokens(cookies.get(THEME_COOKIE, "light"))
            return make(Visit(person, chosen_words(cookies, _accepted()), colours, path))

        return open_page

    container = OneTrip(wsgi or site, executor=ThreadPoolExecutor(THREADS, "flask"))
    allowed = [f"localhost:{port}", f"127.0.0.1:{port}", *origins] if port else ["*"]
    return pn.serve(
        {PATHS[name].lstrip("/"): opened(make, PATHS[name]) for name, make in pages.items()},
        port=port,
        address=address,
        websocket_origin=allowed,
        show=False,
        start=False,
        auth_provider=SessionAuth(gate, site),
        extra_patterns=[(_FLASK_PATHS, FallbackHandler, {"fallback": container})],
        # A session id must come from a page we served, not from a socket's guess.
        sign_sessions=True,
        secret_key=secrets.token_hex(32),
        ico_path="none",
        # Bokeh serves five megabytes of scripts plain unless told otherwise.
        compress_response=True,
    )


def _accepted() -> str | None:
    return str(pn.state.headers.get("Accept-Language", "")) or None
