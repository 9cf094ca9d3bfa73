"""Builders of generated panels: baskets of several lines with a weekly rhythm."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np

from policies.domain.network import DAY_SECONDS, Network
from policies.domain.receipts import ReceiptColumns
from tests.unit.domain_networks import small_network
from twin.streams import stream

WEEKDAY = np.array([0.8, 0.8, 0.9, 1.0, 1.2, 1.4, 0.9])


def panel(
    stores: int = 4,
    skus: int = 12,
    days: int = 56,
    baskets_per_day: float = 20.0,
    seed: int = 3,
    holidays: tuple[dt.date, ...] = (),
) -> tuple[ReceiptColumns, Network]:
    """Poisson baskets with a weekday profile; day 0 is a Monday.

    Each basket has 1–4 lines of 1–3 units. Every store draws from its own stream, and
    stores differ in size only.
    """
    network = dataclasses.replace(small_network(stores, skus), holidays=holidays)
    popularity = 1.0 / np.arange(1, skus + 1)
    columns: list[list[np.ndarray]] = []
    for i in range(stores):
        rng = stream(seed, 0, "panel", f"S{i}")
        rate = baskets_per_day * (1 + 0.1 * i) * WEEKDAY[np.arange(days) % 7]
        day = np.repeat(np.arange(days), rng.poisson(rate))
        second = rng.integers(9 * 3600, 19 * 3600, len(day))
        order = np.argsort(day * DAY_SECONDS + second, kind="stable")
        lines = rng.integers(1, 5, len(day))
        size = int(lines.sum())
        columns.append(
            [
                np.repeat((day * DAY_SECONDS + second)[order], lines),
                rng.choice(skus, size, p=popularity / popularity.sum()),
                rng.integers(1, 4, size),
                np.full(size, 150),
                np.repeat(np.arange(len(day)), lines),
            ]
        )
    joined = [np.concatenate(part).astype(np.int32) for part in zip(*columns, strict=True)]
    offsets = np.cumsum([0] + [len(part[0]) for part in columns]).astype(np.int64)
    ids = tuple(network.locations.ids[i] for i in network.stores)
    return ReceiptColumns(ids, network.skus.ids, offsets, *joined), network


def daily_units(receipts: ReceiptColumns, first_day: int, last_day: int) -> np.ndarray:
    """(S, K, D) units of each store, SKU and day."""
    stores, skus, days = len(receipts.store_ids), len(receipts.sku_ids), last_day - first_day + 1
    store = np.repeat(np.arange(stores), np.diff(receipts.offsets))
    day = receipts.t_s // DAY_SECONDS - first_day
    ok = (day >= 0) & (day < days)
    cell = ((store * skus + receipts.sku) * days + day)[ok]
    total = np.bincount(cell, weights=receipts.quantity[ok], minlength=stores * skus * days)
    return total.reshape(stores, skus, days)


def shape_of(units: np.ndarray) -> dict[str, float]:
    """Variance/mean, zero share and autocorrelations, averaged over (N, D) cells."""
    mean = units.mean(axis=1, keepdims=True)
    gap = units - mean
    square = (gap**2).sum(axis=1)
    return {
        "variance_to_mean": float(units.var(axis=1).sum() / mean.sum()),
        "zero_share": float((units == 0).mean()),
        "lag_1": float(((gap[:, 1:] * gap[:, :-1]).sum(axis=1) / square).mean()),
        "lag_7": float(((gap[:, 7:] * gap[:, :-7]).sum(axis=1) / square).mean()),
    }
