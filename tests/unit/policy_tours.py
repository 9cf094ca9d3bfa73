"""Builders of routing problems for policy tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.routing.problem import RoutingProblem


def a_problem(stops: int = 12, seed: int = 1, **changed: Any) -> RoutingProblem:
    """Stops on a square of 100 km, trucks at 60 km/h, ten hours, windows of four."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 100_000, (stops + 1, 2))
    metres = np.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2)).astype(np.int64)
    opens = rng.integers(5, 9, stops) * 3_600
    fields: dict[str, Any] = {
        "depot": 0,
        "stops": np.arange(1, stops + 1),
        "distance_m": metres,
        "drive_s": np.ceil(metres / (60 / 3.6)).astype(np.int64),
        "service_s": np.full(stops, 900),
        "opens_s": opens,
        "closes_s": opens + 4 * 3_600,
        "kg": rng.uniform(100, 4_000, stops),
        "m3": rng.uniform(0.5, 15, stops),
        "capacity_kg": 9_000.0,
        "capacity_m3": 40.0,
        "departs_s": 4 * 3_600,
        "shift_s": 10 * 3_600,
    }
    return RoutingProblem(**(fields | changed))
