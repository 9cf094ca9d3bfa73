"""A seeded chain of any size: network, assortments, receipts.

Each store draws from its own random stream and each SKU property from the SKUs' stream,
so that adding a store changes no other store's receipts.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.facts import CostModel
from policies.domain.network import Network
from policies.domain.receipts import ReceiptColumns
from scenarios.history.columns import FIELDS, column_files, open_receipts
from scenarios.history.generate_kernel import count_lines, fill_store
from scenarios.history.generated_plan import ChainPlan, generic_plan
from scenarios.history.network_files import load_network, save_network
from scenarios.history.preset_cn import cn_supermarket_plan
from scenarios.history.preset_industries import INDUSTRIES, industry_plan, with_formats
from scenarios.history.shapes import BASKET_LINES, QUANTITIES, draw_table, opening_hours_curve

PRESETS = ("cn-supermarket", *INDUSTRIES)
DEFAULT_START = dt.date(2024, 1, 1)
Ints = npt.NDArray[np.int32]
_BASKETS, _LINES, _TASTE = 11, 12, 13


class ChainStretches:
    """What :func:`generate_chain` makes, a stretch of days at a time: beyond memory.

    Each store's random stream goes on where the last stretch left it, so the lines are
    the same as in one piece.

    Parameters
    ----------
    stores, skus, days, lines_per_store_day, seed, preset, formats
        as in :func:`generate_chain`
    stretch_days : int ≥ 1, days of a stretch; the last may be shorter
    """

    def __init__(
        self,
        *,
        stores: int,
        skus: int,
        days: int,
        lines_per_store_day: float,
        seed: int,
        stretch_days: int = 28,
        preset: str | None = None,
        formats: dict[str, float] | None = None,
    ) -> None:
        sizes = (stores, skus, days, lines_per_store_day, seed, None, DEFAULT_START)
        self._plan = _plan(*sizes, preset, formats)
        self._seed, self.days, self.stretch_days = seed, days, stretch_days
        self._baskets = [_baskets(self._plan, seed, i) for i in range(stores)]
        self._states = [_kernel_state(seed, i) for i in range(stores)]

    @property
    def network(self) -> Network:
        """The chain."""
        return self._plan.network

    def stretch(self, day: int) -> ReceiptColumns | None:
        """Lines from `day` on, if a stretch begins there; in order of days, each once."""
        if day % self.stretch_days or day >= self.days:
            return None
        days = slice(day, min(day + self.stretch_days, self.days))
        lengths = draw_table(BASKET_LINES)
        count = [
            count_lines(state.copy(), int(baskets[days].sum()), lengths)
            for state, baskets in zip(self._states, self._baskets, strict=True)
        ]
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        columns = [np.empty(int(offsets[-1]), dtype=np.int32) for _ in FIELDS]
        for i, baskets in enumerate(self._baskets):
            mine = [column[offsets[i] : offsets[i + 1]] for column in columns]
            _fill(self._plan, self._seed, i, baskets, mine, days, self._states[i])
        network = self.network
        ids = tuple(network.locations.ids[i] for i in network.stores)
        return ReceiptColumns(ids, network.skus.ids, offsets, *columns)


@dataclass(frozen=True)
class GenerateReport:
    """What :func:`generate` wrote: receipt lines and bytes of the folder."""

    lines: int
    bytes: int


def network_to_be(
    *,
    stores: int,
    skus: int,
    days: int,
    lines_per_store_day: float,
    seed: int,
    preset: str | None = None,
    formats: dict[str, float] | None = None,
) -> Network:
    """The network of :func:`generate_chain`, without drawing a basket."""
    sizes = (stores, skus, days, lines_per_store_day, seed, None, DEFAULT_START)
    return _plan(*sizes, preset, formats).network


def generate_chain(
    *,
    stores: int,
    skus: int,
    days: int,
    lines_per_store_day: float,
    seed: int,
    warehouses: int | None = None,
    start_date: dt.date = DEFAULT_START,
    preset: str | None = None,
    formats: dict[str, float] | None = None,
) -> tuple[Network, ReceiptColumns]:
    """A network and what its customers want to buy, in memory (20 bytes a line).

    Parameters
    ----------
    stores, skus, days : size of the chain and of its history
    lines_per_store_day : mean receipt lines of a store's day
    seed : master seed
    warehouses : 1 or more; default 2 from 20 stores on
    start_date : day 0
    preset : None (names say what a thing is) or one of ``PRESETS``
    formats : store formats and their shares, as ``{"convenience": 2, "supermarket": 1}``

    Raises
    ------
    InvalidInput
        For a size below 1 or an unknown preset.
    """
    sizes = (stores, skus, days, lines_per_store_day, seed, warehouses, start_date)
    plan = _plan(*sizes, preset, formats)
    baskets, offsets = _sizes(plan, seed)
    columns = [np.empty(int(offsets[-1]), dtype=np.int32) for _ in FIELDS]
    for i in range(stores):
        rows = slice(int(offsets[i]), int(offsets[i + 1]))
        _fill(plan, seed, i, baskets[i], [column[rows] for column in columns])
    network = plan.network
    ids = tuple(network.locations.ids[i] for i in network.stores)
    return network, ReceiptColumns(ids, network.skus.ids, offsets, *columns)


def generate(
    *,
    stores: int,
    skus: int,
    days: int,
    lines_per_store_day: float,
    seed: int,
    out: Path,
    preset: str | None = None,
    formats: dict[str, float] | None = None,
    warehouses: int | None = None,
    start_date: dt.date = DEFAULT_START,
    progress: Callable[[int, int], None] | None = None,
) -> GenerateReport:
    """The same chain written to a folder, one store in memory at a time.

    The folder holds the network, the receipt columns, ``costs.json``, ``promotions.parquet``
    and ``generated.json``; it appears whole or not at all.
    """
    sizes = (stores, skus, days, lines_per_store_day, seed, warehouses, start_date)
    plan = _plan(*sizes, preset, formats)
    work = out.with_name(out.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        lines = _write_receipts(plan, seed, work, progress or (lambda done, whole: None))
        save_network(plan.network, work)
        plan.promotions.to_parquet(work / "promotions.parquet", index=False)
        (work / "costs.json").write_text(json.dumps(asdict(plan.costs), ensure_ascii=False))
        about = {
            "generated": True, "stores": stores, "skus": skus, "days": days, "seed": seed,
            "lines_per_store_day": lines_per_store_day, "preset": preset,
            "formats": formats, "assumptions": plan.assumptions,
        }  # fmt: skip
        (work / "generated.json").write_text(json.dumps(about, ensure_ascii=False, indent=1))
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
    return GenerateReport(lines, sum(path.stat().st_size for path in out.iterdir()))


def load_generated(out: Path) -> tuple[Network, ReceiptColumns]:
    """Network and memory-mapped receipts of a folder that :func:`generate` wrote."""
    _generated(out)
    return load_network(out), open_receipts(out)


def load_costs(out: Path) -> CostModel:
    """The cost model of a folder that :func:`generate` wrote."""
    _generated(out)
    return CostModel(**json.loads((out / "costs.json").read_text(encoding="utf-8")))


def _generated(out: Path) -> None:
    if not (out / "generated.json").exists():
        raise InvalidInput(
            f"{out} holds no generated chain", field="data", remedy="run storetwin generate"
        )


def _plan(
    stores: int,
    skus: int,
    days: int,
    lines_per_store_day: float,
    seed: int,
    warehouses: int | None,
    start_date: dt.date,
    preset: str | None,
    formats: dict[str, float] | None,
) -> ChainPlan:
    for name, value in (
        ("stores", stores),
        ("skus", skus),
        ("days", days),
        ("lines_per_store_day", lines_per_store_day),
    ):
        if value < 1:
            raise InvalidInput(f"{name} is {value}", field=name, remedy="at least 1")
    if preset is not None and preset not in PRESETS:
        raise InvalidInput(
            f"no preset {preset!r}", field="preset", remedy=f"one of {', '.join(PRESETS)}"
        )
    depots = warehouses or (2 if stores >= 20 else 1)
    if depots > stores:
        raise InvalidInput(f"{depots} warehouses for {stores} stores", field="warehouses")
    sizes = (stores, skus, days, lines_per_store_day, seed, depots, start_date)
    if preset in INDUSTRIES:
        plan = industry_plan(str(preset), *sizes)
    else:
        plan = (generic_plan if preset is None else cn_supermarket_plan)(*sizes)
    return with_formats(plan, formats) if formats else plan


def _state(seed: int, purpose: int, number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(purpose, number))


def _sizes(plan: ChainPlan, seed: int) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
    """Baskets of each (store, day) and the offsets of the stores' lines."""
    lengths = draw_table(BASKET_LINES)
    baskets, count = [], []
    for i in range(len(plan.lines_per_day)):
        drawn = _baskets(plan, seed, i)
        baskets.append(drawn)
        count.append(count_lines(_kernel_state(seed, i), int(drawn.sum()), lengths))
    return baskets, np.concatenate([[0], np.cumsum(count)]).astype(np.int64)


