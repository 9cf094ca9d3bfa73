"""Study files: what to tune, on which weeks, with which budget, and what the gate asks."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.nearest import nearest
from scenarios.gate import GateRules
from scenarios.history.splits import first_day, last_day
from scenarios.promote import Trial
from scenarios.runner import Policy
from scenarios.scenario import ScenarioFile, load_scenario
from scenarios.tune import Study
from scenarios.worlds import WorldSpec

NOTHING = "none"
"""In a study's space: the parameter is not set (no penalty, no limit)."""
# section -> key -> (types, default); a default of None must be given
KEYS: dict[str, dict[str, tuple[tuple[type, ...], Any]]] = {
    "": {
        "name": ((str,), None),
        "about": ((str,), ""),
        "scenario": ((str,), "base"),
        "policy": ((str,), "base-stock"),
        "start": ((dict,), {}),
        "space": ((dict,), None),
        "weeks": ((dict,), None),
        "budget": ((dict,), {}),
        "gate": ((dict,), {}),
    },
    "weeks": {
        "tune": ((list,), None),
        "search_from": ((int,), 0),
        "gate": ((list,), None),
        "warmup": ((int,), 8),
    },
    "budget": {
        "evaluations": ((int,), 24),
        "finalists": ((int,), 2),
        "replications": ((int,), 1),
        "workers": ((int,), 2),
        "fill_slack": ((int, float), 0.001),
        "method": ((str,), "coordinate"),
        "seed": ((int,), 1),
        "indifference": ((int, float), 0.005),
    },
    "gate": {
        "replications": ((int,), 2),
        "bootstrap_replications": ((int,), 0),
        **{item.name: ((int, float), item.default) for item in fields(GateRules)},
        "margin_factors": ((list,), list(GateRules.margin_factors)),
        "rate_factors": ((list,), list(GateRules.rate_factors)),
    },
}


