"""Addresses of data quality."""

from __future__ import annotations

from typing import Any

from ops_api.ledger.write import record_audit
from ops_api.masterdata.service import require_sku
from ops_api.quality.rules import RULES
from ops_api.quality.service import blocked, findings, keep_counts, rules_of_sku, trend
from ops_api.web.body import Strict
from ops_api.web.fields import Cursor, Identifier, Limit
from ops_api.web.registry import Call, Chain, Endpoint, Registry
from ops_api.web.schemas import Empty, JsonObject
from policies.domain.errors import InvalidInput


class FindingQuery(Strict):
    """Rows that break one rule, from a position on."""

    rule: Identifier
    after: Cursor = 0
    limit: Limit = 200


def register(registry: Registry) -> None:
    """Add the endpoints of data quality."""
    for name, path, handler, query in (
        ("data_quality", "/data-quality", overview, None),
        ("data_quality_findings", "/data-quality/findings", list_findings, FindingQuery),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission="masterdata.read",
                scope=Chain(),
                handler=handler,
                statuses=(200,),
                answer=JsonObject,
                query=query,
            )
        )
    registry.add(
        Endpoint(
            name="sku_planning",
            method="GET",
            path="/skus/{id}/planning",
            permission="masterdata.read",
            scope=Chain(),
            handler=planning,
            statuses=(200, 404),
            answer=JsonObject,
        )
    )
    registry.add(
        Endpoint(
            name="data_quality_keep",
            method="POST",
            path="/data-quality:keep",
            permission="masterdata.write",
            scope=Chain(),
            handler=keep,
            statuses=(200,),
            answer=JsonObject,
            body=Empty,
            writes=True,
            keyed=True,
        )
    )


def overview(call: Call) -> dict[str, Any]:
    """Each rule with what it finds now, its owner and trend, and what isn't planned."""
    found = findings(call.connection)
    days = trend(call.connection, call.now)
    out = blocked(found)
    return {
        "rules": [
            {
                "rule": name,
                "title": rule.title,
                "subject": rule.subject,
                "owner": rule.owner,
                "is_blocking": rule.is_blocking,
                "count": len(found[name]),
                "trend": days.get(name, []),
            }
            for name, rule in RULES.items()
        ],
        "not_planned": {kind: sorted(names)[:1_000] for kind, names in out.items()},
        "count": sum(len(rows) for rows in found.values()),
    }


def list_findings(call: Call) -> dict[str, Any]:
    """Rows that break a rule."""
    query: FindingQuery = call.query
    if query.rule not in RULES:
        raise InvalidInput(
            f"no rule {query.rule!r}",
            field="rule",
            row=query.rule,
            remedy=f"one of {', '.join(RULES)}",
        )
    rows = findings(call.connection)[query.rule]
    part = rows[query.after : query.after + query.limit]
    ends = query.after + len(part)
    return {
        "findings": [vars(row) | {"rule": query.rule} for row in part],
        "next": ends if ends < len(rows) else None,
    }


def planning(call: Call) -> dict[str, Any]:
    """Whether a SKU is planned; if not, the rules it breaks and who puts them right."""
    row = require_sku(call.connection, call.path["id"])
    broken = rules_of_sku(call.connection, row.id)
    if row.axis is None:
        return {"sku": row.id, "is_planned": False, "because": [], "waits_for_network": True}
    return {
        "sku": row.id,
        "is_planned": not broken,
        "because": [
            {"rule": name, "title": RULES[name].title, "owner": RULES[name].owner}
            for name in broken
        ],
        "waits_for_network": False,
    }


def keep(call: Call) -> dict[str, Any]:
    """Keep today's counts for the trend; the nightly plan does the same."""
    found = findings(call.connection)
    keep_counts(call.connection, found, call.now)
    counts = {name: len(rows) for name, rows in found.items()}
    record_audit(
        call.connection,
        "data_quality.keep",
        recorded_at=call.now,
        actor=call.principal.person,
        detail=counts,
    )
    return {"counts": counts}