def _baskets(plan: ChainPlan, seed: int, store: int) -> npt.NDArray[np.int64]:
    """(D,) baskets of each day of one store."""
    rng = np.random.default_rng(_state(seed, _BASKETS, store))
    mean = plan.lines_per_day[store] / draw_table(BASKET_LINES).mean()
    drawn: npt.NDArray[np.int64] = rng.poisson(mean * plan.day_factor).astype(np.int64)
    return drawn


def _kernel_state(seed: int, store: int) -> npt.NDArray[np.uint64]:
    return np.asarray(_state(seed, _LINES, store).generate_state(2, np.uint64), dtype=np.uint64)


def _fill(
    plan: ChainPlan,
    seed: int,
    store: int,
    baskets: npt.NDArray[np.int64],
    columns: list[Ints],
    days: slice = slice(None),
    state: npt.NDArray[np.uint64] | None = None,
) -> None:
    """Write one store's lines into `columns` (t, sku, quantity, price, basket).

    Only those of `days`, if given, from the `state` that the days before have left.
    """
    network = plan.network
    place = network.stores[store]
    listed = np.flatnonzero(network.listed[place]).astype(np.int32)
    rng = np.random.default_rng(_state(seed, _TASTE, store))
    # Drawn for every SKU, so that a changed assortment leaves the others' tastes alone.
    taste = rng.lognormal(0.0, plan.taste_spread, network.shape[1])
    opens, closes = network.locations.opens_s[place], network.locations.closes_s[place]
    fill_store(
        _kernel_state(seed, store) if state is None else state,
        baskets[days],
        plan.week_of_day[days],
        (plan.popularity * taste)[listed],
        plan.lift,
        plan.price_cents,
        listed,
        draw_table(BASKET_LINES),
        draw_table(QUANTITIES),
        opening_hours_curve(plan.hours, int(opens), int(closes)),
        *columns,
    )
    if days.start:
        columns[0] += np.int32(days.start * 86_400)
        columns[4] += np.int32(baskets[: days.start].sum())


def _write_receipts(
    plan: ChainPlan, seed: int, folder: Path, tell: Callable[[int, int], None]
) -> int:
    """Append store after store to the column files; returns the number of lines."""
    baskets, offsets = _sizes(plan, seed)
    lines, stores = int(offsets[-1]), len(baskets)
    ids = [plan.network.locations.ids[i] for i in plan.network.stores]
    (folder / "ids.json").write_text(json.dumps({"stores": ids, "skus": plan.network.skus.ids}))
    np.save(folder / "offsets.npy", offsets)
    with column_files(folder, lines) as files:
        for i in range(stores):
            columns = [np.empty(offsets[i + 1] - offsets[i], dtype="<i4") for _ in files]
            _fill(plan, seed, i, baskets[i], columns)
            for file, column in zip(files, columns, strict=True):
                file.write(column.data)
            tell(i + 1, stores)
    return lines
