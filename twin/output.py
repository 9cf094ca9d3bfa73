"""Results as an xarray Dataset, as a file with the same bytes every time, and a manifest.

The dataset holds integers only and nothing of the machine: no wall time, no host, no
date. So two files are equal if and only if the results are, whatever the number of
workers that made them. What took how long stands in the manifest, outside its hash.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

import policies
import twin
from policies.domain.errors import InvalidInput
from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from twin.netcdf import write_compressed
from twin.result import RunResult

CELL_DIMS = ("scenario", "replication", "day", "location", "category")
_SKU_TOTALS = ("sold_per_sku", "lost_per_sku", "demanded_per_sku")
_VERSIONED = ("h5netcdf", "h5py", "numba", "numpy", "ortools", "pandas", "scipy", "simpy", "xarray")
_CHUNK_DAYS = 64


@dataclass(frozen=True)
class Cell:
    """One replication as it is written: each variable in the narrowest integer that holds it.

    An eighth of the bytes of its :class:`RunResult`, so a run gathers many of them.

    Attributes
    ----------
    label : str, ``<scenario>/<policy>``
    replication : int
    columns : dict, integers by variable, without the dims scenario and replication
    coords : dict, day, location and category
    attributes : dict of int, what holds for the whole run
    """

    label: str
    replication: int
    columns: Mapping[str, npt.NDArray[np.integer]]
    coords: Mapping[str, tuple[int, ...] | tuple[str, ...]]
    attributes: Mapping[str, int]


def cell(run: RunResult) -> Cell:
    """What is written of one replication."""
    facts = run.facts
    columns = {name: _narrowed(facts.sku_facts[..., i]) for i, name in enumerate(SKU_FACTS)}
    columns |= {
        name: _narrowed(facts.location_facts[..., i]) for i, name in enumerate(LOCATION_FACTS)
    }
    columns |= {name: _narrowed(getattr(run, name)) for name in _SKU_TOTALS}
    columns["seed"] = np.array(run.seed, dtype=np.int64)
    return Cell(
        f"{run.scenario}/{run.policy}",
        run.replication,
        columns,
        {
            "day": (facts.first_day, facts.days),
            "location": facts.locations,
            "category": facts.categories,
        },
        {
            "first_kpi_day": run.first_kpi_day,
            "has_latent": int(facts.has_latent),
            "as_known_at_s": int(facts.as_known_at_s),
        },
    )


def dataset(
    results: Iterable[RunResult | Cell], sku_ids: Sequence[str] | None = None
) -> xr.Dataset:
    """Facts of all runs, dims (scenario, replication, day, location[, category]), integers.

    The `scenario` coordinate reads ``<scenario>/<policy>``: the same world under two
    policies is two entries. Order follows the labels, never the order of arrival, so
    that workers may finish as they like. Every variable is of the narrowest integer type
    that holds it: sum it as int64.

    Parameters
    ----------
    results : one for each (scenario, policy, replication), no gap and no double; read once
    sku_ids : names for the per-SKU totals; numbers by default
    """
    table = _by_cell(results)
    if not table:
        raise InvalidInput("no result to write", field="results", remedy="run a replication first")
    labels = sorted({label for label, _ in table})
    replications = sorted({replication for _, replication in table})
    first = table[labels[0], replications[0]]
    rows = [[_cell(table, label, r, first) for r in replications] for label in labels]
    variables = {
        name: (_dims(name), _stacked([[one.columns[name] for one in row] for row in rows]))
        for name in first.columns
    }
    first_day, days = (int(item) for item in first.coords["day"])
    skus = len(first.columns[_SKU_TOTALS[0]])
    coords = {
        "scenario": labels,
        "replication": np.array(replications, dtype=np.int64),
        "day": first_day + np.arange(days, dtype=np.int64),
        "location": list(first.coords["location"]),
        "category": list(first.coords["category"]),
        "sku": list(sku_ids) if sku_ids is not None else [str(i) for i in range(skus)],
    }
    attributes = {**first.attributes, "day_is": "days since the network's start date"}
    return xr.Dataset(variables, coords, attributes)


def _dims(name: str) -> tuple[str, ...]:
    if name == "seed":
        return CELL_DIMS[:2]
    if name in _SKU_TOTALS:
        return (*CELL_DIMS[:2], "sku")
    return CELL_DIMS if name in SKU_FACTS else CELL_DIMS[:-1]


def _narrowed(values: npt.NDArray[np.int64]) -> npt.NDArray[np.integer]:
    column = np.ascontiguousarray(values)
    return column.astype(narrowest(column))


def _stacked(rows: list[list[npt.NDArray[np.integer]]]) -> npt.NDArray[np.integer]:
    """(scenario, replication, …), in the widest type among them, which is the narrowest."""
    return np.stack([np.stack(row) for row in rows])


def _by_cell(results: Iterable[RunResult | Cell]) -> dict[tuple[str, int], Cell]:
    table: dict[tuple[str, int], Cell] = {}
    for result in results:
        one = result if isinstance(result, Cell) else cell(result)
        key = (one.label, one.replication)
        if key in table:
            raise InvalidInput(
                f"replication {one.replication} of {one.label} is there twice",
                field="results",
                remedy="give every replication its own number",
            )
        table[key] = one
    return table


def _cell(table: Mapping[tuple[str, int], Cell], label: str, replication: int, like: Cell) -> Cell:
    """The cell of one scenario and replication, which must be there and fit the others."""
    one = table.get((label, replication))
    if one is None:
        raise InvalidInput(
            f"replication {replication} of {label} is missing",
            field="results",
            remedy="run every scenario with the same replications",
        )
    for name, wanted in {**like.coords, **like.attributes}.items():
        found = {**one.coords, **one.attributes}[name]
        if found != wanted:
            what = _SAID.get(name, name)
            raise InvalidInput(f"{label} differs from {like.label} in {what}", field=name)
    return one


_SAID = {"day": "its days", "first_kpi_day": "its warm-up"}


def write(data: xr.Dataset, path: Path, threads: int = 1) -> Path:
    """Write a NetCDF-4 file; equal datasets give equal bytes, in any process.

    Each variable is stored in the narrowest integer that holds it and compressed, by so
    many threads; the file appears whole or not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    wide = {name: one for name, one in data.data_vars.items() if one.dtype == np.int64}
    narrow = {name: one.astype(narrowest(one.to_numpy())) for name, one in wide.items()}
    write_compressed(data.assign(narrow), unfinished, threads, _CHUNK_DAYS)
    unfinished.replace(path)
    return path


