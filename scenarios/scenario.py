"""Scenario files: TOML, inheritance, overrides, and errors that name file, key and remedy."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.facts import CostModel
from policies.registry import build_bundle
from scenarios.history.splits import first_day, last_day
from scenarios.runner import Policy
from scenarios.worlds import WorldSpec
from twin.scenario import Frictions, StoreRules, WarehouseRules

_NUMBER = (int, float)
_PARTS: dict[str, type[Any]] = {
    "frictions": Frictions,
    "store": StoreRules,
    "warehouse": WarehouseRules,
    "costs": CostModel,
}
# key -> accepted types; tables of dataclasses are checked field by field
KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "about": (str,),
    "extends": (str,),
    "chain": (str,),
    "generated": (dict,),
    "weeks": (list,),
    "kpi_from_week": (int,),
    "demand": (str,),
    "panel_expansion": _NUMBER,
    "demand_factor": _NUMBER,
    "trucks_factor": _NUMBER,
    "opening_cover_days": _NUMBER,
    "replications": (int,),
    "seed": (int,),
    "policy": (dict,),
    **dict.fromkeys(_PARTS, (dict,)),
}
GENERATED_KEYS = ("stores", "skus", "days", "lines_per_store_day", "seed")


@dataclass(frozen=True)
class ScenarioFile:
    """A resolved scenario file.

    Attributes
    ----------
    name : str
    values : dict, all keys after inheritance
    source : str, path or library name
    lineage : tuple of str, this file and the ones it extends
    """

    name: str
    values: dict[str, Any]
    source: str
    lineage: tuple[str, ...]

    def sha256(self) -> str:
        """Hash of the resolved values."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    def policy(self) -> Policy:
        """The scenario's policy."""
        chosen = self.values["policy"]
        return Policy.of(chosen["name"], chosen["name"], chosen.get("params", {}))

    def world(self, chain: Path) -> WorldSpec:
        """The world on the chain in `chain`."""
        v = self.values
        first, last = v["weeks"]
        start = first_day(first)
        return WorldSpec(
            name=self.name,
            chain=str(chain),
            first_day=start,
            days=last_day(last) - start + 1,
            warmup_days=first_day(v.get("kpi_from_week", first)) - start,
            demand=v.get("demand", "replay"),
            panel_expansion=float(v.get("panel_expansion", 1.0)),
            demand_factor=float(v.get("demand_factor", 1.0)),
            trucks_factor=float(v.get("trucks_factor", 1.0)),
            opening_cover_days=float(v.get("opening_cover_days", 14.0)),
            seed=v.get("seed", 1),
            **{part: kind(**v.get(part, {})) for part, kind in _PARTS.items()},
        )


def library() -> dict[str, str]:
    """Names of the scenarios that come with the product, with what they are about."""
    found = {}
    for item in resources.files("scenarios.library").iterdir():
        if item.name.endswith(".toml"):
            found[item.name.removesuffix(".toml")] = str(
                tomllib.loads(item.read_text(encoding="utf-8")).get("about", "")
            )
    return dict(sorted(found.items()))


def load_scenario(source: str | Path) -> ScenarioFile:
    """The resolved scenario of a file, or of a name in the library.

    Raises
    ------
    ScenarioInvalid
        Unknown key (with the nearest name), wrong type, missing file, a scenario that
        extends itself, impossible numbers.
    """
    values, lineage = _resolve(str(source), ())
    _check_whole(values, str(source))
    return ScenarioFile(values["name"], values, str(source), lineage)


def from_values(values: Mapping[str, Any], extends: str = "base") -> ScenarioFile:
    """A scenario made in a form: `values` over the library's `extends`."""
    base, lineage = _resolve(extends, ())
    _check_keys(dict(values), "form")
    merged = _merge(base, dict(values))
    _check_whole(merged, "form")
    return ScenarioFile(merged["name"], merged, "form", ("form", *lineage))


def diff(a: ScenarioFile, b: ScenarioFile) -> list[dict[str, Any]]:
    """Keys whose values differ: ``[{key, a, b}]``."""
    left, right = _flat(a.values), _flat(b.values)
    return [
        {"key": key, "a": left.get(key), "b": right.get(key)}
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    ]


