"""The laboratory behind the planner's page: what-ifs as jobs of :mod:`scenarios.jobs`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.domain.network import Network
from policies.registry import FRACTILES, RECIPES, defaults
from scenarios import jobs
from scenarios.scenario import from_values
from ui.laboratory import Compared, ComparedKpi, Offer, Progress, WhatIf

POLICIES = ("base-stock", "capped-base-stock", "incumbent")
VERDICTS = {"better": "better", "worse": "worse"}
SHOWN_KPIS = (
    "true_fill_rate",
    "on_shelf_availability",
    "stockout_rate",
    "cost_per_unit_demanded",
    "stock_turn",
    "days_of_supply",
    "replenishment_lead_time",
    "write_off_rate",
    "truck_km",
    "empty_km_share",
    "cost_per_case",
    "co2e_per_unit_sold",
    "stock_record_accuracy",
    "latent_record_accuracy",
    "clerk_minutes_per_100_handled",
)


@dataclass(frozen=True)
class Base:
    """Something a what-if is compared with.

    Attributes
    ----------
    policy : str, registered name
    params : mapping, flat parameters
    """

    policy: str
    params: Mapping[str, Any]

    @property
    def service_target(self) -> float:
        """Mean fractile of the classes; what the form's slider starts from."""
        full = {**defaults(self.policy), **self.params}
        given = [float(full[name]) for name in FRACTILES if name in full]
        return round(sum(given) / len(given), 3) if given else 0.95


@dataclass(frozen=True)
class Setting:
    """The world that every what-if of this page is run in.

    Attributes
    ----------
    chain : str, folder of the chain
    weeks : (first, last) week, inclusive
    kpi_from_week : int
    panel_expansion : float
    seed : int
    trucks : int, trucks at each warehouse today
    """

    chain: str
    weeks: tuple[int, int]
    kpi_from_week: int
    panel_expansion: float
    seed: int
    trucks: int

    @classmethod
    def of(
        cls,
        chain: Path,
        network: Network,
        weeks: tuple[int, int],
        kpi_from_week: int,
        panel_expansion: float,
        seed: int,
    ) -> Setting:
        """The setting of a chain; trucks are the mean over its warehouses."""
        trucks = max(round(float(network.fleet.trucks.mean())), 1)
        return cls(str(chain), weeks, kpi_from_week, panel_expansion, seed, trucks)


class JobLaboratory:
    """What-ifs over one chain.

    Parameters
    ----------
    setting : Setting
    bases : mapping of a label to what it stands for, the default first
    folder : Path, where the jobs are kept
    """

    def __init__(
        self, setting: Setting, bases: Mapping[str, Base], folder: Path = jobs.JOBS
    ) -> None:
        self._setting, self._bases, self._folder = setting, dict(bases), folder

    def offer(self) -> Offer:
        """What can be tried here."""
        first, last = self._setting.kpi_from_week, self._setting.weeks[1]
        bases = {
            label: WhatIf(label, label, base.policy, base.service_target, self._setting.trucks)
            for label, base in self._bases.items()
        }
        steered = frozenset(name for name in RECIPES if FRACTILES[0] in defaults(name))
        most = max(3 * self._setting.trucks, 10)
        days = (last - first + 1) * 7
        return Offer(bases, POLICIES, steered, max_trucks=most, max_replications=20, days=days)

    def seconds(self, what: WhatIf) -> float | None:
        """Run time by the newest finished what-if here."""
        for state in jobs.list_jobs(self._folder):
            if state["state"] == "done":
                found = jobs.result(state["id"], self._folder)
                return float(found["seconds"]) / int(found["replications"]) * what.replications
        return None

    def as_toml(self, what: WhatIf) -> str:
        """The scenario file of the same object, checked as the command line would."""
        values = self._values(what)
        from_values(values)
        return f'extends = "base"\n{_toml(values)}'

    def submit(self, what: WhatIf, person: str) -> str:
        """Start it in a worker process."""
        base = self._bases[what.base]
        form = {
            "name": what.name,
            "scenario": self._values(what),
            "compare_with": {"name": base.policy, "params": dict(base.params)},
            "replications": what.replications,
            "asked_by": person,
        }
        return jobs.submit(form, self._folder)

    def jobs(self) -> list[tuple[Progress, str]]:
        """All jobs, newest first."""
        return [(_progress(one), str(one["name"])) for one in jobs.list_jobs(self._folder)]

    def progress(self, job: str) -> Progress:
        """How far a job is."""
        return _progress(jobs.status(job, self._folder))

    def stop(self, job: str) -> None:
        """End a job."""
        jobs.stop(job, self._folder)

    def result(self, job: str) -> Compared | None:
        """The compared table of a finished job."""
        if jobs.status(job, self._folder)["state"] != "done":
            return None
        found = jobs.result(job, self._folder)
        by_name = {row["name"]: row for row in found["kpis"]}
        rows = [_row(by_name[name]) for name in SHOWN_KPIS if name in by_name]
        return Compared(str(found["name"]), int(found["replications"]), tuple(rows))

    def _values(self, what: WhatIf) -> dict[str, Any]:
        base, setting = self._bases[what.base], self._setting
        params = dict(base.params) if what.policy == base.policy else {}
        if FRACTILES[0] in defaults(what.policy) and (
            what.policy != base.policy or what.service_target != base.service_target
        ):
            params |= dict.fromkeys(FRACTILES, what.service_target)
        return {
            "name": what.name,
            "chain": setting.chain,
            "weeks": list(setting.weeks),
            "kpi_from_week": setting.kpi_from_week,
            "demand": "expansion",
            "panel_expansion": float(setting.panel_expansion),
            "demand_factor": float(what.demand_factor),
            "trucks_factor": what.trucks / setting.trucks,
            "seed": setting.seed,
            "replications": what.replications,
            "policy": {"name": what.policy, "params": params},
        }


def _progress(state: dict[str, Any]) -> Progress:
    half = state.get("half_width")
    return Progress(
        str(state["id"]),
        str(state["state"]),
        int(state.get("done", 0)),
        int(state.get("whole", 0)),
        str(state.get("headline", "")),
        float(state.get("estimate", float("nan"))),
        float("nan") if half is None else float(half),
        str(state.get("error", "")),
    )


def _row(row: dict[str, Any]) -> ComparedKpi:
    return ComparedKpi(
        row["name"],
        row["incumbent"],
        row["winner"],
        row["difference"],
        row["low"],
        row["high"],
        VERDICTS.get(row["verdict"], "unclear"),
    )


def _toml(values: Mapping[str, Any], table: str = "") -> str:
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
        if not isinstance(value, dict)
    ]
    text = "\n".join(lines) + "\n"
    for key, value in values.items():
        if isinstance(value, dict) and value:
            name = f"{table}.{key}" if table else key
            text += f"\n[{name}]\n{_toml(value, name)}"
    return text
