"""What a scenario file may say: keys, types, limits, and where a fault stands."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from policies.domain.carbon import CarbonFactors
from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.facts import CostModel
from policies.domain.nearest import nearest
from policies.registry import build_bundle
from scenarios.changes import FLEET_KEYS
from scenarios.history.generate import PRESETS
from scenarios.history.preset_industries import FORMATS
from scenarios.scenario_changes import make_changes, make_new_stores
from twin.goods_rules import Conversion, GoodsReturns, Misplacement, Recall, RiskCounts
from twin.processes import (
    BreakdownRules,
    CraneRules,
    CustomerReturns,
    DeliveryRules,
    DriverRules,
    MarkdownRules,
    MarkovDisruption,
    ShelfRules,
    Substitution,
    ToteRules,
    TrafficRules,
)
from twin.scenario import (
    CheckoutRules,
    Disruptions,
    Frictions,
    Perishables,
    StoreRules,
    WarehouseRules,
)

_NUMBER = (int, float)
PARTS: dict[str, type[Any]] = {
    "frictions": Frictions,
    "store": StoreRules,
    "warehouse": WarehouseRules,
    "perishables": Perishables,
    "disruptions": Disruptions,
    "checkout": CheckoutRules,
    "asrs": CraneRules,
    "deliveries": DeliveryRules,
    "breakdowns": BreakdownRules,
    "traffic": TrafficRules,
    "drivers": DriverRules,
    "substitution": Substitution,
    "customer_returns": CustomerReturns,
    "goods_returns": GoodsReturns,
    "recalls": Recall,
    "conversions": Conversion,
    "misplacement": Misplacement,
    "risk_counts": RiskCounts,
    "shelf": ShelfRules,
    "markdown": MarkdownRules,
    "totes": ToteRules,
    "costs": CostModel,
    "carbon": CarbonFactors,
}
LISTS = ("recalls", "conversions")
"""Parts that are lists of tables, as ``[[recalls]]``."""
# key -> accepted types; tables of dataclasses are checked field by field
KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "about": (str,),
    "extends": (str,),
    "chain": (str,),
    "generated": (dict,),
    "weeks": (list,),
    "bootstrap_weeks": (list,),
    "kpi_from_week": (int,),
    "demand": (str,),
    "panel_expansion": _NUMBER,
    "demand_factor": _NUMBER,
    "trucks_factor": _NUMBER,
    "lead_time_extra_days": (int,),
    "opening_cover_days": _NUMBER,
    "replications": (int,),
    "seed": (int,),
    "policy": (dict,),
    **dict.fromkeys(PARTS, (dict,)),
    "disruptions": (dict, list),
    **dict.fromkeys(LISTS, (list,)),
    "changes": (list,),
    "new_stores": (list,),
    "fleet": (dict,),
}
DISRUPTION_KINDS: dict[str, type[Any]] = {"dated": Disruptions, "markov": MarkovDisruption}
"""What a table of ``[[disruptions]]`` may be; a plain ``[disruptions]`` is a dated one."""
GENERATED: dict[str, tuple[type, ...]] = {
    "stores": (int,),
    "skus": (int,),
    "days": (int,),
    "lines_per_store_day": _NUMBER,
    "seed": (int,),
    "preset": (str,),
    "formats": (dict,),
}
SELECTORS: dict[str, dict[str, tuple[type, ...]]] = {
    "stores": {"ids": (list, str), "region": (list, str), "share": _NUMBER},
    "skus": {"ids": (list, str), "category": (list, str), "share": _NUMBER},
}
CHANGES: dict[str, dict[str, tuple[type, ...]]] = {
    "changes": {
        "stores": (dict,),
        "skus": (dict,),
        "from_day": (int,),
        "days": (int,),
        "demand_factor": _NUMBER,
        "opens": (str,),
        "closes": (str,),
    },
    "new_stores": {
        "id": (str,),
        "like": (str,),
        "from_day": (int,),
        "share": _NUMBER,
        "takes": _NUMBER,
    },
}
POLICY: dict[str, tuple[type, ...]] = {"name": (str,), "params": (dict,)}
DEMANDS = ("replay", "unconstrained", "expansion", "bootstrap")
_ANNOTATED: dict[str, tuple[type, ...]] = {
    "float": _NUMBER,
    "int": (int,),
    "bool": (bool,),
    "str": (str,),
    "tuple[float, ...]": (list,),
    "tuple[str, ...]": (list,),
    "tuple[tuple[str, float], ...]": (dict,),
    "tuple[tuple[str, tuple[tuple[str, float], ...]], ...]": (dict,),
}


_NAMED: dict[str, tuple[type, ...]] = {"allocation": (str,), "delivery_patterns": (dict,)}


def check_keys(values: dict[str, Any], source: str) -> None:
    """Every key known, every value of a type it can have, every number a number."""
    _check_table(values, KEYS, "", source)
    _check_lists_of_tables(values, source)
    for key, kind in PARTS.items():
        for table in _tables(values, key):
            which = _kind_of(table, source) if key == "disruptions" else kind
            known = {
                item.name: _ANNOTATED[str(item.type)]
                for item in fields(which)
                if str(item.type) in _ANNOTATED
            }
            extra: dict[str, tuple[type, ...]] = {"kind": (str,)} if key == "disruptions" else {}
            _check_table(table, known | extra, f"{key}.", source)
            _check_lists(table, which, key, source)
    for key, known in CHANGES.items():
        for entry in values.get(key, []):
            if not isinstance(entry, dict):
                raise _wrong(key, entry, f"table, as [[{key}]]", source)
            _check_table(entry, known, f"{key}.", source)
            for name in SELECTORS.keys() & known.keys() & entry.keys():
                _check_table(entry[name], SELECTORS[name], f"{key}.{name}.", source)
    _check_table(values.get("fleet", {}), dict.fromkeys(FLEET_KEYS, _NUMBER), "fleet.", source)
    made = values.get("generated", {})
    _check_table(made, GENERATED, "generated.", source)
    shares = dict.fromkeys(FORMATS, _NUMBER)
    _check_table(made.get("formats", {}), shares, "generated.formats.", source)
    if made.get("preset", PRESETS[0]) not in PRESETS:
        raise ScenarioInvalid(
            f"{source}: there is no preset {made['preset']!r}",
            field="generated.preset",
            row=line_of(source, "preset"),
            remedy=nearest(made["preset"], PRESETS),
        )
    policy = values.get("policy", {})
    _check_table(policy, POLICY, "policy.", source)
    for key, value in policy.get("params", {}).items():
        # A name, as of an allocation, is judged by the registry, which knows them all.
        # So are weekdays by store, by the delivery calendar.
        if isinstance(value, _NAMED.get(key, ())):
            continue
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise _wrong(f"policy.params.{key}", value, "number or boolean", source)


def _check_lists_of_tables(values: dict[str, Any], source: str) -> None:
    for key in ("disruptions", *LISTS):
        for entry in values.get(key, []):
            if isinstance(values[key], list) and not isinstance(entry, dict):
                raise _wrong(key, entry, f"table, as [[{key}]]", source)


def _tables(values: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """The tables of a part: one, or each of ``[[part]]``."""
    found = values.get(part, {})
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else [found]


def _kind_of(table: dict[str, Any], source: str) -> type[Any]:
    name = str(table.get("kind", "dated"))
    if name not in DISRUPTION_KINDS:
        raise ScenarioInvalid(
            f"{source}: disruptions.kind is {name!r}",
            field="disruptions.kind",
            row=line_of(source, "kind"),
            remedy=nearest(name, DISRUPTION_KINDS),
        )
    return DISRUPTION_KINDS[name]


def _check_lists(table: dict[str, Any], kind: type[Any], part: str, source: str) -> None:
    """Every item of a list, or of a table of numbers, of the type that it is of."""
    for item in fields(kind):
        if str(item.type) == "tuple[tuple[str, float], ...]":
            known = dict.fromkeys(table.get(item.name, {}), _NUMBER)
            _check_table(table.get(item.name, {}), known, f"{part}.{item.name}.", source)
            continue
        if str(item.type) == "tuple[tuple[str, tuple[tuple[str, float], ...]], ...]":
            rows = table.get(item.name, {})
            _check_table(rows, dict.fromkeys(rows, (dict,)), f"{part}.{item.name}.", source)
            for key, row in rows.items():
                _check_table(row, dict.fromkeys(row, _NUMBER), f"{part}.{item.name}.{key}.", source)
            continue
        wanted = _NUMBER if str(item.type) == "tuple[float, ...]" else (str,)
        for value in table.get(item.name, []) if str(item.type).startswith("tuple[") else []:
            is_number = isinstance(value, wanted) and not isinstance(value, bool)
            if not is_number or (wanted is _NUMBER and not math.isfinite(value)):
                names = "number" if wanted is _NUMBER else "text"
                raise _wrong(f"{part}.{item.name}", value, f"list of {names}", source)


def make_part(part: str, value: dict[str, Any] | list[dict[str, Any]]) -> Any:
    """The rules that a table of a scenario file stands for.

    Parameters
    ----------
    part : str, a key of :data:`PARTS`
    value : dict, or a list of them for ``[[disruptions]]``
    """
    if part != "disruptions" and part not in LISTS:
        return _rules(PARTS[part], value if isinstance(value, dict) else {})
    tables = value if isinstance(value, list) else [value]
    if part in LISTS:
        return tuple(_rules(PARTS[part], table) for table in tables if table)
    made: dict[str, list[Any]] = {name: [] for name in DISRUPTION_KINDS}
    for table in tables:
        name = table.get("kind", "dated")
        plain = {key: item for key, item in table.items() if key != "kind"}
        made[name].append(_rules(DISRUPTION_KINDS[name], plain))
    first, *others = made["dated"] or [Disruptions()]
    return replace(first, others=tuple(others), markov=tuple(made["markov"]))


def _rules(kind: type[Any], table: dict[str, Any]) -> Any:
    return kind(**{key: _fixed(value) for key, value in table.items()})


def _fixed(value: Any) -> Any:
    """Lists as tuples, tables as sorted tuples of pairs."""
    if isinstance(value, dict):
        return tuple((key, _fixed(value[key])) for key in sorted(value))
    return tuple(_fixed(item) for item in value) if isinstance(value, list) else value


def _check_table(
    table: dict[str, Any], known: Mapping[str, tuple[type, ...]], prefix: str, source: str
) -> None:
    for key, value in table.items():
        if key not in known:
            raise ScenarioInvalid(
                f"{source} has the unknown key {prefix}{key}",
                field=prefix + key,
                row=line_of(source, key),
                remedy=nearest(key, known),
            )
        kinds = known[key]
        is_flag = isinstance(value, bool) and bool not in kinds
        is_endless = isinstance(value, float) and not math.isfinite(value)
        if is_flag or is_endless or not isinstance(value, kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise _wrong(prefix + key, value, names, source)


def _wrong(field: str, value: Any, wanted: str, source: str) -> ScenarioInvalid:
    return ScenarioInvalid(
        f"{source}: {field} is {value!r}, a {type(value).__name__}",
        field=field,
        row=line_of(source, field.rpartition(".")[2]),
        remedy=f"give a value of type {wanted}",
    )


def line_of(source: str, key: str) -> str:
    """``file:line`` of the first line that sets `key`, or the source alone."""
    path = Path(source)
    if path.suffix == ".toml" and path.exists():
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(rf"(^|[\s{{,\[.]){re.escape(key)}[\"']?\s*(=|\])", text):
                return f"{source}:{number}"
    return source


def _check_weeks(values: dict[str, Any], key: str, source: str) -> None:
    weeks = values[key]
    if len(weeks) != 2 or not all(type(w) is int for w in weeks) or not 1 <= weeks[0] <= weeks[1]:
        raise ScenarioInvalid(
            f"{source}: {key} is {weeks}",
            field=key,
            row=line_of(source, key),
            remedy="give the first and the last week, as [2, 40]",
        )


def _check_demand(values: dict[str, Any], source: str) -> None:
    """What the demand is drawn from, and what can be drawn from it."""
    demand = values.get("demand", "replay")

    def refuse(detail: str, key: str, remedy: str) -> ScenarioInvalid:
        return ScenarioInvalid(
            f"{source}: {detail}", field=key, row=line_of(source, key), remedy=remedy
        )

    if demand not in DEMANDS:
        raise refuse(f"demand is {demand!r}", "demand", nearest(demand, DEMANDS))
    if values.get("demand_factor", 1) != 1 and demand in {"replay", "unconstrained"}:
        raise refuse(
            "recorded receipts can't be scaled", "demand_factor", "set demand = 'expansion'"
        )
    if (demand == "bootstrap") != ("bootstrap_weeks" in values):
        raise refuse(
            "bootstrap demand and the weeks it is drawn from belong together",
            "bootstrap_weeks",
            "set demand = 'bootstrap' and bootstrap_weeks = [first, last]",
        )
    if demand == "bootstrap":
        _check_weeks(values, "bootstrap_weeks", source)
        if values["bootstrap_weeks"][1] >= values["weeks"][0]:
            raise refuse(
                "bootstrap_weeks reach into the simulated weeks",
                "bootstrap_weeks",
                "draw from weeks before the first simulated one",
            )


def check_whole(values: dict[str, Any], source: str) -> None:
    """What can only be said of all keys together."""
    for key in ("name", "weeks", "policy"):
        if key not in values:
            raise ScenarioInvalid(
                f"{source} lacks {key}", field=key, row=source, remedy="extend 'base' or set it"
            )
    _check_weeks(values, "weeks", source)
    weeks = values["weeks"]
    _check_demand(values, source)
    limits: tuple[tuple[str, float, float], ...] = (
        ("kpi_from_week", weeks[0], weeks[1]),
        ("replications", 1, 1_000),
        ("seed", 0, 2**63),
        ("lead_time_extra_days", 0, 365),
        ("opening_cover_days", 0, 1_000),
        ("panel_expansion", 1e-6, 1e6),
        ("demand_factor", 1e-6, 1e6),
        ("trucks_factor", 1e-6, 1e6),
    )
    for key, low, high in limits:
        if key in values and not low <= values[key] <= high:
            raise ScenarioInvalid(
                f"{source}: {key} is {values[key]}",
                field=key,
                row=line_of(source, key),
                remedy=f"{low:g} to {high:g}",
            )
    for part in PARTS:
        for key, value in [item for table in _tables(values, part) for item in table.items()]:
            if isinstance(value, _NUMBER) and value < 0:
                raise ScenarioInvalid(
                    f"{source}: {part}.{key} is {value}",
                    field=f"{part}.{key}",
                    row=line_of(source, key),
                    remedy="0 or more",
                )
    try:
        build_bundle(values["policy"].get("name", ""), values["policy"].get("params", {}))
        for part in PARTS:
            make_part(part, values.get(part, {}))
        make_changes(values)
        make_new_stores(values)
    except InvalidInput as error:
        error.row = source if error.field is None else line_of(source, error.field.split(".")[-1])
        raise
