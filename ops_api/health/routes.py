"""Is the service up, is its database there, is its ledger whole?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from ops_api.ledger.health import check_ledger
from ops_api.people.roles import PUBLIC
from ops_api.web.registry import Call, Chain, Endpoint, Registry
from ops_api.web.schemas import JsonObject


def register(registry: Registry) -> None:
    """Add the health checks."""
    for name, path, permission, handler in (
        ("health_live", "/health/live", PUBLIC, live),
        ("health_ready", "/health/ready", PUBLIC, ready),
        ("health_ledger", "/health/ledger", "health.ledger", ledger),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission=permission,
                scope=Chain(),
                handler=handler,
                statuses=(200,),
                answer=JsonObject,
            )
        )


def live(call: Call) -> dict[str, Any]:
    """The process answers."""
    return {"live": True}


def ready(call: Call) -> dict[str, Any]:
    """The database answers."""
    call.connection.execute(text("SELECT 1"))
    return {"ready": True}


def ledger(call: Call) -> dict[str, Any]:
    """Invariants I1 to I11, on the rows since the last checkpoint if there is one."""
    return check_ledger(call.connection.engine, incremental=True)
