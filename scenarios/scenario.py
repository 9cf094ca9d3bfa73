"""Scenario files: TOML, inheritance, overrides, and errors that name file, key and remedy."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from policies.domain.errors import ScenarioInvalid
from policies.domain.nearest import nearest
from scenarios.history.splits import first_day, last_day
from scenarios.runner import Policy
from scenarios.scenario_changes import make_changes, make_new_stores
from scenarios.scenario_keys import PARTS, check_keys, check_whole, line_of, make_part
from scenarios.worlds import WorldSpec


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
            lead_time_extra_days=v.get("lead_time_extra_days", 0),
            bootstrap_days=_days(v["bootstrap_weeks"]) if "bootstrap_weeks" in v else (0, 0),
            opening_cover_days=float(v.get("opening_cover_days", 14.0)),
            seed=v.get("seed", 1),
            changes=make_changes(v),
            new_stores=make_new_stores(v),
            fleet=tuple(sorted((key, float(n)) for key, n in v.get("fleet", {}).items())),
            **{part: make_part(part, v.get(part, {})) for part in PARTS},
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
    check_whole(values, str(source))
    return ScenarioFile(values["name"], values, str(source), lineage)


def from_values(values: Mapping[str, Any], extends: str = "base") -> ScenarioFile:
    """A scenario made in a form: `values` over the library's `extends`."""
    base, lineage = _resolve(extends, ())
    check_keys(dict(values), "form")
    merged = _merge(base, dict(values))
    check_whole(merged, "form")
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
    # A file is itself, however its path is written.
    same = Path(source).resolve() if source.endswith(".toml") else source
    if same in [Path(one).resolve() if one.endswith(".toml") else one for one in seen]:
        raise ScenarioInvalid(
            f"{source} extends itself: {' → '.join((*seen, source))}",
            field="extends",
            row=line_of(source, "extends"),
            remedy="break the circle",
        )
    values, folder = _read(source)
    check_keys(values, source)
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
            raise ScenarioInvalid(
                f"no file {source}",
                field="scenario",
                row=source,
                remedy="check the path, or give the name of a scenario of the library",
            )
        text, folder = path.read_text(encoding="utf-8"), path.parent
    else:
        known = library()
        if source not in known:
            raise ScenarioInvalid(
                f"no scenario {source!r} in the library",
                field="scenario",
                remedy=nearest(source, known),
            )
        text = resources.files("scenarios.library").joinpath(f"{source}.toml").read_text("utf-8")
        folder = None
    try:
        return tomllib.loads(text), folder
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(
            f"{source} is not valid TOML: {error}", row=source, remedy="mend that line"
        ) from None


def _days(weeks: list[int]) -> tuple[int, int]:
    return first_day(weeks[0]), last_day(weeks[1])


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