@dataclass(frozen=True)
class StudyFile:
    """A checked study file.

    Attributes
    ----------
    values : dict, all keys, defaults filled in
    scenario : ScenarioFile, its world, and its policy as the incumbent
    """

    name: str
    values: dict[str, Any]
    scenario: ScenarioFile
    source: str

    def sha256(self) -> str:
        """Hash of the study with its resolved scenario."""
        text = json.dumps([self.values, self.scenario.values], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def incumbent(self) -> Policy:
        """The scenario's policy."""
        return replace(self.scenario.policy(), label="incumbent")

    def world(self, chain: Path, name: str, first: int, last: int, kpi_from: int) -> WorldSpec:
        """The scenario's world over weeks `first` … `last`, KPIs from `kpi_from` on."""
        start = first_day(first)
        return replace(
            self.scenario.world(chain),
            name=name,
            first_day=start,
            days=last_day(last) - start + 1,
            warmup_days=first_day(kpi_from) - start,
        )

    def study(self, chain: Path) -> Study:
        """The search: the last weeks for its rounds, all weeks for the finalists."""
        weeks, budget = self.values["weeks"], self.values["budget"]
        first, last = weeks["tune"]
        settle = weeks["warmup"]
        search_from = weeks["search_from"] or first
        begin = max(first, search_from - settle)
        return Study(
            policy=self.values["policy"],
            start=self.values["start"],
            space=self.values["space"],
            search_world=self.world(chain, "search", begin, last, search_from),
            final_world=self.world(
                chain, "tuning weeks", first, last, min(first + settle, search_from)
            ),
            incumbent=self.incumbent,
            **budget,
        )

    def trial(self, chain: Path, params: Mapping[str, Any]) -> Trial:
        """The gate on weeks that the search did not see."""
        weeks, gate = self.values["weeks"], dict(self.values["gate"])
        begin, last = weeks["gate"]
        first = weeks["tune"][0]
        runs = {key: gate.pop(key) for key in ("replications", "bootstrap_replications")}
        lists = {key: tuple(gate[key]) for key in ("margin_factors", "rate_factors")}
        rules = GateRules(**{**gate, **lists})
        return Trial(
            incumbent=self.incumbent,
            candidate=Policy.of("winner", self.values["policy"], dict(params)),
            long=self.world(chain, "gate weeks", first, last, begin),
            short=self.world(
                chain, "gate weeks, short", max(first, begin - weeks["warmup"]), last, begin
            ),
            workers=self.values["budget"]["workers"],
            rules=rules,
            **runs,
        )


def read_study(path: Path) -> dict[str, Any]:
    """The tables of a study's TOML file, not yet looked at."""
    if not path.exists():
        raise ScenarioInvalid(f"no file {path}", field="study", remedy="check the path")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(
            f"{path} is not valid TOML: {error}", row=str(path), remedy="mend that line"
        ) from None


def load_study(path: Path) -> StudyFile:
    """The study of a TOML file.

    Raises
    ------
    ScenarioInvalid
        Unknown key (with the nearest name), wrong type, weeks of the gate that tuning sees.
    """
    raw = read_study(path)
    values = _filled(raw, "", str(path))
    for section in ("weeks", "budget", "gate"):
        values[section] = _filled(values[section], section, str(path))
    _check_weeks(values["weeks"], str(path))
    beside = path.parent / values["scenario"]
    scenario = load_scenario(beside if beside.suffix == ".toml" else values["scenario"])
    found = StudyFile(values["name"], values, scenario, str(path))
    try:
        # Everything is built once, on no chain: a typing error costs no run.
        found.study(Path())
        found.trial(Path(), values["start"])
    except InvalidInput as error:
        error.row = str(path)
        raise
    return found


def _filled(given: dict[str, Any], section: str, source: str) -> dict[str, Any]:
    """`given` with defaults; every key known, every type right."""
    known, prefix = KEYS[section], f"{section}." if section else ""
    for key, value in given.items():
        if key not in known:
            raise ScenarioInvalid(
                f"{source} has the unknown key {prefix}{key}",
                field=prefix + key,
                row=source,
                remedy=nearest(key, known),
            )
        kinds = known[key][0]
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ScenarioInvalid(
                f"{source}: {prefix}{key} is {value!r}",
                field=prefix + key,
                row=source,
                remedy=f"give a value of type {' or '.join(kind.__name__ for kind in kinds)}",
            )
    for key, (_, default) in known.items():
        if default is None and key not in given:
            raise ScenarioInvalid(
                f"{source} lacks {prefix}{key}", field=prefix + key, row=source, remedy="set it"
            )
    filled = {key: given.get(key, default) for key, (_, default) in known.items()}
    if section == "":
        _check_space(given["space"], source)
        # TOML has no word for nothing, and "no limit" has to be among the values.
        filled["space"] = {
            name: [None if one == NOTHING else one for one in values]
            for name, values in given["space"].items()
        }
    return filled


def _check_space(space: dict[str, Any], source: str) -> None:
    for name, values in space.items():
        if not isinstance(values, list) or not values:
            raise ScenarioInvalid(
                f"{source}: space.{name} is {values!r}",
                field=f"space.{name}",
                row=source,
                remedy="give a list of values to try",
            )


def _check_weeks(weeks: dict[str, Any], source: str) -> None:
    for key in ("tune", "gate"):
        pair = weeks[key]
        if len(pair) != 2 or not all(type(w) is int for w in pair) or not 1 <= pair[0] <= pair[1]:
            raise ScenarioInvalid(
                f"{source}: weeks.{key} is {pair}",
                field=f"weeks.{key}",
                row=source,
                remedy="give the first and the last week, as [2, 40]",
            )
    if weeks["gate"][0] <= weeks["tune"][1]:
        raise ScenarioInvalid(
            f"{source}: the gate's weeks {weeks['gate']} begin before tuning's {weeks['tune']} end",
            field="weeks.gate",
            row=source,
            remedy="judge on weeks that tuning never saw",
        )
    first, last = weeks["tune"]
    if weeks["search_from"] and not first <= weeks["search_from"] <= last:
        raise ScenarioInvalid(
            f"{source}: weeks.search_from is {weeks['search_from']}",
            field="weeks.search_from",
            row=source,
            remedy=f"a week of {weeks['tune']}",
        )
