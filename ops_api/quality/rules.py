"""The rules: each is a function over the master data as it stands, and finds single rows.

A blocking rule keeps what it finds out of the plan: an order computed from a pack of
zero units, or for a place that no truck reaches, is worse than none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from policies.domain.errors import StoretwinError
from policies.domain.identifiers import gtin14
from policies.domain.network import LocationKind

FRESH_DAYS = 60
"""A category is fresh where at least half of its SKUs last no longer than this, or where it
has an expiry rule of its own."""
HEAVIEST_G_PER_CM3 = 23
"""Nothing on earth is denser."""
DEAREST_TIMES_COST = 20
LONGEST_SHELF_LIFE_DAYS = 3_650
LARGEST_PACK = 10_000


@dataclass(frozen=True)
class MasterData:
    """What the rules read, as rows of the database.

    Attributes
    ----------
    claims : dict of str to list of str, SKUs that claim a barcode, by GTIN as written
    sources : dict of str to set of str, origins with a lane, by destination
    listed_at : set of str, locations with an assortment
    listed : set of str, SKUs of some assortment
    supplied, dated : set of str, categories with a supplier, with an expiry rule of their own
    """

    skus: list[Any]
    locations: list[Any]
    claims: dict[str, list[str]]
    sources: dict[str, set[str]]
    listed_at: set[str]
    listed: set[str]
    supplied: set[str]
    dated: set[str]


@dataclass(frozen=True)
class Finding:
    """One row that breaks a rule; `subject` is a SKU or a location."""

    subject: str
    field: str
    found: str


@dataclass(frozen=True)
class Rule:
    """A rule of data quality.

    Attributes
    ----------
    subject : "sku" or "location"
    owner : the role that puts it right
    """

    name: str
    subject: str
    owner: str
    is_blocking: bool
    title: dict[str, str]
    find: Callable[[MasterData], Iterator[Finding]]


def _each(field: str, is_wrong: Callable[[Any], bool]) -> Callable[[MasterData], Iterator[Finding]]:
    def find(data: MasterData) -> Iterator[Finding]:
        for row in data.skus:
            if is_wrong(row):
                yield Finding(row.id, field, str(getattr(row, field)))

    return find


def duplicate_barcode(data: MasterData) -> Iterator[Finding]:
    """One barcode, several SKUs: the first in order of their ids keeps it."""
    by_code: dict[str, set[str]] = defaultdict(set)
    for code, skus in data.claims.items():
        by_code[code.zfill(14)].update(skus)
    for code, names in sorted(by_code.items()):
        for name in sorted(names)[1:]:
            yield Finding(name, "gtin", f"{code} belongs to {min(names)}")


def bad_barcode(data: MasterData) -> Iterator[Finding]:
    """A barcode whose length or check digit is wrong is never found by a scan."""
    for code, skus in sorted(data.claims.items()):
        try:
            gtin14(code)
        except StoretwinError as error:
            for sku in sorted(set(skus)):
                yield Finding(sku, "gtin", error.detail)


def no_barcode(data: MasterData) -> Iterator[Finding]:
    """A SKU that no scan can find, in a chain that has barcodes."""
    named = {sku for skus in data.claims.values() for sku in skus}
    if named:
        for row in data.skus:
            if row.id not in named:
                yield Finding(row.id, "gtin", "")


def no_shelf_life(data: MasterData) -> Iterator[Finding]:
    """Fresh goods that are said never to expire would be ordered for weeks."""
    lives: dict[str, list[int]] = defaultdict(list)
    for row in data.skus:
        lives[row.category].append(row.shelf_life_days)
    fresh = data.dated | {
        category
        for category, days in lives.items()
        if 2 * sum(0 < one <= FRESH_DAYS for one in days) >= len(days)
    }
    for row in data.skus:
        if row.category in fresh and row.shelf_life_days <= 0:
            yield Finding(row.id, "shelf_life_days", str(row.shelf_life_days))


def listed_nowhere(data: MasterData) -> Iterator[Finding]:
    """A planned SKU that no location may sell."""
    for row in data.skus:
        if row.axis is not None and row.id not in data.listed:
            yield Finding(row.id, "assortment", "")


def no_supplier(data: MasterData) -> Iterator[Finding]:
    """A planned SKU whose category nobody supplies."""
    for row in data.skus:
        if row.axis is not None and row.category not in data.supplied:
            yield Finding(row.id, "category", row.category)


def no_lane(data: MasterData) -> Iterator[Finding]:
    """A store with an assortment that no truck may reach."""
    for row in data.locations:
        is_store = row.kind == int(LocationKind.STORE)
        ways = data.sources.get(row.id, set())
        if (
            is_store
            and row.id in data.listed_at
            and not (row.source in ways if row.source else ways)
        ):
            yield Finding(row.id, "source", row.source)


def no_hours(data: MasterData) -> Iterator[Finding]:
    """A location that closes before it opens, or receives before it may."""
    for row in data.locations:
        if row.opens_s >= row.closes_s and row.kind == int(LocationKind.STORE):
            yield Finding(row.id, "closes_s", str(row.closes_s))


def no_coordinates(data: MasterData) -> Iterator[Finding]:
    """A location at 0° N 0° E, or beyond the globe."""
    for row in data.locations:
        beyond = abs(row.latitude) > 90 or abs(row.longitude) > 180
        if beyond or (row.latitude == 0 and row.longitude == 0):
            yield Finding(row.id, "latitude", f"{row.latitude}, {row.longitude}")


def _rule(
    name: str,
    en: str,
    zh: str,
    find: Callable[[MasterData], Iterator[Finding]],
    *,
    subject: str = "sku",
    owner: str = "buyer",
    blocks: bool = False,
) -> Rule:
    return Rule(name, subject, owner, blocks, {"en": en, "zh": zh}, find)


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        _rule("duplicate_barcode", "Barcode of two SKUs", "条码重复", duplicate_barcode),
        _rule("bad_barcode", "Barcode can't be scanned", "条码校验错误", bad_barcode),
        _rule("no_barcode", "No barcode", "缺少条码", no_barcode),
        _rule(
            "no_shelf_life",
            "Fresh goods without shelf life",
            "生鲜无保质期",
            no_shelf_life,
            blocks=True,
        ),
        _rule(
            "long_shelf_life",
            "Shelf life above ten years",
            "保质期超过十年",
            _each("shelf_life_days", lambda row: row.shelf_life_days > LONGEST_SHELF_LIFE_DAYS),
        ),
        _rule(
            "pack_below_one",
            "Pack below one unit",
            "箱规小于一",
            _each("pack_size", lambda row: row.pack_size < 1),
            blocks=True,
        ),
        _rule(
            "pack_too_large",
            "Pack of impossible size",
            "箱规过大",
            _each("pack_size", lambda row: row.pack_size > LARGEST_PACK),
            blocks=True,
        ),
        _rule(
            "no_cost",
            "No cost",
            "缺少成本",
            _each("unit_cost_cents", lambda row: row.unit_cost_cents <= 0),
            blocks=True,
        ),
        _rule(
            "no_price",
            "No price",
            "缺少售价",
            _each("unit_price_cents", lambda row: row.unit_price_cents <= 0),
        ),
        _rule(
            "cost_above_price",
            "Cost above price",
            "成本高于售价",
            _each("unit_cost_cents", lambda row: 0 < row.unit_price_cents < row.unit_cost_cents),
        ),
        _rule(
            "price_out_of_line",
            "Price above twenty times the cost",
            "售价超过成本二十倍",
            _each(
                "unit_price_cents",
                lambda row: 0 < row.unit_cost_cents * DEAREST_TIMES_COST < row.unit_price_cents,
            ),
        ),
        _rule(
            "no_size",
            "No mass or volume",
            "缺少重量或体积",
            _each("mass_g", lambda row: row.mass_g <= 0 or row.volume_cm3 <= 0),
        ),
        _rule(
            "too_dense",
            "Mass and volume don't fit",
            "重量与体积不符",
            _each(
                "mass_g",
                lambda row: row.volume_cm3 > 0 and row.mass_g > HEAVIEST_G_PER_CM3 * row.volume_cm3,
            ),
        ),
        _rule("no_name", "No name", "缺少名称", _each("name", lambda row: not row.name.strip())),
        _rule("listed_nowhere", "In no assortment", "未列入任何门店", listed_nowhere),
        _rule("no_supplier", "No supplier", "缺少供应商", no_supplier),
        _rule(
            "no_lane",
            "No lane to the store",
            "门店无配送线路",
            no_lane,
            subject="location",
            owner="planner",
            blocks=True,
        ),
        _rule(
            "no_hours",
            "Closes before it opens",
            "营业时间错误",
            no_hours,
            subject="location",
            owner="manager",
        ),
        _rule(
            "no_coordinates",
            "No place on the map",
            "缺少坐标",
            no_coordinates,
            subject="location",
            owner="planner",
        ),
    )
}
