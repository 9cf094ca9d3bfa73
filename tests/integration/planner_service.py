"""A service with an acting release, for tests of planning."""

from __future__ import annotations

import datetime as dt
from typing import Any

from policies.domain.decision import LineKind
from policies.release import Release, installed_source_sha256, params_sha256
from tests.integration.api_service import Rig, make_rig

EVENING = dt.timedelta(hours=7)
"""From the rig's start to the evening's cut-off."""
PARAMS: dict[str, Any] = {"reviews_per_week": 7, "warehouse_cover_days": 4.0}


def release(name: str = "base stock", policy: str = "base-stock", **changed: Any) -> Release:
    """A release of the installed code; keys of `changed` are fields or parameters."""
    fields = {key: changed.pop(key) for key in list(changed) if key in Release.__dataclass_fields__}
    params = {**PARAMS, **changed}
    values: dict[str, Any] = {
        "name": name,
        "version": "1",
        "policy": policy,
        "params": params,
        "params_sha256": params_sha256(policy, params),
        "source_sha256": installed_source_sha256(),
        "scenario_sha256": "0" * 64,
        "data_sha256": "0" * 64,
        "seeds": (1,),
        "kpis": (),
        "gate": {},
    }
    return Release(**{**values, **fields})


def activate(rig: Rig, one: Release, step: str = "activate", **body: Any) -> str:
    """Propose as planner, decide as executive; the release's id."""
    made = rig.post("planner", "/releases", {"release": one.text()})
    assert made.status_code == 201, made.json
    name = made.json["id"]
    done = rig.post("boss", f"/releases/{name}:{step}", body)
    assert done.status_code == 200, done.json
    return name


def planning_rig(folder: Any, **config: Any) -> Rig:
    """A rig that sold for a day under an active release."""
    rig = make_rig(folder, **config)
    activate(rig, release())
    sell(rig)
    return rig


def sell(rig: Rig, each: int = 8, hours: int = 3) -> None:
    """Every store sells `each` of every SKU, spread over some hours."""
    lines = []
    for place in (rig.network.locations.ids[i] for i in rig.network.stores):
        for sku in rig.network.skus.ids:
            for part in range(each):
                at = rig.clock.now + dt.timedelta(hours=hours * part / each)
                lines.append(rig.sale(place, sku, 1, occurred_at=at.isoformat()))
    rig.clock.forward(hours=hours)
    for start in range(0, len(lines), 500):
        answer = rig.post("till", "/sales:batch", {"lines": lines[start : start + 500]})
        assert answer.status_code == 200, answer.json
        assert answer.json["counts"].get("created", 0) == len(lines[start : start + 500])


def open_proposals(rig: Rig, who: str = "boss", kind: LineKind | None = None) -> list[dict]:
    """Open proposals that somebody sees."""
    rows = rig.get(who, "/proposals?state=open&limit=1000").json["proposals"]
    return [row for row in rows if kind is None or row["kind"] == kind.name.lower()]
