"""The application factory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask, Response, jsonify
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from ops_api.counts import routes as counts
from ops_api.database import engine_of_writers, make_engine
from ops_api.epcis import routes as epcis
from ops_api.errors import RateLimited
from ops_api.events import routes as events
from ops_api.gather import Gatherer
from ops_api.health import routes as health
from ops_api.labels import routes as labels
from ops_api.lots import routes as lots
from ops_api.masterdata import routes as masterdata
from ops_api.people import oidc_routes
from ops_api.people import routes as people
from ops_api.people.oidc import Provider
from ops_api.periods import routes as periods
from ops_api.planning import routes as planning
from ops_api.planning.safety import queue_needs
from ops_api.purchasing import routes as purchasing
from ops_api.quality import routes as quality
from ops_api.reservations import routes as reservations
from ops_api.returns import routes as returns
from ops_api.rfid import routes as rfid
from ops_api.sales import routes as sales
from ops_api.sales.lines import Job, LineResult, keys_of
from ops_api.sales.service import post_jobs
from ops_api.scans import routes as scans
from ops_api.settings import Settings
from ops_api.stock import routes as stock
from ops_api.tasks import routes as tasks
from ops_api.transfers import routes as transfers
from ops_api.web import openapi, problems
from ops_api.web.dispatch import bind
from ops_api.web.headers import FOR_DATA, add_headers
from ops_api.web.registry import PREFIX, Registry
from ops_api.webhooks import routes as webhooks
from ops_api.workbooks import routes as workbooks
from ops_api.writeoffs import routes as writeoffs

SLICES = (
    counts,
    epcis,
    events,
    health,
    labels,
    lots,
    masterdata,
    oidc_routes,
    people,
    periods,
    planning,
    purchasing,
    quality,
    reservations,
    returns,
    rfid,
    sales,
    scans,
    stock,
    tasks,
    transfers,
    webhooks,
    writeoffs,
    # Last: it makes files of the lists of the others.
    workbooks,
)

LINES_TOGETHER = 1_000
"""Most lines of several requests that are written in one transaction."""


@dataclass(frozen=True)
class Service:
    """What a running application holds."""

    settings: Settings
    engine: Engine
    registry: Registry
    gatherer: Gatherer[Job, list[LineResult]]


def create_app(
    config: Mapping[str, Any] | Settings | None = None,
    *,
    more: Iterable[Callable[[Registry], None]] = (),
) -> Flask:
    """The service as a Flask application; the database must be migrated before.

    Parameters
    ----------
    config : keys of :class:`Settings` in upper case
    more : functions that add endpoints of further slices
    """
    settings = Settings.read(config)
    if queue_needs not in settings.stock_listeners:
        settings = replace(settings, stock_listeners=(*settings.stock_listeners, queue_needs))
    app = Flask("ops_api")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        TESTING=settings.testing,
        SESSION_COOKIE_SECURE=settings.cookie_secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=100_000,
    )
    behind_proxies(app, settings.trusted_proxies)
    registry = Registry()
    for part in SLICES:
        part.register(registry)
    for add in more:
        add(registry)
    engine = make_engine(settings.database_url)
    app.extensions["storetwin"] = Service(settings, engine, registry, _gatherer(engine))
    if settings.oidc_issuer:
        app.extensions[oidc_routes.EXTENSION] = Provider(settings)
    problems.install(app)
    add_headers(app, FOR_DATA, over_tls=settings.cookie_secure)
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri="memory://",
        on_breach=_too_often,
        enabled=not settings.testing,
    )
    # Views hold it weakly: the application keeps it alive.
    app.extensions["storetwin_limiter"] = limiter
    bind(app, registry, limiter)
    described = openapi.document(registry)

    @app.get(f"{PREFIX}/openapi.json")
    def openapi_json() -> Response:
        """200 the contract."""
        return jsonify(described)

    return app


def _gatherer(engine: Engine) -> Gatherer[Job, list[LineResult]]:
    """SQLite has one writer; on PostgreSQL one works while the other waits for the disk."""
    writers = 1 if engine.dialect.name == "sqlite" else 2
    return Gatherer(
        engine_of_writers(engine), post_jobs, keys_of, writers=writers, size=LINES_TOGETHER
    )


def behind_proxies(app: Flask, proxies: int) -> None:
    """Believe the address, scheme and host that this many proxies of ours forward.

    Without it every browser behind a proxy shares one rate limit, and the origin of a
    page under TLS differs from the address the service thinks it has.
    """
    if proxies:
        believed = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)
        app.wsgi_app = believed  # type: ignore[method-assign]


def _too_often(_limit: Any) -> Response:
    raise RateLimited("too many tries", remedy="wait a minute")
