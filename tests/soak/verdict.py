"""What the ledger holds beside what the clients were told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select

from ops_api.database import make_engine, reading
from ops_api.ledger.health import check_ledger
from ops_api.ledger.rows import derived_id
from ops_api.ledger.schema import BALANCES, MOVEMENTS, OUTBOX
from ops_api.tasks.service import PARKED
from ops_api.tasks.tables import TASKS
from policies.domain.ledger import MovementKind
from tests.soak.clients import Clerk, Client, Fact, Phone, Till
from tests.soak.world import World

FAULTS = (
    "units_lost", "units_doubled", "facts_lost", "facts_doubled", "phantoms", "parked_wrong",
    "outbox_wrong", "untruthful", "server_errors", "unanswered", "violations",
)  # fmt: skip
"""Counts that are 0 after every storm."""


def verdict(world: World, clients: Sequence[Client]) -> dict[str, Any]:
    """Count everything that is not as the clients were told; with what they saw."""
    engine = make_engine(world.url)
    m = MOVEMENTS.c
    try:
        with reading(engine) as connection:
            rows = connection.execute(
                select(m.movement_id, m.kind, m.quantity, m.document_id).where(
                    m.kind != int(MovementKind.OPENING)
                )
            ).all()
            stock = connection.execute(select(BALANCES)).all()
            parked = connection.execute(
                select(TASKS.c.document_id).where(TASKS.c.kind == PARKED)
            ).scalars()
            held = Counter(parked)
            told = connection.execute(
                select(OUTBOX.c.payload).where(OUTBOX.c.topic == "sales.posted")
            ).scalars()
            announced = sum(json.loads(payload)["lines"] for payload in told)
        health = check_ledger(engine)
    finally:
        engine.dispose()
    facts = [fact for client in clients for fact in client.facts]
    effective = [fact for fact in facts if fact.ends == "effective" and fact.heard]
    units = _units(world, effective, stock)
    found = _rows_by_fact(rows)
    names = {_name(client, fact): fact for client in clients for fact in client.facts}
    here = [(found.get(name, []), fact) for name, fact in names.items()]
    sales = sum(len(client_rows) for client_rows in _of(clients, found))
    replies: Counter[str] = sum((client.account.replies for client in clients), Counter())
    lies = [lie for client in clients for lie in client.account.untruthful]
    late = {fact.id for fact in facts if fact.ends == "parked" and fact.heard}
    out = {
        "units_lost": sum(max(diff, 0) for diff in units),
        "units_doubled": sum(max(-diff, 0) for diff in units),
        "facts_lost": sum(fact.ends == "effective" and bool(fact.heard) and not quantities
                          for quantities, fact in here),
        "facts_doubled": sum(sum(quantities) > abs(fact.units) for quantities, fact in here),
        "phantoms": len(found.keys() - names.keys())
        + sum(fact.ends != "effective" and bool(quantities) for quantities, fact in here),
        "parked_wrong": len(late ^ held.keys()) + sum(count > 1 for count in held.values()),
        "outbox_wrong": abs(announced - sales),
        "untruthful": len(lies),
        "server_errors": sum(count for name, count in replies.items() if name == "500"),
        "unanswered": sum(not fact.heard for fact in facts),
        "violations": sum(health["violations"].values()),
    }  # fmt: skip
    return out | {
        "facts": len(facts),
        "sent": sum(fact.sent for fact in facts),
        "effective": len(effective),
        "parked": len(late),
        "refused": sum(fact.ends == "refused" for fact in facts),
        "replies": dict(sorted(replies.items())),
        "lies": lies[:10],
        "movements": health["movements"],
        "broken": {name: count for name, count in health["violations"].items() if count},
    }


def _units(world: World, effective: Iterable[Fact], stock: Iterable[Any]) -> list[int]:
    """Per shelf: units there that should have gone (> 0), or missing ones (< 0)."""
    change: Counter[tuple[str, str]] = Counter()
    for fact in effective:
        change[fact.cell] += fact.units
    there: Counter[tuple[str, str]] = Counter()
    for row in stock:
        there[row.location, row.sku] += row.on_hand
    cells = [(store, sku) for store in world.stores for sku in world.skus]
    return [there[cell] - world.stock - change[cell] for cell in cells]


def _rows_by_fact(rows: Iterable[Any]) -> dict[str, list[int]]:
    """Quantities of the rows that name an event or its document."""
    out: dict[str, list[int]] = {}
    for row in rows:
        name = row.movement_id if row.kind == int(MovementKind.SELL) else row.document_id
        out.setdefault(name, []).append(row.quantity)
    return out


def _name(client: Client, fact: Fact) -> str:
    if isinstance(client, Phone):
        return "WO-" + derived_id(fact.id)[:13]
    return "RC-" + derived_id(fact.id)[:13] if isinstance(client, Clerk) else fact.id


def _of(clients: Iterable[Client], found: dict[str, list[int]]) -> list[list[int]]:
    tills = [client for client in clients if isinstance(client, Till)]
    return [found.get(fact.id, []) for client in tills for fact in client.facts]
