"""Phantom stock where the truth is known: proposed counts against random ones.

The twin plays a world whose book goes wrong. At the end of its last day the detector, which
sees the book and the recorded sales alone, proposes counts; as many cells with book stock
are drawn at random. Only the study looks at the shelves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from policies.domain.errors import ScenarioInvalid
from policies.domain.forecast import SalesPanel
from policies.domain.network import Network
from policies.domain.view import NetworkView
from policies.phantom import CountSample, PhantomDetector, availability, likeliest
from policies.silence import Evidence
from scenarios.half_width import half_width
from scenarios.runner import Job, Policy, Tell, run_jobs
from scenarios.worlds import WorldSpec, world_network
from twin.result import Trace
from twin.scenario import Opening


def phantom_study(
    world: WorldSpec,
    policy: Policy,
    *,
    counts: int = 0,
    replications: int = 5,
    workers: int = 1,
    progress: Tell | None = None,
) -> dict[str, Any]:
    """Hit rates and availability, replication by replication.

    Parameters
    ----------
    counts : proposed, and drawn at random; 0 = one in fifty of the cells with book stock

    Returns
    -------
    dict
        ``runs`` and, over them: ``hit_rate``, ``random_hit_rate`` (the share of phantoms
        among all that could be counted: what random counts come to), their ``ratio``, and
        ``bias`` of availability by the book, by silence, and with the random counts' results,
        in percentage points with a 95 % interval over replications.
    """
    if replications < 2:
        raise ScenarioInvalid(
            f"replications is {replications}", field="--replications", remedy="at least 2"
        )
    if counts < 0:
        raise ScenarioInvalid(f"counts is {counts}", field="--counts", remedy="1 or more")
    trace = Trace(final_state=True)
    jobs = [Job(world, policy, r, keep_all=True, trace=trace) for r in range(replications)]
    network = world_network(world)
    runs = []
    for outcome in run_jobs(jobs, workers, progress):
        assert outcome.result is not None
        assert outcome.result.final is not None
        runs.append(_one(network, outcome.result.final, world, counts, outcome.job.replication))
    found, drawn = (sum(run[key] for run in runs) for key in ("hits", "expected_random_hits"))
    whole = sum(run["counts"] for run in runs)
    return {
        "runs": runs,
        "hit_rate": found / whole,
        "random_hit_rate": drawn / whole,
        "ratio": found / drawn if drawn else None,
        "bias": {
            name: _interval([100 * run[f"{name}_bias"] for run in runs])
            for name in ("book", "silence", "corrected")
        },
    }


def _one(
    network: Network, final: Opening, world: WorldSpec, counts: int, replication: int
) -> dict[str, Any]:
    view = _view(network, final, world.last_day + 1)
    assert final.sold is not None
    panel = SalesPanel(world.last_day, final.sold)
    gone = (final.book > 0) & (final.physical <= 0)
    stores = (network.locations.source >= 0)[:, None] & network.listed
    countable = np.flatnonzero(stores & (final.book > 0))
    if not len(countable):
        raise ScenarioInvalid(f"{world.name}: no cell has book stock", field="scenario")
    most = min(counts or max(1, len(countable) // 50), len(countable))
    seen = Evidence.of(view, panel)
    chance = PhantomDetector().fitted_by(seen).chance_by(seen)
    proposed = likeliest(chance, most)
    rng = np.random.default_rng([world.seed, replication])
    sample = rng.choice(countable, most, replace=False)
    counted = CountSample(chance.ravel()[sample], gone.ravel()[sample])
    book, silence = availability(view, chance)
    _, corrected = availability(view, chance, counted)
    truth = float((final.physical > 0)[stores].mean())
    return {
        "replication": replication,
        "cells": len(countable),
        "units_per_cell_day": float(panel.sold.mean(axis=0)[stores].mean()),
        "records_right": float((final.book == final.physical)[stores].mean()),
        "counts": most,
        "hits": int(sum(gone[place, sku] for place, sku, _ in proposed)),
        "random_hits": int(gone.ravel()[sample].sum()),
        "expected_random_hits": most * float(gone.ravel()[countable].mean()),
        "true_availability": truth,
        "book_bias": book - truth,
        "silence_bias": silence - truth,
        "corrected_bias": corrected - truth,
    }


def _view(network: Network, final: Opening, day: int) -> NetworkView:
    nothing = np.zeros(network.shape, dtype=np.int32)
    places = network.shape[0]
    return NetworkView(
        day * 86_400 - 1,
        network,
        on_hand=final.book,
        in_transit=nothing,
        on_order=nothing,
        backorders=nothing,
        reserved=nothing,
        review_due=np.ones(places, dtype=np.bool_),
        protection_days=np.ones(places, dtype=np.int32),
        is_hashed=False,
    )


def _interval(values: Sequence[float]) -> dict[str, float]:
    mean, half = float(np.mean(values)), half_width(values)
    return {"mean": mean, "low": mean - half, "high": mean + half}
