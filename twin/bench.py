"""The replay benchmark: receipt lines per second of the whole twin on one core."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import resource
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.bundle import PolicyBundle
from policies.domain.network import Network
from policies.domain.receipts import ReceiptColumns
from policies.registry import build_bundle
from twin.hooks import BundleOrders
from twin.reference_model import ReferenceModel
from twin.run import Feed, simulate
from twin.scenario import Scenario, WarehouseRules
from twin.state import cover_opening


def bench_replay(
    network: Network,
    receipts: ReceiptColumns,
    *,
    bundle: PolicyBundle | None = None,
    days: int | None = None,
    seed: int = 1,
    feed: Feed | None = None,
) -> dict[str, Any]:
    """Replay all receipts with reviews, picking, docks, trucks and receiving on.

    The default bundle is the incumbent: warehouses are reviewed daily, each store once a
    week (a seventh of the stores every evening), forecasts are issued from the panel
    as it grows. The fleet and the warehouses are sized so that the night's orders can
    be driven: unloading by pallet, trucks of 18 t and 80 m³, pickers by the number of
    stores. A first run of the same length compiles the kernels and is not counted; nor
    is making the opening stock, which is an input like the receipts. (The first run also
    leaves its memory behind. On a virtual machine that gives memory back to its host a
    page that is truly new costs 30 × an old one, here 0.6 s for a run's 0.4 GB.)

    Parameters
    ----------
    network : Network
    receipts : ReceiptColumns
    bundle : PolicyBundle, optional
    days : int, optional, default all days of the receipts
    seed : int
    feed : Feed, optional
        Gives the receipts after the first stretch, `receipts`. The first run then ends
        with that stretch, and what the feed takes is not counted either.

    Returns
    -------
    dict
        `lines, seconds, lines_per_second, simpy_share, kernel_lines_per_second,
        peak_rss_bytes` and the phases. `seconds` is the whole of :func:`simulate`,
        copying the opening included; reading or making the input is not in it.
    """
    stores = len(network.stores)
    fleet = dataclasses.replace(
        network.fleet,
        trucks=network.fleet.trucks * 0 + max(2, stores // max(len(network.warehouses), 1) // 4),
        capacity_kg=18_000.0,
        capacity_m3=80.0,
        unload_seconds_per_case=1.0,
    )
    last = max((int(receipts.t_s[hi - 1]) for hi in receipts.offsets[1:] if hi), default=0)
    scenario = Scenario(
        "bench replay",
        dataclasses.replace(network, fleet=fleet),
        receipts,
        0,
        days if days is not None else last // 86_400 + 1,
        opening_cover_days=14.0,
        warehouse=WarehouseRules(docks=max(6, stores // 10), pickers=max(20, stores // 2)),
    )
    scenario = dataclasses.replace(scenario, opening=cover_opening(scenario))
    policy = bundle if bundle is not None else build_bundle("incumbent")
    _keep_freed_memory()
    known = min(scenario.days, last // 86_400 + 1)
    simulate(dataclasses.replace(scenario, days=known), policy, seed=seed)
    # Objects made before are not walked by the collector again and again.
    gc.collect()
    gc.freeze()
    try:
        clock = _Clock()
        result = simulate(scenario, policy, seed=seed, feed=clock.outside(feed))
        seconds, cpu_seconds = clock.read()
    finally:
        gc.unfreeze()
    lines = result.counters["lines"]
    phases = {name: round(value, 4) for name, value in result.seconds.items()}
    facts = result.facts
    return {
        "lines": lines,
        "seconds": seconds,
        "lines_per_second": lines / seconds,
        "simpy_share": result.seconds["simpy"] / seconds,
        "kernel_lines_per_second": lines / max(result.seconds["kernel"], 1e-9),
        "ratio_to_kernel": seconds / max(result.seconds["kernel"], 1e-9),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "cpu_seconds": cpu_seconds,
        "lines_per_cpu_second": lines / max(cpu_seconds, 1e-9),
        "input_seconds": result.seconds["input"],
        "phases": phases,
        "bundle": policy.name,
        "reviews_per_week": policy.reviews_per_week,
        "days": scenario.days,
        "order_lines": int(facts.get("order_lines").sum()),
        "stops": int(facts.get("stops").sum()),
        "purchase_lines": int(facts.get("purchase_lines").sum()),
        "fill": 1
        - float(facts.get("units_lost").sum() / max(facts.get("units_demanded").sum(), 1)),
    }


class _Clock:
    """Wall and processor seconds since it was made, without those of the feed."""

    def __init__(self) -> None:
        self._began = self._now()
        self._outside = np.zeros(2)

    def _now(self) -> npt.NDArray[np.float64]:
        return np.array([time.perf_counter(), time.process_time()])

    def outside(self, feed: Feed | None) -> Feed | None:
        """The same feed; its time is not counted."""
        if feed is None:
            return None

        def timed(day: int) -> ReceiptColumns | None:
            began = self._now()
            more = feed(day)
            self._outside += self._now() - began
            return more

        return timed

    def read(self) -> tuple[float, float]:
        """(wall, processor) seconds."""
        wall, processor = (self._now() - self._began - self._outside).tolist()
        return wall, processor


def event_per_line(network: Network, receipts: ReceiptColumns, *, seed: int = 1) -> dict[str, Any]:
    """Lines per second of the reference model: the same world, one SimPy event per line."""
    last = max(int(receipts.t_s[hi - 1]) for hi in receipts.offsets[1:] if hi)
    scenario = Scenario(
        "event per line", network, receipts, 0, last // 86_400 + 1, opening_cover_days=14.0
    )
    scenario = dataclasses.replace(scenario, opening=cover_opening(scenario))
    orders = BundleOrders(scenario, build_bundle("incumbent"), seed=seed)
    clock = _Clock()
    model = ReferenceModel(scenario, orders, seed=seed)
    model.run()
    seconds, cpu_seconds = clock.read()
    return {
        "lines": model.lines,
        "seconds": seconds,
        "lines_per_second": model.lines / seconds,
        "lines_per_cpu_second": model.lines / cpu_seconds,
    }


def _keep_freed_memory() -> None:
    """Let the C library keep what is freed instead of handing it back to the system.

    A run frees and takes hundreds of megabytes again and again, and fetching pages anew
    costs more than the arithmetic on them. Where there is no such switch, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    trim_threshold, mmap_max = -1, -4
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_max, 0)
