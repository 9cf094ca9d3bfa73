"""Unconstrained replay: recorded receipts, and beside them what stock-outs kept from being sold.

Days with hours out of stock are censored: each gets the units that its series' level and its
own pace ask for in the missing hours (:mod:`policies.forecasting.unconstrain`). Two kinds of
series can't be read that way and fall back: one that was hardly ever in stock is scaled by the
in-stock profile of its category alone, and a day that is flagged as a whole although it sold
is taken as one that ran out at an hour nobody knows. What was added, and what other ways of
adding it would have made, is stated beside the demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.receipts import ReceiptColumns
from policies.forecasting.unconstrain import HOURS, HourlyUnconstrain, Unconstrained, by_daily_flag
from twin import draws

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_HOUR = 3_600
_BLOCK_ROWS = 200_000
"""Series-days that are restored together: 40 MB an array."""
LEAST_DAYS = 7.0
"""Usual days' sales that a series must have been in stock for to speak for itself."""


@dataclass(frozen=True)
class Stockouts:
    """Times without stock, as recorded.

    Attributes
    ----------
    store, sku : (N,) int64, positions among the receipts' stores and SKUs
    start_s, end_s : (N,) int64, seconds since day 0, end exclusive
    """

    store: Ints
    sku: Ints
    start_s: Ints
    end_s: Ints

    def __post_init__(self) -> None:
        bad = np.flatnonzero((self.end_s <= self.start_s) | (self.start_s < 0))
        if len(bad):
            row = int(bad[0])
            raise InvalidInput(
                f"a stock-out lasts from {self.start_s[row]} to {self.end_s[row]} s",
                field="stockouts",
                row=row,
                remedy="give seconds since day 0, the end after the start",
            )


@dataclass
class _Account:
    """What was added, over all blocks."""

    censored_days: int = 0
    unknown_series: int = 0
    scaled_series: int = 0
    flagged_days: int = 0
    variance: float = 0.0
    hourly: float = 0.0
    half_pace: float = 0.0
    double_pace: float = 0.0
    profile: float = 0.0


def unconstrain(
    panel: ReceiptColumns, network: Network, stockouts: Stockouts, seed: int, replication: int
) -> tuple[ReceiptColumns, dict[str, Any]]:
    """(the receipts and what they lack, how they were made).

    Lines that are added lie in hours without stock, have a basket of their own and the list
    price. The same hour of the same series meets the same draw whatever else is recorded.

    Raises
    ------
    ScenarioInvalid
        No stock-outs are recorded.
    """
    if not len(stockouts.store):
        raise no_stockouts()
    days = int(panel.t_s.max(initial=-1)) // DAY_SECONDS + 1
    account = _Account()
    keys = draws.keys(seed, replication, "unconstrained", panel.store_ids)
    made = [
        _added(block, panel, network, keys, days, account)
        for block in _blocks(panel, network, stockouts, days)
    ]
    lines = np.concatenate([np.zeros((4, 0), dtype=np.int64), *made], axis=1)
    return _merged(panel, lines), _record(panel, lines, account)


def no_stockouts(where: str = "the history") -> ScenarioInvalid:
    """What a demand without recorded stock-outs is refused with."""
    return ScenarioInvalid(
        f"{where} records no stock-outs: what was not sold can't be told from what nobody wanted",
        field="demand",
        remedy="set demand = 'replay', or give the import a stockouts table",
    )


@dataclass(frozen=True)
class _Block:
    """Series that are restored together: (n,) stores, SKUs, categories; (n, D, 24) hours."""

    store: Ints
    sku: Ints
    group: Ints
    sold: Floats
    in_stock: npt.NDArray[np.bool_]


