"""Planted defects of the master data: all found, none false, and kept out of the plan."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ops_api.masterdata.service import load_network
from ops_api.planning.planner import plan
from ops_api.quality.rules import RULES
from policies.domain.decision import LineKind
from scenarios.history.generate import generate_chain
from tests.integration.api_service import Rig, make_rig
from tests.integration.planner_service import open_proposals, planning_rig

PLANTED: dict[str, dict[str, str]] = {
    "pack_below_one": {"K00101": "pack_size = 0", "K00102": "pack_size = -3"},
    "pack_too_large": {"K00111": "pack_size = 99999", "K00112": "pack_size = 1000000"},
    "no_cost": {"K00201": "unit_cost_cents = 0", "K00202": "unit_cost_cents = 0"},
    "cost_above_price": {
        "K00301": "unit_cost_cents = unit_price_cents + 1",
        "K00302": "unit_cost_cents = 10 * unit_price_cents",
    },
    "no_size": {"K00401": "mass_g = 0", "K00402": "volume_cm3 = 0"},
    "too_dense": {"K00501": "mass_g = 24 * volume_cm3", "K00502": "mass_g = 99 * volume_cm3"},
    "no_name": {"K00601": "name = ''", "K00602": "name = '  '"},
}
"""Defects made by an UPDATE of one SKU; the others are made below."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory, database):
    """5,000 SKUs of which none breaks a rule."""
    made = make_rig(tmp_path_factory.mktemp("quality"))
    network, _ = generate_chain(stores=3, skus=5_000, days=1, lines_per_store_day=1, seed=5)
    # The first category is fresh.
    days = np.where(network.skus.category == 0, 14, 0)
    skus = dataclasses.replace(network.skus, shelf_life_days=days)
    load_network(made.engine, dataclasses.replace(network, skus=skus))
    yield made
    made.engine.dispose()


def sql(rig: Rig, *statements: str) -> None:
    with rig.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def found(rig: Rig) -> dict[str, set[str]]:
    rows = rig.get("boss", "/data-quality").json["rules"]
    out = {}
    for row in rows:
        if row["count"]:
            listed = rig.get("boss", f"/data-quality/findings?rule={row['rule']}").json["findings"]
            assert len(listed) == row["count"]
            out[row["rule"]] = {one["subject"] for one in listed}
    return out


def test_twenty_defects_of_ten_kinds_are_all_found_and_none_is_false(rig):
    before = found(rig)
    assert before == {}, "the chain as generated is sound"
    fresh = ["K00013", "K00025"]
    expected = {rule: set(rows) for rule, rows in PLANTED.items()}
    expected["no_shelf_life"] = set(fresh)
    expected["no_lane"] = {"S0001", "S0003"}
    expected["duplicate_barcode"] = {"K00702", "K00704"}
    sql(
        rig,
        *(
            f"UPDATE skus SET {change} WHERE id = '{sku}'"
            for rows in PLANTED.values()
            for sku, change in rows.items()
        ),
        *(f"UPDATE skus SET shelf_life_days = 0 WHERE id = '{sku}'" for sku in fresh),
        "DELETE FROM lanes WHERE destination IN ('S0001', 'S0003')",
    )
    # The same number in its form of thirteen digits, on another SKU's pack.
    for mine, theirs in (("K00701", "K00702"), ("K00703", "K00704")):
        with rig.engine.begin() as connection:
            query = f"SELECT gtin FROM gtins WHERE sku = '{mine}'"
            code = connection.exec_driver_sql(query).scalar_one()
            insert = f"INSERT INTO gtins (gtin, sku, units) VALUES ('{code[1:]}', '{theirs}', 1)"
            connection.exec_driver_sql(insert)
    assert len(expected) == 10
    assert sum(map(len, expected.values())) == 20
    assert found(rig) == expected
    body = rig.get("boss", "/data-quality").json
    blocked = {name for rule in RULES.values() if rule.is_blocking for name in [rule.name]}
    skus = {sku for rule in blocked for sku in expected.get(rule, set()) if sku.startswith("K")}
    assert set(body["not_planned"]["sku"]) == skus
    assert body["not_planned"]["location"] == ["S0001", "S0003"]
    told = rig.get("clerk1", "/skus/K00101/planning").json
    assert (told["is_planned"], told["because"][0]["rule"]) == (False, "pack_below_one")
    assert rig.get("clerk1", "/skus/K00102/planning").json["because"][0]["owner"] == "buyer"
    assert rig.get("clerk1", "/skus/K00701/planning").json["is_planned"]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("no_price", "UPDATE skus SET unit_price_cents = 0 WHERE id = 'K01001'"),
        (
            "price_out_of_line",
            "UPDATE skus SET unit_cost_cents = 1, unit_price_cents = 21 WHERE id = 'K01001'",
        ),
        ("long_shelf_life", "UPDATE skus SET shelf_life_days = 36500 WHERE id = 'K01001'"),
        ("no_barcode", "DELETE FROM gtins WHERE sku = 'K01001'"),
        ("listed_nowhere", "DELETE FROM assortments WHERE sku = 'K01001'"),
        ("no_supplier", "DELETE FROM suppliers"),
        ("no_hours", "UPDATE locations SET closes_s = opens_s WHERE id = 'S0002'"),
        ("no_coordinates", "UPDATE locations SET latitude = 0, longitude = 0 WHERE id = 'S0002'"),
        ("bad_barcode", "INSERT INTO gtins (gtin, sku, units) VALUES ('1234', 'K01001', 1)"),
    ],
)
def test_each_further_rule_finds_what_breaks_it(rig, rule, change):
    """Read inside a transaction that is taken back."""
    from ops_api.quality.service import findings

    network, _ = generate_chain(stores=1, skus=1, days=1, lines_per_store_day=1, seed=5)
    with rig.engine.connect() as connection, connection.begin() as change_:
        before = {one.subject for one in findings(connection, network)[rule]}
        connection.exec_driver_sql(change)
        after = {one.subject for one in findings(connection, network)[rule]}
        change_.rollback()
    new = after - before
    assert new, rule
    assert new <= {"S0002"} or "K01001" in new


def test_a_blocked_sku_is_not_ordered_and_the_plan_says_so(tmp_path):
    rig = planning_rig(tmp_path)
    sql(rig, "UPDATE skus SET unit_cost_cents = 0 WHERE id = 'K00001'")
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    assert plan(rig.engine, rig.clock.now)["proposals"] > 0
    lines = [one for row in open_proposals(rig, kind=LineKind.REPLENISH) for one in row["lines"]]
    ordered = {line["sku"] for line in lines}
    assert ordered
    assert "K00001" not in ordered
    assert rig.get("planner", "/plans").json["plans"][0]["left_out"] == 1
    with rig.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT found FROM quality_counts WHERE rule = 'no_cost'")
        assert kept.scalar_one() == 1


def test_the_trend_keeps_one_count_a_day(rig):
    for _ in range(2):
        assert rig.post("boss", "/data-quality:keep").status_code == 200
    first = next(
        row for row in rig.get("boss", "/data-quality").json["rules"] if row["rule"] == "no_name"
    )
    assert [one["day"] for one in first["trend"]] == ["2024-01-10"]
    unknown = rig.get("boss", "/data-quality/findings?rule=whim")
    assert (unknown.status_code, unknown.json["field"]) == (400, "rule")
