"""A day of a simulated chain as data that a page can animate: trucks, stock, events.

``events.parquet`` has every movement of the ledger, ``trucks.parquet`` each leg of each
tour, ``stock.parquet`` each place at each frame, and ``day.json`` the same of trucks and
stock in one file, with the places on the map, for a page that draws and does not compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from policies.domain.errors import InvalidInput
from policies.domain.ledger import MovementColumns, MovementKind, Visibility, location_name
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.stock import project
from policies.registry import build_bundle
from scenarios.chains import chain_of, check_on_chain
from scenarios.runner import Policy
from scenarios.scenario import load_scenario
from scenarios.whole_files import write_whole
from scenarios.worlds import WorldSpec, scenario_of
from twin.result import RunResult, TourStop, Trace
from twin.run import simulate

FRAME_SECONDS = 900
FORMAT = 1


@dataclass(frozen=True)
class Film:
    """A day, ready to be drawn.

    Attributes
    ----------
    day : int, day number of the network's calendar
    events : DataFrame, a row for each movement of the day, latent ones too
    trucks : DataFrame, a row for each leg that is driven on the day
    stock : DataFrame, a row for each place and frame: units in the book, SKUs listed and
        those of them without stock; frame f is the state `FRAME_SECONDS` · f after midnight
    places : list of dicts, id, name, kind and place on the map
    """

    day: int
    events: pd.DataFrame
    trucks: pd.DataFrame
    stock: pd.DataFrame
    places: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Places, trucks and stock as JSON values; stock as one list of frames a place."""
        frames = self.stock.sort_values(["location", "at_s"])
        series = {
            name: {"units": part.units.tolist(), "skus_out": part.skus_out.tolist()}
            for name, part in frames.groupby("location", sort=False, observed=True)
        }
        legs = [
            {"truck": int(str(number)), "legs": part.drop(columns="truck").to_dict("records")}
            for number, part in self.trucks.groupby("truck", sort=True)
        ]
        return {
            "format": FORMAT,
            "day": self.day,
            "frame_seconds": FRAME_SECONDS,
            "frames": DAY_SECONDS // FRAME_SECONDS + 1,
            "places": self.places,
            "trucks": legs,
            "stock": series,
        }


def film_command(
    source: str, *, day: int, out: Path, replication: int = 0, seed: int | None = None
) -> dict[str, Any]:
    """Simulate a scenario up to a day and write that day's film.

    Parameters
    ----------
    day : int, 0 = first simulated day
    """
    found = load_scenario(source)
    if seed is not None:
        found.values["seed"] = seed
    check_on_chain(found)
    world, policy = found.world(chain_of(found)), found.policy()
    film = film_of(world, policy, day, replication)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("events", "trucks", "stock"):
        getattr(film, name).to_parquet(out / f"{name}.parquet", index=False)
    write_whole(out / "day.json", film.as_json())
    return {
        "day": film.day,
        "events": len(film.events),
        "trucks": int(film.trucks.truck.nunique()),
        "legs": len(film.trucks),
        "frames": DAY_SECONDS // FRAME_SECONDS + 1,
        "places": len(film.places),
        "out": str(out),
    }


def film_of(world: WorldSpec, policy: Policy, day: int, replication: int = 0) -> Film:
    """The film of day `day` (0 = first) of a world.

    All days before it are simulated with their rows: what is in stock and on the road at
    midnight is what led there.
    """
    if not 0 <= day < world.days:
        raise InvalidInput(
            f"day is {day} of {world.days} simulated days",
            field="--day",
            remedy=f"give 0 to {world.days - 1}",
        )
    short = replace(world, days=day + 1, warmup_days=0)
    scenario = scenario_of(short, replication)
    bundle = build_bundle(policy.name, policy.as_dict())
    result = simulate(
        scenario,
        bundle,
        seed=world.seed,
        replication=replication,
        trace=Trace(movements=True, tours=True),
    )
    return film_of_run(scenario.network, result, world.first_day + day)


def film_of_run(network: Network, result: RunResult, day: int) -> Film:
    """The film of day number `day` of a run that was traced with rows and tours."""
    if result.movements is None:
        raise InvalidInput(
            "the run kept no rows", field="trace", remedy="run it with Trace(movements, tours)"
        )
    places = [
        {
            "id": network.locations.ids[i],
            "name": network.locations.names[i],
            "kind": "store" if network.locations.source[i] >= 0 else "warehouse",
            "latitude": float(network.locations.latitude[i]),
            "longitude": float(network.locations.longitude[i]),
            "skus_listed": int(network.listed[i].sum()),
        }
        for i in range(network.shape[0])
    ]
    return Film(
        day,
        _events(network, result.movements, day),
        _legs(network, result.tours, day),
        _frames(network, result.movements, day),
        places,
    )


