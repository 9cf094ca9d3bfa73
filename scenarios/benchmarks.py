"""The replay benchmark on generated chains: one size, a row of sizes, ratios."""

from __future__ import annotations

import gc
from typing import Any

from scenarios.history.generate import ChainStretches, generate_chain
from twin.bench import bench_replay, event_per_line

_IN_ONE_PIECE_DAYS, STRETCH_DAYS = 56, 28
_SIZES = (50, 100, 200, 400, 800)


def replay_generated(
    stores: int,
    *,
    skus: int,
    days: int,
    lines_per_store_day: float,
    seed: int,
    is_plain: bool = False,
) -> dict[str, Any]:
    """The benchmark on a generated chain; a long history comes in stretches."""
    if days <= _IN_ONE_PIECE_DAYS:
        chain = generate_chain(
            stores=stores,
            skus=skus,
            days=days,
            lines_per_store_day=lines_per_store_day,
            seed=seed,
        )
        return bench_replay(*chain, is_plain=is_plain)
    stretches = ChainStretches(
        stores=stores,
        skus=skus,
        days=days,
        lines_per_store_day=lines_per_store_day,
        seed=seed,
        stretch_days=STRETCH_DAYS,
    )
    first = stretches.stretch(0)
    if first is None:
        raise AssertionError("the first stretch begins on day 0")
    return bench_replay(
        stretches.network, first, days=days, feed=stretches.stretch, is_plain=is_plain
    )


def replay_by_stores(
    stores: int,
    *,
    skus: int,
    days: int,
    lines_per_store_day: float,
    seed: int,
    is_plain: bool = False,
) -> dict[str, Any]:
    """Nanoseconds a line by the number of stores, up to `stores`; spread = most / least − 1.

    Processor time, the better of two runs each: a machine that does other things as well
    would else show up as a difference between sizes.
    """
    rows = []
    for size in sorted({*(s for s in _SIZES if s < stores), stores}):
        runs = [
            replay_generated(
                size,
                skus=skus,
                days=days,
                lines_per_store_day=lines_per_store_day,
                seed=seed,
                is_plain=is_plain,
            )
            for _ in range(2)
        ]
        best = min(runs, key=lambda run: float(run["cpu_seconds"]))
        rows.append(
            {
                "stores": size,
                "lines": best["lines"],
                "nanoseconds_per_line": 1e9 * best["cpu_seconds"] / best["lines"],
                "peak_rss_bytes": best["peak_rss_bytes"],
            }
        )
        gc.collect()
    costs = [float(row["nanoseconds_per_line"]) for row in rows]
    mean = sum(costs) / len(costs)
    return {
        **best,
        "by_stores": rows,
        "spread": max(costs) / min(costs) - 1,
        "largest_deviation_from_mean": max(abs(cost / mean - 1) for cost in costs),
    }


def with_ratios(result: dict[str, Any]) -> dict[str, Any]:
    """`result` and how many times faster it is than one SimPy event per line.

    By processor time: both runs may have met a busy machine, not an equally busy one.
    """
    plain = event_per_line(
        *generate_chain(stores=20, skus=200, days=7, lines_per_store_day=500, seed=1)
    )
    return {
        **result,
        "event_per_line": plain,
        "ratio_to_event_per_line": result["lines_per_cpu_second"] / plain["lines_per_cpu_second"],
    }
