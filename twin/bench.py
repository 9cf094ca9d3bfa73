"""The replay benchmark: receipt lines per second of the whole twin on one core."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import resource
import time
from typing import Any

from policies.bundle import PolicyBundle
from policies.domain.network import Network
from policies.domain.receipts import ReceiptColumns
from policies.registry import build_bundle
from twin.run import simulate
from twin.scenario import Scenario, WarehouseRules
from twin.state import cover_opening


def bench_replay(
    network: Network,
    receipts: ReceiptColumns,
    *,
    bundle: PolicyBundle | None = None,
    days: int | None = None,
    seed: int = 1,
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
    simulate(scenario, policy, seed=seed)
    # Objects made before are not walked by the collector again and again.
    gc.collect()
    gc.freeze()
    try:
        began, cpu = time.perf_counter(), time.process_time()
        result = simulate(scenario, policy, seed=seed)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
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
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "cpu_seconds": cpu_seconds,
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