def narrowest(values: npt.NDArray[np.integer]) -> np.dtype[Any]:
    """The narrowest signed integer that holds all `values`."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    kinds = (np.int8, np.int16, np.int32, np.int64)
    fits = (k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return np.dtype(next(fits))


def read(path: Path) -> tuple[xr.Dataset, list[DayFacts]]:
    """The dataset of a file and its day facts, scenario by scenario, by replication."""
    if not path.exists():
        raise InvalidInput(f"no result file at {path}", field="path", remedy="run the scenario")
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        data = opened.load()
    missing = [name for name in (*SKU_FACTS, *LOCATION_FACTS) if name not in data]
    if missing:
        raise InvalidInput(
            f"{path} has no {', '.join(missing[:3])}: an older version wrote it",
            field="path",
            remedy="run the scenario again",
        )
    data = data.map(lambda variable: variable.astype(np.int64), keep_attrs=True)
    for variable in data.variables.values():
        variable.encoding = {}
    return data, [
        day_facts(data, i, j)
        for i in range(data.sizes["scenario"])
        for j in range(data.sizes["replication"])
    ]


def day_facts(data: xr.Dataset, scenario: int, replication: int) -> DayFacts:
    """The day facts of one scenario and replication, by position."""
    at = {"scenario": scenario, "replication": replication}
    sku = np.stack([data[name].isel(at).to_numpy() for name in SKU_FACTS], axis=-1)
    place = np.stack([data[name].isel(at).to_numpy() for name in LOCATION_FACTS], axis=-1)
    return DayFacts(
        int(data["day"][0]),
        tuple(str(name) for name in data["location"].to_numpy()),
        tuple(str(name) for name in data["category"].to_numpy()),
        sku,
        place,
        bool(data.attrs["has_latent"]),
        int(data.attrs["as_known_at_s"]),
    )


def result_sha256(data: xr.Dataset, threads: int = 1) -> str:
    """SHA-256 of names, dims, coordinates and integers, whatever the file format and types.

    Over the hash of each variable, which `threads` make beside each other.
    """

    def one(name: str) -> str:
        variable = data[name]
        sha = hashlib.sha256(f"{name}|{variable.dims}|{variable.shape}|".encode())
        if np.issubdtype(variable.dtype, np.integer):
            sha.update(np.ascontiguousarray(variable.to_numpy(), dtype="<i8").data)
        else:
            sha.update(json.dumps([str(item) for item in variable.to_numpy()]).encode())
        return sha.hexdigest()

    attributes = {str(key): int(v) for key, v in data.attrs.items() if not isinstance(v, str)}
    with ThreadPoolExecutor(threads) as pool:
        content = [*pool.map(one, sorted(map(str, data.variables))), attributes]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_sha256(packages: Iterable[Path] | None = None) -> str:
    """SHA-256 over the sources that decide a result: ``policies`` and ``twin``."""
    roots = packages or (_home(policies.__file__), _home(twin.__file__))
    sha = hashlib.sha256()
    for root in roots:
        for source in sorted(
            root.rglob("*.py"), key=lambda item: item.relative_to(root).as_posix()
        ):
            sha.update(f"{root.name}/{source.relative_to(root).as_posix()}\n".encode())
            sha.update(hashlib.sha256(source.read_bytes()).digest())
    return sha.hexdigest()


def _home(file: str | None) -> Path:
    return Path(str(file)).resolve().parent


_ALWAYS = frozenset({"lines", "tours", "loads"})
"""Counters of every run, which stand in its facts."""


def manifest(
    data: xr.Dataset,
    *,
    scenario_sha256: Mapping[str, str],
    bundle_sha256: Mapping[str, str],
    data_sha256: str,
    panel_expansion: Mapping[str, object] | None = None,
    processes: Mapping[str, Sequence[int]] | None = None,
    seconds: Mapping[str, float] | None = None,
    threads: int = 1,
) -> dict[str, object]:
    """Everything needed to make the result again, as JSON values.

    ``content_sha256`` covers every key but itself and ``seconds``: wall times differ
    from run to run and say nothing about the result.

    Parameters
    ----------
    scenario_sha256 : resolved scenario's hash by scenario name
    bundle_sha256 : ``params_sha256`` by policy name
    data_sha256 : hash of the imported history or generator settings
    panel_expansion : ``ExpansionRecord.as_json()``, None where demand is not expanded
    processes : counts of :func:`process_counts`; left out where there are none
    """
    content: dict[str, object] = {
        "format": 1,
        "scenarios": [str(label) for label in data["scenario"].to_numpy()],
        "replications": data["replication"].to_numpy().tolist(),
        "seeds": np.unique(data["seed"].to_numpy()).tolist(),
        "scenario_sha256": dict(sorted(scenario_sha256.items())),
        "bundle_sha256": dict(sorted(bundle_sha256.items())),
        "data_sha256": data_sha256,
        "code_sha256": code_sha256(),
        "result_sha256": result_sha256(data, threads),
        "panel_expansion": None if panel_expansion is None else dict(panel_expansion),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _VERSIONED},
        },
    }
    if processes:
        content["processes"] = {name: list(each) for name, each in processes.items()}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return {
        **content,
        "content_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "seconds": dict(seconds or {}),
    }


def process_counts(counters: Sequence[Mapping[str, int]]) -> dict[str, list[int]]:
    """What processes that a scenario switched on have done: by name, one for each replication."""
    names = sorted({name for each in counters for name in each} - _ALWAYS)
    return {name: [each.get(name, 0) for each in counters] for name in names}


def write_manifest(content: Mapping[str, object], path: Path) -> Path:
    """Write a manifest as readable JSON with sorted keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return path
