"""The service as the manager's page asks it: in this process, with the person's cookie."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import select
from werkzeug.test import Client

from ops_api.bulk import among
from ops_api.database import reading
from ops_api.masterdata.service import time_zone
from ops_api.masterdata.tables import SKUS
from ui.manage.cards import Said


class ServiceDesk:
    """The :class:`ui.manage.Desk` over the service's app.

    Every request runs through the API's own log-in, permissions, scope and audit: the page
    can do nothing that the person could not do there.

    Parameters
    ----------
    service : Flask, the service's app
    """

    def __init__(self, service: Flask) -> None:
        self._service = service
        kept = service.extensions["storetwin"]
        self._engine, self._clock = kept.engine, kept.settings.clock

    def ask(
        self, method: str, path: str, cookies: str, body: Mapping[str, Any] | None = None
    ) -> Said:
        """One request to the API; a write's `body` holds ``key`` and ``body``."""
        headers = {"Cookie": cookies, "X-Requested-With": "storetwin"}
        sent: dict[str, Any] = {}
        if body is not None:
            headers["Idempotency-Key"] = str(body["key"])
            sent = {"data": json.dumps(body["body"]), "content_type": "application/json"}
        client = Client(self._service.wsgi_app, use_cookies=False)
        answer = client.open(f"/api/v1{path}", method=method, headers=headers, **sent)
        found = answer.get_json(silent=True)
        return Said(answer.status_code, found if isinstance(found, dict) else {})

    def now(self) -> dt.datetime:
        """The service's time in the chain's zone."""
        moment: dt.datetime = self._clock()
        return moment.astimezone(self._zone())

    def local(self, moment: str) -> dt.datetime:
        """A time of the API in the chain's zone."""
        return dt.datetime.fromisoformat(moment).astimezone(self._zone())

    def sku_names(self, skus: Collection[str]) -> dict[str, str]:
        """Names of some SKUs."""
        if not skus:
            return {}
        with reading(self._engine) as connection:
            query = select(SKUS.c.id, SKUS.c.name)
            rows = connection.execute(query.where(among(connection, SKUS.c.id, sorted(skus))))
            return {row.id: row.name for row in rows}

    def _zone(self) -> ZoneInfo:
        with reading(self._engine) as connection:
            return ZoneInfo(time_zone(connection))