def _blocks(
    panel: ReceiptColumns, network: Network, stockouts: Stockouts, days: int
) -> Iterator[_Block]:
    """Series with any stock-out, category by category, so that profiles are well told."""
    width = len(panel.sku_ids)
    out_key = stockouts.store * width + stockouts.sku
    keys = np.unique(out_key)
    keys = keys[np.argsort(network.skus.category[keys % width], kind="stable")]
    store = np.repeat(np.arange(len(panel.store_ids)), np.diff(panel.offsets))
    line_key = store * width + panel.sku
    size = max(1, _BLOCK_ROWS // max(days, 1))
    for first in range(0, len(keys), size):
        mine = np.sort(keys[first : first + size])
        row = np.minimum(np.searchsorted(mine, line_key), len(mine) - 1)
        lines = np.flatnonzero(mine[row] == line_key)
        hour = row[lines] * (days * HOURS) + panel.t_s[lines] // _HOUR
        sold = np.bincount(hour, panel.quantity[lines], len(mine) * days * HOURS).astype(np.float64)
        at = np.minimum(np.searchsorted(mine, out_key), len(mine) - 1)
        rows = np.flatnonzero(mine[at] == out_key)
        out = _hours_out(at[rows], stockouts.start_s[rows], stockouts.end_s[rows], len(mine), days)
        category = network.skus.category[mine % width].astype(np.int64)
        group = np.unique(category, return_inverse=True)[1].astype(np.int64)
        shape = (len(mine), days, HOURS)
        yield _Block(mine // width, mine % width, group, sold.reshape(shape), ~out.reshape(shape))


def _hours_out(
    row: Ints, start_s: Ints, end_s: Ints, series: int, days: int
) -> npt.NDArray[np.bool_]:
    """(series · days · 24,) whether more than half of the hour was without stock."""
    seconds = np.zeros(series * days * HOURS + 1, dtype=np.int64)
    until = np.minimum(end_s, days * DAY_SECONDS)
    first, last = start_s // _HOUR, (until - 1) // _HOUR
    begin = row * (days * HOURS)
    inside = until > start_s
    for step in range(int((last - first)[inside].max(initial=-1)) + 1):
        hour = first + step
        on = inside & (hour <= last)
        spent = np.minimum(until, (hour + 1) * _HOUR) - np.maximum(start_s, hour * _HOUR)
        np.add.at(seconds, (begin + hour)[on], spent[on])
    return np.asarray(seconds[:-1] > _HOUR // 2)


def _added(
    block: _Block,
    panel: ReceiptColumns,
    network: Network,
    keys: draws.Keys,
    days: int,
    account: _Account,
) -> npt.NDArray[np.int64]:
    """(4, n) store, SKU, second and units of the lines that a block lacks."""
    size = len(block.store)
    series = np.repeat(np.arange(size), days)
    sold, seen = block.sold.reshape(-1, HOURS), block.in_stock.reshape(-1, HOURS)
    group = block.group[series]
    units = sold.sum(axis=1)
    # Sold on a day that was flagged from end to end: the hour is what nobody knows.
    flagged = ~seen.any(axis=1) & (units > 0)
    hours = np.where(flagged[:, None], True, seen)
    restored = HourlyUnconstrain().restore(sold, hours, series, group)
    scaled, share = _by_profile(units, restored, series, size)
    more = restored.demand - units
    thin = (share < LEAST_DAYS)[series]
    more = np.where(thin, scaled, more)
    if flagged.any():
        more = np.where(flagged, by_daily_flag(units, flagged, series) - units, more)
    missing = np.where(flagged[:, None], restored.profile[group], restored.profile[group] * ~seen)
    _note(account, block, sold, hours, series, group, units, more, restored, scaled, share, flagged)
    weight = missing.sum(axis=1)
    rate = missing * np.divide(more, weight, out=np.zeros_like(more), where=weight > 0)[:, None]
    at, hour = np.nonzero(rate > 0)
    place, day = series[at], at % days
    counter = (block.sku[place] * days + day) * HOURS + hour
    u = draws.uniforms(keys[block.store[place]], 2 * counter)
    count = _poisson(u, rate[at, hour])
    some = count > 0
    at, hour, count, counter = at[some], hour[some], count[some], counter[some]
    place = place[some]
    second = np.floor(draws.uniforms(keys[block.store[place]], 2 * counter + 1) * _HOUR)
    when = (at % days) * DAY_SECONDS + hour * _HOUR + second.astype(np.int64)
    return np.stack([block.store[place], block.sku[place], when, count])


def _by_profile(
    units: Floats, restored: Unconstrained, series: Ints, size: int
) -> tuple[Floats, Floats]:
    """((N,) units that lack by the in-stock profile alone, (n,) usual days seen in stock)."""
    seen = np.asarray(np.bincount(series, restored.share_seen, size), dtype=np.float64)
    sums = np.asarray(np.bincount(series, units, size), dtype=np.float64)
    level = np.divide(sums, seen, out=np.zeros(size), where=seen > 0)
    return (1.0 - restored.share_seen) * level[series], seen


def _note(
    account: _Account,
    block: _Block,
    sold: Floats,
    hours: npt.NDArray[np.bool_],
    series: Ints,
    group: Ints,
    units: Floats,
    more: Floats,
    restored: Unconstrained,
    scaled: Floats,
    share: Floats,
    flagged: npt.NDArray[np.bool_],
) -> None:
    account.censored_days += int((~block.in_stock).any(axis=2).sum())
    account.flagged_days += int(flagged.sum())
    account.unknown_series += int((share <= 0).sum())
    account.scaled_series += int(((share > 0) & (share < LEAST_DAYS)).sum())
    account.variance += float((restored.deviation**2).sum())
    account.hourly += float(more.sum())
    account.profile += float(scaled.sum())
    plain = HourlyUnconstrain()
    for name, factor in (("half_pace", 0.5), ("double_pace", 2.0)):
        other = replace(plain, pace_units=plain.pace_units * factor)
        told = other.restore(sold, hours, series, group).demand - units
        setattr(account, name, getattr(account, name) + float(told.sum()))


def _poisson(u: Floats, mean: Floats) -> Ints:
    """(n,) Poisson numbers of (n,) uniform draws, by inversion."""
    out = np.zeros(len(u), dtype=np.int64)
    chance = np.exp(-np.minimum(mean, 500.0))
    below = chance.copy()
    open_rows = np.flatnonzero(u >= below)
    while len(open_rows):
        out[open_rows] += 1
        chance[open_rows] *= mean[open_rows] / out[open_rows]
        below[open_rows] += chance[open_rows]
        far = out[open_rows] > 2 * mean[open_rows] + 60
        open_rows = open_rows[(u[open_rows] >= below[open_rows]) & ~far]
    return out


def _merged(panel: ReceiptColumns, lines: npt.NDArray[np.int64]) -> ReceiptColumns:
    """Both kinds of lines in time order; at one second the recorded one first."""
    place, sku, when, units = lines
    price = _last_prices(panel)
    store = np.repeat(np.arange(len(panel.store_ids)), np.diff(panel.offsets))
    columns = {
        "t_s": when,
        "sku": sku,
        "quantity": units,
        "unit_price_cents": price[sku],
        "basket": np.full(len(when), -1, dtype=np.int64),
    }
    joined = {
        name: np.concatenate([np.asarray(getattr(panel, name)), more.astype(np.int32)])
        for name, more in columns.items()
    }
    owner = np.concatenate([store, place])
    order = np.lexsort((joined["t_s"], owner))
    counts = np.bincount(owner, minlength=len(panel.store_ids))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return ReceiptColumns(
        panel.store_ids,
        panel.sku_ids,
        offsets,
        **{name: column[order] for name, column in joined.items()},
    )


def _last_prices(panel: ReceiptColumns) -> npt.NDArray[np.int32]:
    """(K,) the mean price each SKU was sold at, in whole cents."""
    width = len(panel.sku_ids)
    units = np.bincount(panel.sku, panel.quantity, width)
    money = np.bincount(
        panel.sku, panel.quantity.astype(np.float64) * panel.unit_price_cents, width
    )
    out = np.divide(money, units, out=np.zeros(width), where=units > 0)
    return np.rint(out).astype(np.int32)


def _record(
    panel: ReceiptColumns, lines: npt.NDArray[np.int64], account: _Account
) -> dict[str, Any]:
    sold = int(panel.quantity.sum(dtype=np.int64))
    return {
        "method": "unconstrained replay",
        "recorded_units": sold,
        "added_units": int(lines[3].sum()),
        "added_share": float(lines[3].sum() / max(sold, 1)),
        "expected_units": account.hourly,
        "deviation_units": float(np.sqrt(account.variance)),
        "censored_days": account.censored_days,
        "flagged_days": account.flagged_days,
        "series_scaled_by_profile": account.scaled_series,
        "series_never_in_stock": account.unknown_series,
        "sensitivity": {
            "in-stock profile alone": account.profile,
            "half the weight of a series' level": account.half_pace,
            "twice the weight of a series' level": account.double_pace,
        },
    }
