"""The one-port server: API, phone app, log-in and dashboards.

With the command line this is the only place that sees every package.
"""

from __future__ import annotations

import gc
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bokeh.server.server import Server
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from ops_api.web.application import behind_proxies
from ops_api.web.headers import FOR_PAGES, add_headers
from ui import manage, phone, web
from ui.dashboards import PageMaker, start
from ui.desk import ServiceDesk
from ui.gate import ServiceGate
from ui.laboratory import Laboratory
from ui.pages.executive import executive
from ui.pages.figures import keep_fresh
from ui.pages.planner import planner
from ui.sources import Source
from ui.web.pages import DemoUser, Moment, no_demo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API_PATHS = ("/api/", "/health", "/metrics", "/openapi")
"""Everything that starts so is the service's; all else is for people."""
_COOKIE_SETTINGS = (
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_PATH",
    "PERMANENT_SESSION_LIFETIME",
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Serving:
    """What is served beside the API.

    Attributes
    ----------
    source : Source or None, twin and reality for the executive page
    laboratory : Laboratory or None, what-ifs for the planner's page
    demo_users : listed on the log-in page; empty outside of a demo
    demo_clock : callable, the demo's local time; None outside of a demo
    is_emulated : bool, reality is played by a program
    cache : Path, folder of what is made once, such as the cut font
    """

    source: Source | None = None
    laboratory: Laboratory | None = None
    demo_users: tuple[DemoUser, ...] = ()
    demo_clock: Moment = no_demo
    is_emulated: bool = False
    cache: Path = Path("var/cache")

    @property
    def pages(self) -> tuple[str, ...]:
        """Names of the pages there are figures for."""
        twin = ("twin",) if self.source is not None else ()
        whatif = ("whatif",) if self.source is not None and self.laboratory is not None else ()
        return (*twin, *whatif, "phone", "manage")


def make_site(service: Flask, gate: ServiceGate, serving: Serving) -> Flask:
    """The server-rendered pages and the phone app, under the service's session.

    Parameters
    ----------
    service : Flask, the service's app
    gate : ServiceGate over it
    serving : Serving
    """
    site = Flask("storetwin.site", static_folder=None)
    site.secret_key = service.secret_key
    site.config.update({name: service.config[name] for name in _COOKIE_SETTINGS})
    site.register_blueprint(
        web.make_blueprint(
            gate,
            serving.demo_users,
            serving.cache,
            serving.demo_clock,
            serving.pages,
            single_sign_on=bool(service.extensions["storetwin"].settings.oidc_issuer),
        )
    )
    site.register_blueprint(
        phone.make_blueprint(gate, emulated=serving.is_emulated, demo_clock=serving.demo_clock)
    )
    site.register_blueprint(
        manage.make_blueprint(gate, ServiceDesk(service), demo_clock=serving.demo_clock)
    )
    behind_proxies(site, service.extensions["storetwin"].settings.trusted_proxies)
    add_headers(site, FOR_PAGES, over_tls=bool(service.config["SESSION_COOKIE_SECURE"]))
    limiter = Limiter(get_remote_address, app=site, storage_uri="memory://")
    tries: str = service.extensions["storetwin"].settings.log_in_limit
    limited = limiter.limit(tries, methods=["POST"])(site.view_functions["web.login"])
    site.view_functions["web.login"] = limited  # type: ignore[assignment]
    return site


def by_path(service: WSGIApplication, site: WSGIApplication) -> WSGIApplication:
    """One WSGI callable: the service under its paths, the site everywhere else."""

    def dispatch(environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        mine = str(environ.get("PATH_INFO", "")).startswith(API_PATHS)
        return (service if mine else site)(environ, respond)

    return dispatch


def make_server(
    service: Flask, serving: Serving, port: int = 8080, host: str = "127.0.0.1"
) -> Server:
    """A listening server; its ``io_loop`` is the caller's to start.

    Parameters
    ----------
    service : Flask, the service's app with its database and clock
    serving : Serving
    port : int, 0 picks a free one
    host : str, address to listen on
    """
    gate = ServiceGate(service)
    site = make_site(service, gate, serving)
    pages: dict[str, PageMaker] = {}
    source, laboratory = serving.source, serving.laboratory
    if source is not None:
        pages["twin"] = lambda visit: executive(source, visit)
        keep_fresh(source)
        if laboratory is not None:
            pages["whatif"] = lambda visit: planner(source, laboratory, visit)
    # Beyond this machine browsers come by names that only the network knows; a socket
    # still needs a signed id from a page that a log-in has opened.
    origins = () if host in _LOOPBACK else (f"*:{port}",)
    wsgi = by_path(service.wsgi_app, site.wsgi_app)
    return start(site, gate, pages, port, address=host, wsgi=wsgi, origins=origins)


def kept_secret(path: Path) -> str:
    """The server's secret key, made on first use and readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text().strip()


def run(server: Server, *, ready: Callable[[], Any] | None = None) -> None:
    """Serve until interrupted; `ready` is called once the port answers."""
    # What stands now stays: searching it for garbage would stop every request for 50 ms.
    gc.collect()
    gc.freeze()
    server.start()
    if ready is not None:
        server.io_loop.add_callback(ready)
    server.io_loop.start()