def _resolve(source: str, seen: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
    if source in seen:
        raise ScenarioInvalid(
            f"{source} extends itself: {' → '.join((*seen, source))}",
            field="extends",
            row=source,
            remedy="break the circle",
        )
    values, folder = _read(source)
    _check_keys(values, source)
    parent = values.pop("extends", None)
    if parent is None:
        return values, (*seen, source)
    beside = folder / parent if folder is not None else None
    target = str(beside) if beside is not None and beside.exists() else parent
    inherited, lineage = _resolve(target, (*seen, source))
    return _merge(inherited, values), lineage


def _read(source: str) -> tuple[dict[str, Any], Path | None]:
    path = Path(source)
    if path.suffix == ".toml":
        if not path.exists():
            raise ScenarioInvalid(f"no file {source}", field="extends", remedy="check the path")
        text, folder = path.read_text(encoding="utf-8"), path.parent
    else:
        known = library()
        if source not in known:
            raise ScenarioInvalid(
                f"no scenario {source!r} in the library",
                field="scenario",
                remedy=_nearest(source, known),
            )
        text = resources.files("scenarios.library").joinpath(f"{source}.toml").read_text("utf-8")
        folder = None
    try:
        return tomllib.loads(text), folder
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(
            f"{source} is not valid TOML: {error}", row=source, remedy="mend that line"
        ) from None


def _check_keys(values: dict[str, Any], source: str) -> None:
    for key, value in values.items():
        if key not in KEYS:
            raise ScenarioInvalid(
                f"{source} has the unknown key {key!r}",
                field=key,
                row=source,
                remedy=_nearest(key, KEYS),
            )
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            names = " or ".join(kind.__name__ for kind in KEYS[key])
            raise ScenarioInvalid(
                f"{source}: {key} is {value!r}, a {type(value).__name__}",
                field=key,
                row=source,
                remedy=f"give a value of type {names}",
            )
        if key in _PARTS:
            _check_table(value, [item.name for item in fields(_PARTS[key])], key, source)
    for key, known in (("generated", GENERATED_KEYS), ("policy", ("name", "params"))):
        table: dict[str, Any] = values.get(key, {})
        _check_table(table, known, key, source)


def _check_table(table: Any, known: Any, key: str, source: str) -> None:
    for name in table:
        if name not in known:
            raise ScenarioInvalid(
                f"{source} has the unknown key {key}.{name}",
                field=f"{key}.{name}",
                row=source,
                remedy=_nearest(name, known),
            )


def _check_whole(values: dict[str, Any], source: str) -> None:
    for key in ("name", "weeks", "policy"):
        if key not in values:
            raise ScenarioInvalid(
                f"{source} lacks {key}", field=key, row=source, remedy="extend 'base' or set it"
            )
    weeks = values["weeks"]
    if len(weeks) != 2 or not all(type(w) is int for w in weeks) or not 1 <= weeks[0] <= weeks[1]:
        raise ScenarioInvalid(
            f"{source}: weeks is {weeks}",
            field="weeks",
            row=source,
            remedy="give the first and the last week, as [2, 40]",
        )
    if not weeks[0] <= values.get("kpi_from_week", weeks[0]) <= weeks[1]:
        raise ScenarioInvalid(
            f"{source}: kpi_from_week lies outside weeks", field="kpi_from_week", row=source
        )
    if values.get("demand", "replay") not in ("replay", "expansion"):
        raise ScenarioInvalid(
            f"{source}: demand is {values['demand']!r}",
            field="demand",
            row=source,
            remedy="replay or expansion",
        )
    for key in ("panel_expansion", "demand_factor", "trucks_factor"):
        if values.get(key, 1) <= 0:
            raise ScenarioInvalid(f"{source}: {key} must be above 0", field=key, row=source)
    if values.get("demand_factor", 1) != 1 and values.get("demand", "replay") == "replay":
        raise ScenarioInvalid(
            f"{source}: recorded receipts can't be scaled",
            field="demand_factor",
            row=source,
            remedy="set demand = 'expansion'",
        )
    if not 1 <= values.get("replications", 1) <= 1_000:
        raise ScenarioInvalid(f"{source}: replications", field="replications", remedy="1 to 1000")
    try:
        build_bundle(values["policy"].get("name", ""), values["policy"].get("params", {}))
        for part, kind in _PARTS.items():
            kind(**values.get(part, {}))
    except InvalidInput as error:
        error.row = source
        raise
    except TypeError as error:
        raise ScenarioInvalid(f"{source}: {error}", row=source) from None


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, tables key by key; another policy drops the old parameters."""
    out = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            changes = key == "policy" and value.get("name") not in (None, out[key].get("name"))
            out[key] = value if changes else _merge(out[key], value)
        else:
            out[key] = value
    return out


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}"
