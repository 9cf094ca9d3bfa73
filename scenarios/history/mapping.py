"""Mapping files: how a retailer's columns become the import contract's.

A mapping is TOML. ``extends = "poslog"`` takes over a ready mapping and changes single
keys, so that a chain with another zone or column name writes three lines.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from policies.domain.errors import ImportRefused

KINDS = ("sale", "return", "void", "adjust")
SALES_COLUMNS = (
    "store_id", "sku_id", "ts", "date", "hour", "qty", "unit_price", "line_value", "discount",
    "basket_id", "kind", "unit",
)  # fmt: skip
SIDE_COLUMNS = {
    "items": (
        "sku_id", "category", "subcategory", "name", "size", "gtin", "pack_size", "unit_cost",
        "shelf_life_days", "mass_g", "volume_cm3",
    ),
    "stores": ("store_id", "name", "kind", "lat", "lon", "tz", "opens", "closes"),
    "stockouts": ("store_id", "sku_id", "start", "end"),
    "promotions": ("store_id", "sku_id", "start", "end", "kind", "depth"),
    "calendar": ("date", "holiday", "event", "week"),
    "prices": ("store_id", "sku_id", "week", "price"),
}  # fmt: skip
NEEDED = {
    "items": ("sku_id",), "stores": ("store_id",), "calendar": ("date",),
    "stockouts": ("store_id", "sku_id", "start", "end"), "promotions": ("sku_id", "start", "end"),
    "prices": ("store_id", "sku_id", "week", "price"),
}  # fmt: skip
FRACTIONS = ("refuse", "grams", "scale")
COORDINATES = ("WGS-84", "GCJ-02", "BD-09")
Columns = dict[str, str | list[str]]
T = TypeVar("T")


@dataclass(frozen=True)
class FileForm:
    """How text files are written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."


@dataclass(frozen=True)
class Test:
    """One condition on a source column; a rule fits where all of its tests do."""

    column: str
    equals: tuple[str, ...] | None = None
    matches: str | None = None
    above: float | None = None
    below: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Rule:
    """What happens to a line that fits: another kind, or rejection with a reason."""

    when: tuple[Test, ...]
    kind: str | None = None
    reject: str | None = None


@dataclass(frozen=True)
class Wide:
    """Columns that are periods: hours of the row's date, or days from a first date.

    Attributes
    ----------
    columns : regular expression with one group, the period's number
    period : "hour" or "day"
    first : ISO date of the column numbered `origin` (days only)
    """

    columns: str
    period: str = "hour"
    first: str = ""
    origin: int = 1


@dataclass(frozen=True)
class DayFlags:
    """Columns of a store × SKU × day row that say more than sales (``""`` = none)."""

    stockout_bits: str = ""
    promotion: str = ""
    price_share: str = ""
    holiday: str = ""


@dataclass(frozen=True)
class Sales:
    """The sales table.

    Attributes
    ----------
    columns : contract name -> source column, or several that are joined
    constants : contract name -> value for all rows
    zone : "local", "offset" (written in each value) or an IANA name
    time_formats : strptime formats, tried in order; none = ISO 8601
    fraction : "refuse", "grams" (see `weight_units`) or "scale" (units = round(qty / scale))
    weight_units : value of the `unit` column -> base units of one; others count pieces
    negative : "return" or "reject": what a quantity below 0 of no other kind is
    unknown_skus : "reject" or "keep": lines of SKUs the items table lacks
    bad_values : "refuse" the import at the first unreadable value, or "reject" its row
    from_hour, to_hour : day sales without a time are spread evenly over these hours
    """

    columns: Columns
    files: str = "*"
    query: str = ""
    package: str = ""
    constants: dict[str, str] = field(default_factory=dict)
    zone: str = "local"
    time_formats: tuple[str, ...] = ()
    fraction: str = "refuse"
    scale: float = 1.0
    weight_units: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    negative: str = "return"
    unknown_skus: str = "reject"
    bad_values: str = "refuse"
    item: dict[str, str] = field(default_factory=dict)
    wide: Wide | None = None
    flags: DayFlags = DayFlags()
    from_hour: int = 8
    to_hour: int = 21


@dataclass(frozen=True)
class SideTable:
    """One of the contract's smaller tables."""

    columns: Columns
    files: str = ""
    package: str = ""
    coordinates: str = "WGS-84"
    reject: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """A whole mapping file."""

    name: str
    tz: str
    sales: Sales
    tables: dict[str, SideTable]
    currency: str = "USD"
    country: str = ""
    file: FileForm = FileForm()
    notes: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""


def ready_mappings() -> tuple[str, ...]:
    """Names of the mappings that come with the product."""
    folder = resources.files("scenarios.history") / "mappings"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def load_mapping(mapping: str | Path) -> Mapping:
    """The ready mapping of that name, or the mapping file at that path.

    Raises
    ------
    ImportRefused
        With the key at fault and the nearest known one.
    """
    return _build(_resolved(mapping, ()), str(mapping))


def _resolved(mapping: str | Path, seen: tuple[str, ...]) -> dict[str, Any]:
    name = str(mapping)
    if name in seen:
        raise ImportRefused(f"mapping {name} extends itself", field="extends")
    if name in ready_mappings():
        text = (resources.files("scenarios.history") / "mappings" / f"{name}.toml").read_text(
            "utf-8"
        )
    elif Path(mapping).is_file():
        text = Path(mapping).read_text(encoding="utf-8")
    else:
        raise ImportRefused(
            f"no mapping {name!r}{nearest(name, ready_mappings())}",
            field="mapping",
            remedy=f"a mapping file, or one of {', '.join(ready_mappings())}",
        )
    try:
        own = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ImportRefused(f"{name} is no TOML: {fault}", field="mapping") from None
    base = own.pop("extends", None)
    return own if base is None else _merged(_resolved(base, (*seen, name)), own)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], value) if both else value
    return out


