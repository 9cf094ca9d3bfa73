"""The decision benchmark: one full nightly decision of a generated chain, phase by phase."""

from __future__ import annotations

import dataclasses
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from policies.bundle import PolicyBundle, order_lines
from policies.delivery import EVERY_DAY
from policies.domain.decision import ProposalLines
from policies.domain.forecast import Forecast
from policies.domain.network import Network
from policies.domain.view import NetworkView
from policies.registry import build_bundle
from policies.routing.problem import problems_of
from policies.routing.savings import SavingsRouter
from policies.routing.schedule import as_routes
from scenarios.history.generate import generate_chain

_AS_OF_DAY = 28
_ARRAYS = ("level", "weekday", "variance_ratio")


def bench_decide(
    *,
    stores: int = 800,
    skus: int = 5_000,
    policy: str = "capped-base-stock",
    allocation: str = "fair-share",
    seed: int = 1,
    scaling: bool = False,
) -> dict[str, Any]:
    """Seconds of each phase of one decision for every store and SKU.

    Every store is due, a few SKUs in a hundred are short at their warehouse, and a few
    cells in a hundred are out of stock, so that allocation and transfers have work. A small
    chain first compiles the kernels and is not counted.

    Parameters
    ----------
    stores, skus : int, size of the chain
    policy, allocation : str, names in the registry; lateral transfers are on
    seed : int
    scaling : bool, also a half and a quarter of the stores: ``by_stores``

    Returns
    -------
    dict
        ``phases`` (seconds by name), ``seconds``, ``cpu_seconds``, ``peak_rss_bytes``,
        ``lines``, ``routes``, ``unserved``
    """
    bundle = build_bundle(
        policy, {"allocation": allocation, "lateral_transfers": True, "reviews_per_week": 7}
    )
    _decide(bundle, 12, 40, seed)
    sizes = (stores // 4, stores // 2, stores) if scaling and stores >= 8 else (stores,)
    runs = {size: _decide(bundle, size, skus, seed) for size in sizes}
    out = runs[stores]
    out["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if len(sizes) > 1:
        out["by_stores"] = [
            {"stores": size, "seconds": run["seconds"], "cpu_seconds": run["cpu_seconds"]}
            | {"cpu_milliseconds_per_store": 1_000 * run["cpu_seconds"] / size}
            for size, run in runs.items()
        ]
    return out


def _decide(bundle: PolicyBundle, stores: int, skus: int, seed: int) -> dict[str, Any]:
    network = _network(stores, skus, seed)
    rng = np.random.default_rng(np.random.SeedSequence([seed, stores]))
    with tempfile.TemporaryDirectory() as folder:
        forecast = _forecast(network, rng)
        for name in _ARRAYS:
            np.save(Path(folder) / f"{name}.npy", getattr(forecast, name))
        stock = _stock(network, forecast, rng)
        del forecast
        return _phases(bundle, network, Path(folder), stock)


def _phases(
    bundle: PolicyBundle, network: Network, folder: Path, stock: dict[str, Any]
) -> dict[str, Any]:
    """The steps of ``PolicyBundle.decide``, each under the clock."""
    clock = _Clock()
    arrays = {name: np.load(folder / f"{name}.npy") for name in _ARRAYS}
    forecast = Forecast(_AS_OF_DAY, network.start_date.weekday(), **arrays)
    clock.mark("forecast read")
    view = NetworkView(
        as_of_s=_AS_OF_DAY * 86_400 - 7_200, network=network, forecast=forecast, **stock
    )
    digest = view.digest()
    clock.mark("view")
    wanted, reason = bundle.replenisher.order_quantity(view)
    clock.mark("replenish")
    granted = bundle.allocator.allocate(view, wanted)
    clock.mark("allocate")
    lines = order_lines(view, wanted, granted, reason)
    clock.mark("lines")
    assert bundle.transfer is not None
    lines = ProposalLines.concat(lines, bundle.transfer.transfers(view, granted))
    clock.mark("transfer")
    problems = problems_of(view, lines)
    clock.mark("load")
    router = bundle.router if isinstance(bundle.router, SavingsRouter) else SavingsRouter()
    routes, unserved = 0, 0
    for problem in problems:
        made, left = as_routes(problem, router.solve(problem), _AS_OF_DAY * 86_400)
        routes += len(made)
        unserved += len(left)
    clock.mark("routes")
    return clock.answer() | {
        "lines": len(lines),
        "short_share": float((granted < wanted)[network.stores].mean()),
        "lateral_lines": int((lines.kind == 3).sum()),
        "routes": routes,
        "unserved": unserved,
        "view_sha256": digest,
    }


class _Clock:
    """Wall and processor seconds between marks."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.began = self.last = time.perf_counter()
        self.cpu = time.process_time()

    def mark(self, name: str) -> None:
        now = time.perf_counter()
        self.phases[name] = now - self.last
        self.last = now

    def answer(self) -> dict[str, Any]:
        return {
            "phases": self.phases,
            "seconds": self.last - self.began,
            "cpu_seconds": time.process_time() - self.cpu,
        }


def _network(stores: int, skus: int, seed: int) -> Network:
    network, _ = generate_chain(stores=stores, skus=skus, days=1, lines_per_store_day=1, seed=seed)
    fleet = dataclasses.replace(
        network.fleet, capacity_kg=18_000.0, capacity_m3=80.0, unload_seconds_per_case=1.0
    )
    return dataclasses.replace(network, fleet=fleet)


def _forecast(network: Network, rng: np.random.Generator) -> Forecast:
    """Sales per day as retail has them: most cells sell less than a unit."""
    level = rng.gamma(0.5, 1.0, network.shape).astype(np.float32)
    level[network.warehouses] = 0
    weekday = (rng.dirichlet(np.full(7, 50.0), network.shape[0]) * 7).astype(np.float32)
    ratio = (1 + rng.gamma(1.0, 0.5, network.shape)).astype(np.float32)
    return Forecast(
        _AS_OF_DAY, network.start_date.weekday(), level * network.listed, weekday, ratio
    )


def _stock(network: Network, forecast: Forecast, rng: np.random.Generator) -> dict[str, Any]:
    on_hand = rng.poisson(forecast.level * 3).astype(np.int32)
    on_hand[rng.random(network.shape) < 0.03] = 0
    nothing = np.zeros(network.shape, dtype=np.int32)
    source = network.locations.source
    for warehouse in network.warehouses:
        per_day = forecast.level[source == warehouse].sum(axis=0)
        # Cover of half a day to four: a few SKUs in a hundred don't suffice.
        on_hand[warehouse] = per_day * rng.uniform(0.5, 12.0, network.shape[1])
    return {
        "on_hand": on_hand,
        "in_transit": nothing,
        "on_order": nothing,
        "backorders": nothing,
        "reserved": nothing,
        "review_due": np.ones(network.shape[0], dtype=np.bool_),
        "protection_days": EVERY_DAY.protection_days(network, _AS_OF_DAY),
    }
