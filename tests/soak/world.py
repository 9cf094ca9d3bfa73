"""A small chain with plenty of everything, so that stock says exactly what took effect."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import numpy as np

from ops_api.database import make_engine
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.people.service import GrantSpec, create_person, issue_token
from ops_api.stock.queries import open_all
from scenarios.history.generate import generate_chain

PEOPLE = {"till": "integration", "manager": "manager"}


@dataclass(frozen=True)
class World:
    """What is in the database before a storm.

    Attributes
    ----------
    stock : units of every SKU in every store; with levels 1, 2, … of them in turn
    """

    url: str
    tokens: dict[str, str]
    stores: tuple[str, ...]
    skus: tuple[str, ...]
    stock: int
    levels: int = 0

    def level(self, store: int, sku: int) -> int:
        """Units on one shelf, by the numbers of store and SKU."""
        return 1 + (store + sku) % self.levels if self.levels else self.stock


def make_world(
    url: str, *, stores: int = 4, skus: int = 30, stock: int = 1_000_000, levels: int = 0
) -> World:
    """Schema, chain, people and opening stock in an empty database."""
    upgrade(url)
    engine = make_engine(url)
    try:
        network, _ = generate_chain(stores=stores, skus=skus, days=1, lines_per_store_day=1, seed=1)
        load_network(engine, network)
        tokens = {}
        for person, role in PEOPLE.items():
            create_person(
                engine, person, name=person, login=person, password=uuid.uuid4().hex,
                grants=[GrantSpec(role)],
            )  # fmt: skip
            tokens[person] = issue_token(engine, person, device=f"device of {person}")
        names = tuple(network.locations.ids[i] for i in network.stores)
        world = World(url, tokens, names, network.skus.ids, stock, levels)
        amounts = np.zeros(network.shape, dtype=np.int64)
        for number, place in enumerate(network.stores):
            amounts[place] = [world.level(number, sku) for sku in range(skus)]
        # Before whatever a device that was a month away can tell.
        opened = dt.datetime.now(dt.UTC) - dt.timedelta(days=40)
        open_all(engine, network, amounts, int(opened.timestamp()))
    finally:
        engine.dispose()
    return world