def _build(raw: dict[str, Any], origin: str) -> Mapping:
    sha = hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()
    raw = dict(raw)
    side = {name: raw.pop(name) for name in SIDE_COLUMNS if name in raw}
    sales = raw.pop("sales", None)
    if sales is None:
        raise ImportRefused(f"mapping {origin} has no [sales] table", field="sales")
    form = _make(FileForm, raw.pop("file", {}), "file")
    made = Mapping(
        raw.pop("name", origin),
        raw.pop("tz", ""),
        _sales(sales),
        {name: _side(name, table) for name, table in side.items()},
        raw.pop("currency", "USD"),
        raw.pop("country", ""),
        form,
        raw.pop("notes", {}),
        sha,
    )
    for key in raw:
        known = [f.name for f in fields(Mapping)] + list(SIDE_COLUMNS)
        raise ImportRefused(f"unknown key {key!r}{nearest(key, known)}", field=key)
    check_zone(made.tz, "tz")
    if made.sales.zone not in {"local", "offset"}:
        check_zone(made.sales.zone, "sales.zone")
    return made


def _sales(raw: dict[str, Any]) -> Sales:
    raw = dict(raw)
    rules = tuple(_rule(rule, f"sales.rules.{n}") for n, rule in enumerate(raw.pop("rules", [])))
    wide = raw.pop("wide", None)
    flags = _make(DayFlags, raw.pop("flags", {}), "sales.flags")
    raw["time_formats"] = tuple(raw.get("time_formats", ()))
    raw["columns"] = _used(raw.get("columns", {}))
    out = _make(
        Sales,
        {
            **raw,
            "rules": rules,
            "flags": flags,
            "wide": None if wide is None else _make(Wide, wide, "sales.wide"),
        },
        "sales",
    )
    given = set(out.columns) | set(out.constants)
    _known_columns(given, SALES_COLUMNS, "sales.columns")
    for name in ("store_id", "sku_id"):
        if name not in given:
            raise ImportRefused(f"no column for {name}", field=f"sales.columns.{name}")
    if not given & {"ts", "date"} and (out.wide is None or out.wide.period != "day"):
        raise ImportRefused("no column for the time", field="sales.columns.ts")
    if "qty" not in given and out.wide is None:
        raise ImportRefused("no column for qty", field="sales.columns.qty")
    _one_of(out.fraction, FRACTIONS, "sales.fraction")
    _one_of(out.negative, ("return", "reject"), "sales.negative")
    _one_of(out.unknown_skus, ("reject", "keep"), "sales.unknown_skus")
    _one_of(out.bad_values, ("refuse", "reject"), "sales.bad_values")
    for kind in (*out.kinds.values(), *(rule.kind for rule in rules if rule.kind)):
        _one_of(kind, KINDS, "sales.kinds")
    if not 0 <= out.from_hour < out.to_hour <= 24:
        raise ImportRefused("from_hour is not before to_hour", field="sales.from_hour")
    return out


def _side(name: str, raw: dict[str, Any]) -> SideTable:
    reject = tuple(_rule(rule, f"{name}.reject") for rule in raw.get("reject", []))
    columns = _used(raw.get("columns", {}))
    out = _make(SideTable, {**raw, "columns": columns, "reject": reject}, name)
    _known_columns(set(out.columns), SIDE_COLUMNS[name], f"{name}.columns")
    _one_of(out.coordinates, COORDINATES, f"{name}.coordinates")
    for column in NEEDED[name]:
        if column not in out.columns:
            raise ImportRefused(f"no column for {column}", field=f"{name}.columns.{column}")
    return out


def _used(columns: Columns) -> Columns:
    """Columns that the source has: a mapping that extends another drops one as empty."""
    return {name: source for name, source in columns.items() if source}


def _rule(raw: dict[str, Any], where: str) -> Rule:
    tests = []
    for test in raw.get("when", []):
        given = dict(test)
        if "equals" in given:
            given["equals"] = tuple(str(value) for value in given["equals"])
        tests.append(_make(Test, given, f"{where}.when"))
    return _make(Rule, {**raw, "when": tuple(tests)}, where)


def _make(kind: type[T], raw: dict[str, Any], where: str) -> T:
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    _known_columns(set(raw), tuple(known), where)
    try:
        return kind(**raw)
    except TypeError as fault:
        raise ImportRefused(f"{where}: {fault}", field=where) from None


def _known_columns(given: set[str], known: tuple[str, ...], where: str) -> None:
    for name in sorted(given - set(known)):
        raise ImportRefused(
            f"unknown key {name!r}{nearest(name, known)}",
            field=f"{where}.{name}",
            remedy=f"one of {', '.join(known)}",
        )


def _one_of(value: str, known: tuple[str, ...], where: str) -> None:
    if value not in known:
        raise ImportRefused(
            f"{value!r} is unknown{nearest(value, known)}",
            field=where,
            remedy=f"one of {', '.join(known)}",
        )


def check_zone(zone: str, where: str) -> None:
    """Refuse a time zone that the IANA database lacks."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImportRefused(
            f"no time zone {zone!r}{nearest(zone, sorted(available_timezones()))}",
            field=where,
            remedy="an IANA name such as Asia/Shanghai or America/New_York",
        ) from None


def nearest(name: str, known: Any) -> str:
    """Where something close is known, words that ask for it."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], 1, 0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
