"""A laboratory that finishes one replication each time it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from policies.domain.errors import InvalidInput
from ui.laboratory import Compared, ComparedKpi, Offer, Progress, WhatIf

BASE = WhatIf("Promoted policy", "base-stock-7", "base-stock", 0.97, 12)


@dataclass
class FixtureLaboratory:
    """Jobs in memory; figures are fixed and only for looking at."""

    queue: dict[str, tuple[Progress, WhatIf]] = field(default_factory=dict)
    refuse: bool = False
    step: int = 1

    def offer(self) -> Offer:
        incumbent = WhatIf("Incumbent", "s-S-weekly", "incumbent", 0.95, 12)
        return Offer(
            {"base-stock-7": BASE, "s-S-weekly": incumbent},
            ("base-stock", "incumbent"),
            frozenset({"base-stock"}),
        )

    def seconds(self, what: WhatIf) -> float | None:
        return 4.0 * what.replications if self.queue else None

    def as_toml(self, what: WhatIf) -> str:
        if self.refuse:
            raise InvalidInput("no such fleet", field="trucks")
        return (
            f'name = "{what.name}"\nextends = "{what.base}"\n\n[policy]\nname = "{what.policy}"\n'
            f"service_target = {what.service_target}\n\n[fleet]\ntrucks = {what.trucks}\n\n"
            f"[demand]\nfactor = {what.demand_factor}\n\n"
            f"[runs]\nreplications = {what.replications}\n"
        )

    def submit(self, what: WhatIf, person: str) -> str:
        job = f"J{len(self.queue) + 1}"
        self.queue[job] = (Progress(job, "queued", 0, what.replications), what)
        return job

    def jobs(self) -> list[tuple[Progress, str]]:
        return [(found, what.name) for found, what in reversed(self.queue.values())]

    def progress(self, job: str) -> Progress:
        found, what = self.queue[job]
        if found.is_active:
            done = min(found.done + self.step, found.total)
            state = "done" if done == found.total else "running"
            half = 0.006 / done**0.5
            found = replace(
                found,
                done=done,
                state=state,
                kpi="true_fill_rate",
                estimate=0.009,
                half_width=half,
            )
            self.queue[job] = (found, what)
        return found

    def stop(self, job: str) -> None:
        found, what = self.queue[job]
        self.queue[job] = (replace(found, state="stopped"), what)

    def result(self, job: str) -> Compared | None:
        found, what = self.queue[job]
        if found.is_active:
            return None
        rows = (
            ComparedKpi("true_fill_rate", 0.964, 0.973, 0.009, 0.004, 0.014, "better"),
            ComparedKpi("write_off_rate", 0.021, 0.019, -0.002, -0.004, 0.0003, "unclear"),
            ComparedKpi("replenishment_lead_time", 1.3, 1.1, -0.2, -0.3, -0.1, "better"),
            ComparedKpi("truck_km", 4210.0, 4385.0, 175.0, 60.0, 290.0, "worse"),
            ComparedKpi("cost_per_unit_demanded", 34.2, 33.7, -0.5, -1.1, 0.1, "unclear"),
        )
        return Compared(what.name, found.done, rows)
