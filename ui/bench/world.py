"""A chain in an empty database, and the sales that a benchmark sends to it."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Engine, func, select

from ops_api.database import make_engine, reading
from ops_api.ledger.reading import rows_written
from ops_api.ledger.schema import MOVEMENTS
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.people.service import GrantSpec, create_person, issue_token
from ops_api.stock.queries import open_all
from policies.domain.errors import InvalidInput
from scenarios.history.generate import generate_chain

SKUS, PLENTY = 500, 10_000_000
TILL = "bench till"


@dataclass(frozen=True)
class BenchWorld:
    """What was put into the database.

    Attributes
    ----------
    url : str, SQLAlchemy address
    token : str, of a till that may post everywhere
    stores, skus : tuple of str
    opened : int, movements of the opening stock
    """

    url: str
    token: str
    stores: tuple[str, ...]
    skus: tuple[str, ...]
    opened: int


def open_world(url: str, stores: int, seed: int) -> BenchWorld:
    """Schema, chain, a till's token and stock that lasts.

    Raises
    ------
    InvalidInput
        The database holds movements already: a benchmark's sales can't be taken out again.
    """
    upgrade(url)
    engine = make_engine(url)
    try:
        refuse_full(engine)
        network, _ = generate_chain(
            stores=stores, skus=SKUS, days=1, lines_per_store_day=1, seed=seed
        )
        load_network(engine, network)
        create_person(
            engine, "bench", name="bench", login="bench", password=uuid.uuid4().hex,
            grants=[GrantSpec("integration")],
        )  # fmt: skip
        token = issue_token(engine, "bench", device=TILL)
        stock = np.full(network.shape, PLENTY, dtype=np.int64)
        stock[network.warehouses] = 0
        opened = open_all(engine, network, stock, _now() - 86_400)
        # A full table without statistics is joined badly; a living one has them.
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE balances")
    finally:
        engine.dispose()
    names = tuple(network.locations.ids[i] for i in network.stores)
    return BenchWorld(url, token, names, network.skus.ids, opened)


def refuse_full(engine: Engine) -> None:
    """Raise where the database holds movements already."""
    with reading(engine) as connection:
        found = rows_written(connection)
    if found:
        raise InvalidInput(
            f"{engine.url.render_as_string()} holds {found} movements",
            field="--db",
            remedy="give an empty database: a benchmark writes sales into it",
        )


def sale(world: BenchWorld, store: str, rng: np.random.Generator) -> dict[str, Any]:
    """One receipt line, as a till sends it."""
    return {
        "event_id": str(uuid.UUID(bytes=rng.bytes(16), version=4)),
        "location": store,
        "sku": world.skus[int(rng.integers(len(world.skus)))],
        "quantity": int(rng.integers(1, 4)),
        "occurred_at": dt.datetime.fromtimestamp(_now() - 60, dt.UTC).isoformat(),
        "unit_price_cents": int(rng.integers(100, 2_000)),
        "basket": f"B{int(rng.integers(1_000_000))}",
        "device": TILL,
    }


def posted(world: BenchWorld) -> int:
    """Movements beside the opening stock."""
    engine = make_engine(world.url)
    try:
        with reading(engine) as connection:
            found = connection.scalar(select(func.count()).select_from(MOVEMENTS))
    finally:
        engine.dispose()
    return int(found or 0) - world.opened


def _now() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp())
