"""Stores alike in size and sales mix: whose baskets may stand for each other's."""

from __future__ import annotations

import numpy as np

from policies.domain.network import DAY_SECONDS, FloatArray, IntArray, Network
from policies.domain.receipts import ReceiptColumns
from twin.streams import stream

_STORES_PER_CLUSTER = 10
_ROUNDS = 50


def cluster_stores(
    receipts: ReceiptColumns,
    network: Network,
    first_day: int,
    last_day: int,
    *,
    clusters: int | None = None,
    seed: int = 0,
) -> IntArray:
    """(S,) int32 cluster of each store, from sales of `first_day` … `last_day` only.

    Plain k-means on log units a day and the square roots of the category shares (so
    that distance is Hellinger's), seeded. About ten stores a cluster unless told.
    """
    features = _features(receipts, network, first_day, last_day)
    stores = len(features)
    count = clusters or max(1, round(stores / _STORES_PER_CLUSTER))
    centre = _first_centres(features, min(count, stores), stream(seed, 0, "clusters"))
    label = np.zeros(stores, dtype=np.int32)
    for _ in range(_ROUNDS):
        distance = ((features[:, None, :] - centre[None]) ** 2).sum(axis=2)
        fresh = distance.argmin(axis=1).astype(np.int32)
        if (fresh == label).all() and _ > 0:
            break
        label = fresh
        for c in np.unique(label):
            centre[c] = features[label == c].mean(axis=0)
    return label


def _features(
    receipts: ReceiptColumns, network: Network, first_day: int, last_day: int
) -> FloatArray:
    """(S, 1 + C) float64: log size and category mix."""
    stores, categories = len(receipts.store_ids), len(network.skus.categories)
    store = np.repeat(np.arange(stores), np.diff(receipts.offsets))
    t_s = np.asarray(receipts.t_s)
    chosen = (t_s >= first_day * DAY_SECONDS) & (t_s < (last_day + 1) * DAY_SECONDS)
    cell = store[chosen] * categories + network.skus.category[np.asarray(receipts.sku)[chosen]]
    units = np.bincount(
        cell, weights=np.asarray(receipts.quantity)[chosen], minlength=stores * categories
    ).reshape(stores, categories)
    total = units.sum(axis=1, keepdims=True)
    size = np.log1p(total / (last_day - first_day + 1))
    mix = np.sqrt(units / np.maximum(total, 1))
    return np.concatenate([size, mix], axis=1)


def _first_centres(features: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """k-means++ start: far-apart stores are likelier to be the next centre."""
    chosen = [int(rng.integers(len(features)))]
    while len(chosen) < count:
        nearest = ((features[:, None, :] - features[chosen][None]) ** 2).sum(axis=2).min(axis=1)
        if nearest.sum() == 0:
            break
        chosen.append(int(rng.choice(len(features), p=nearest / nearest.sum())))
    return features[chosen].copy()
