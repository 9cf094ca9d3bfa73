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
from twin.scenario import Frictions, Perishables, Scenario, StoreRules, WarehouseRules
from twin.state import cover_opening

LATENT = Frictions(shrink_per_unit_sold=0.005, misscan_per_line=0.005, receipt_error_per_line=0.01)
_PERISHABLE_EVERY, _LIVES_DAYS = 10, (3, 5, 7, 10, 14)
_COUNTS_PER_DAY, _SHELVING_S = 40, 2.0


def bench_replay(
    network: Network,
    receipts: ReceiptColumns,
    *,
    bundle: PolicyBundle | None = None,
    days: int | None = None,
    seed: int = 1,
    feed: Feed | None = None,
    is_plain: bool = False,
) -> dict[str, Any]:
    """Replay all receipts with reviews, picking, docks, trucks and receiving on.

    So are latent errors (shrink, mis-scans, wrong receipts, counts of 40 SKUs a store and
    evening) and perishables: every tenth SKU lives 3 to 14 days, and a fifth of its
    customers take the youngest. `is_plain` leaves these two out.

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

    is_plain : bool

    Returns
    -------
    dict
        `lines, seconds, lines_per_second, simpy_share, kernel_lines_per_second,
        peak_rss_bytes` and the phases. `seconds` is the whole of :func:`simulate`,
        copying the opening included; reading or making the input is not in it.
        `kernel_lines_per_second` is of the kernel in this run, `bare_kernel_lines_per_second`
        of the one without errors, on the receipts at hand; ratios are to both.
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
        store=StoreRules(receive_seconds_per_case=_SHELVING_S),
    )
    scenario = dataclasses.replace(scenario, opening=cover_opening(scenario))
    policy = bundle if bundle is not None else build_bundle("incumbent")
    _keep_freed_memory()
    known = min(scenario.days, last // 86_400 + 1)
    first = dataclasses.replace(scenario, days=known)
    bare = simulate(first, policy, seed=seed)
    if not is_plain:
        scenario = everything_on(scenario)
        bare = simulate(first, policy, seed=seed)
        simulate(dataclasses.replace(scenario, days=known), policy, seed=seed)
    bare_speed = bare.counters["lines"] / max(bare.seconds["kernel"], 1e-9)
    del bare
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
        "bare_kernel_lines_per_second": bare_speed,
        "ratio_to_bare_kernel": bare_speed * seconds / max(lines, 1),
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
        "write_off_units": int(facts.get("write_off_units").sum()),
        "records_right": float(
            facts.get("latent_records_right").sum() / max(facts.get("latent_records").sum(), 1)
        ),
        "fill": 1
        - float(facts.get("units_lost").sum() / max(facts.get("units_demanded").sum(), 1)),
    }


def everything_on(scenario: Scenario) -> Scenario:
    """The same world with latent errors, counts and perishables."""
    skus = scenario.network.skus
    number = np.arange(len(skus.ids))
    lives = np.array(_LIVES_DAYS)[number // _PERISHABLE_EVERY % len(_LIVES_DAYS)]
    life = np.where(number % _PERISHABLE_EVERY == 0, lives, 0).astype(skus.shelf_life_days.dtype)
    network = dataclasses.replace(
        scenario.network, skus=dataclasses.replace(skus, shelf_life_days=life)
    )
    return dataclasses.replace(
        scenario,
        network=network,
        frictions=LATENT,
        perishables=Perishables(tracked=True, lifo_share=0.2),
        store=dataclasses.replace(scenario.store, count_lines_per_day=_COUNTS_PER_DAY),
    )


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