def _events(network: Network, rows: MovementColumns, day: int) -> pd.DataFrame:
    mine = np.flatnonzero(rows.occurred_at_s // DAY_SECONDS == day)
    ids = network.locations.ids
    ends = {}
    for name, codes in (("origin", rows.from_location), ("destination", rows.to_location)):
        known, number = np.unique(codes[mine], return_inverse=True)
        names = [location_name(int(code), ids) for code in known]
        ends[name] = pd.Categorical.from_codes(number, pd.Index(names))
    kinds = [kind.name.lower() for kind in MovementKind]
    return pd.DataFrame(
        {
            "at_s": (rows.occurred_at_s[mine] - day * DAY_SECONDS).astype(np.int32),
            "kind": pd.Categorical.from_codes(
                rows.kind[mine].astype(np.int64) - 1, pd.Index(kinds)
            ),
            "sku": pd.Categorical.from_codes(rows.sku[mine], pd.Index(network.skus.ids)),
            **ends,
            "quantity": rows.quantity[mine],
            "document": rows.document[mine],
            "is_latent": rows.visibility[mine] == int(Visibility.LATENT),
        }
    )


def _legs(network: Network, tours: Sequence[TourStop], day: int) -> pd.DataFrame:
    """Legs, out and home, of which any second lies in the day; times since its midnight."""
    ids, midnight = network.locations.ids, day * DAY_SECONDS
    legs: list[dict[str, Any]] = []
    here, left, number = -1, 0, -1
    for stop in tours:
        if stop.position == 0:
            here, left, number = stop.origin, stop.departs_s, number + 1
        legs.append(_leg(ids, number, here, stop.place, left, stop.arrives_s, stop, midnight))
        here, left = stop.place, stop.unloaded_s
        if stop.is_last:
            legs.append(_leg(ids, number, here, stop.origin, left, stop.returns_s, None, midnight))
    kept = [leg for leg in legs if leg["unloaded_s"] >= 0 and leg["departs_s"] < DAY_SECONDS]
    return pd.DataFrame(kept, columns=_LEG_COLUMNS)


_LEG_COLUMNS = [
    "truck", "origin", "destination", "departs_s", "arrives_s", "begins_s", "unloaded_s", "kg",
    "units",
]  # fmt: skip


def _leg(
    ids: tuple[str, ...],
    number: int,
    here: int,
    there: int,
    left_s: int,
    arrives_s: int,
    stop: TourStop | None,
    midnight: int,
) -> dict[str, Any]:
    begins, unloaded = (arrives_s, arrives_s) if stop is None else (stop.begins_s, stop.unloaded_s)
    times = (left_s, arrives_s, begins, unloaded)
    departs, arrives, begins, unloaded = (int(at) - midnight for at in times)
    return {
        "truck": number,
        "origin": ids[here],
        "destination": ids[there],
        "departs_s": departs,
        "arrives_s": arrives,
        "begins_s": begins,
        "unloaded_s": unloaded,
        "kg": 0.0 if stop is None else round(stop.kg, 3),
        "units": 0 if stop is None else stop.units,
    }


def _frames(network: Network, rows: MovementColumns, day: int) -> pd.DataFrame:
    """Book stock of each place at each frame, what happens in its very second included."""
    places, skus = network.shape
    midnight = day * DAY_SECONDS
    book = rows.where(rows.visibility == int(Visibility.BOOK))
    before = book.where(book.occurred_at_s < midnight)
    stock = project(before, places, skus).on_hand.copy()
    today = book.where(book.occurred_at_s // DAY_SECONDS == day)
    frame = -(-(today.occurred_at_s - midnight) // FRAME_SECONDS)
    order = np.argsort(frame, kind="stable")
    count = DAY_SECONDS // FRAME_SECONDS + 1
    cuts = np.searchsorted(frame[order], np.arange(count + 1))
    listed = network.listed
    units, out = (np.zeros((count, places), dtype=np.int64) for _ in range(2))
    for f in range(count):
        mine = order[cuts[f] : cuts[f + 1]]
        for codes, sign in ((today.to_location, 1), (today.from_location, -1)):
            real = mine[codes[mine] >= 0]
            np.add.at(stock, (codes[real], today.sku[real]), sign * today.quantity[real])
        units[f] = stock.sum(axis=1)
        out[f] = ((stock <= 0) & listed).sum(axis=1)
    return pd.DataFrame(
        {
            "location": pd.Categorical.from_codes(
                np.tile(np.arange(places), count), pd.Index(network.locations.ids)
            ),
            "at_s": np.repeat(np.arange(count) * FRAME_SECONDS, places),
            "units": units.ravel(),
            "skus_listed": np.tile(listed.sum(axis=1), count),
            "skus_out": out.ravel(),
        }
    )
