"""Changes of a part of the chain: what they do, and every way to get them wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from typer.testing import CliRunner

from policies.domain.errors import ScenarioInvalid
from scenarios.chains import generated
from scenarios.commands import compare_command, run_command
from scenarios.scenario import from_values, load_scenario
from scenarios.worlds import network_of, scenario_of
from ui.cli import app

SETTINGS = {"stores": 4, "skus": 20, "days": 28, "lines_per_store_day": 60, "seed": 1}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return generated(SETTINGS, tmp_path_factory.mktemp("chains"))


def world(chain, **values):
    base = {"name": "changed", "weeks": [1, 4], "kpi_from_week": 2}
    return from_values({**base, **values}).world(chain)


def units(scenario, by_day=False):
    """Units demanded by store (and day)."""
    lines = scenario.demand
    store = np.repeat(np.arange(len(lines.store_ids)), np.diff(lines.offsets))
    out = np.zeros((len(lines.store_ids), 28), dtype=np.int64)
    np.add.at(out, (store, lines.t_s // 86_400), lines.quantity)
    return out if by_day else out.sum(axis=1)


def test_a_promotion_lifts_its_goods_on_its_days_only(chain):
    plain = scenario_of(world(chain), 0)
    skus = plain.network.skus
    lifted = scenario_of(
        world(
            chain,
            changes=[
                {
                    "skus": {"category": skus.categories[0]},
                    "from_day": 7,
                    "days": 7,
                    "demand_factor": 2.5,
                }
            ],
        ),
        0,
    )
    mine = skus.category[plain.demand.sku] == 0
    day = plain.demand.t_s // 86_400
    inside = mine & (day >= 7) & (day < 14)
    a, b = plain.demand.quantity, lifted.demand.quantity
    assert np.array_equal(a[~inside], b[~inside])
    assert b[inside].sum() == pytest.approx(2.5 * a[inside].sum(), rel=0.02)
    assert (np.abs(b[inside] - 2.5 * a[inside]) < 1).all()


def test_a_closed_store_has_no_demand_and_others_all_of_theirs(chain):
    plain, shut = (
        scenario_of(world(chain, **given), 0)
        for given in (
            {},
            {
                "changes": [
                    {"stores": {"ids": "S0002"}, "from_day": 3, "days": 4, "demand_factor": 0}
                ]
            },
        )
    )
    a, b = units(plain, by_day=True), units(shut, by_day=True)
    assert b[1, 3:7].sum() == 0 < a[1, 3:7].sum()
    a[1, 3:7] = 0
    assert np.array_equal(a, b)


def test_a_change_draws_the_same_whatever_else_is_changed(chain):
    change = {"demand_factor": 1.3, "stores": {"ids": ["S0001"]}}
    alone = scenario_of(world(chain, changes=[change]), 0)
    both = scenario_of(
        world(chain, changes=[change, {"stores": {"ids": ["S0003"]}, "demand_factor": 0.5}]), 0
    )
    assert units(alone)[0] == units(both)[0]
    assert units(alone)[2] > units(both)[2]


def test_a_new_store_opens_on_its_day_and_takes_some_customers_along(chain):
    plain = scenario_of(world(chain), 0)
    grown = scenario_of(
        world(chain, new_stores=[{"id": "N1", "like": "S0001", "from_day": 14, "takes": 0.25}]), 0
    )
    a, b = units(plain, by_day=True), units(grown, by_day=True)
    assert grown.demand.store_ids == (*plain.demand.store_ids, "N1")
    assert b[4, :14].sum() == 0
    # 65 baskets: the share of their units has a standard deviation of 8 %.
    assert b[4, 14:].sum() == pytest.approx(0.8 * a[0, 14:].sum(), rel=0.3)
    assert b[0, 14:].sum() == pytest.approx(0.75 * a[0, 14:].sum(), rel=0.3)
    assert np.array_equal(a[1:], b[1:4])
    new, old = grown.network, plain.network
    assert new.locations.source[-1] == old.locations.source[old.location_index("S0001")]
    assert new.listed[-1].sum() == old.listed[old.location_index("S0001")].sum()


def test_a_run_with_a_new_store_is_compared_with_another_of_its_kind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, policy in (("one", "incumbent"), ("two", "base-stock")):
        (tmp_path / f"{name}.toml").write_text(
            f'name = "{name}"\nextends = "tiny"\n[policy]\nname = "{policy}"\n'
            "[[new_stores]]\nfrom_day = 10\n"
        )
        run_command(f"{name}.toml", out=tmp_path / name, replications=1)
    rows = compare_command([tmp_path / "one", tmp_path / "two"])["kpis"]
    assert {row["name"] for row in rows} >= {"true_fill_rate", "co2e_per_unit_sold"}


def test_opening_hours_and_fleet_are_those_of_the_scenario(chain):
    made = scenario_of(
        world(
            chain,
            changes=[{"stores": {"ids": ["S0002"]}, "opens": "07:30", "closes": "21:00"}],
            fleet={"trucks": 3, "capacity_kg": 4_000},
        ),
        0,
    ).network
    at = made.location_index("S0002")
    assert (made.locations.opens_s[at], made.locations.closes_s[at]) == (27_000, 75_600)
    assert set(made.fleet.trucks.tolist()) == {3}
    assert made.fleet.capacity_kg == 4_000
    same = dataclasses.replace(made.fleet, trucks=network_of(str(chain)).fleet.trucks)
    assert same.speed_km_per_hour == network_of(str(chain)).fleet.speed_km_per_hour


WRONG = {
    "unknown key": ("[[changes]]\ndemand_facter = 2", "changes.demand_facter", "demand_factor"),
    "unknown selector key": (
        '[[changes]]\nstores = { regoin = "x" }', "changes.stores.regoin", "region",
    ),
    "unknown store": (
        '[[changes]]\nstores = { ids = ["S0009"] }\ndemand_factor = 2', "changes.stores.ids",
        "S000",
    ),
    "unknown region": (
        '[[changes]]\nstores = { region = "nowhere" }\ndemand_factor = 2',
        "changes.stores.region", "one of",
    ),
    "unknown category": (
        '[[changes]]\nskus = { category = ["none such"] }\ndemand_factor = 2',
        "changes.skus.category", "one of",
    ),
    "empty selector": (
        '[[changes]]\nstores = { ids = [] , share = 0.0 }', "changes.stores.share", "above 0",
    ),
    "negative demand": ("[[changes]]\ndemand_factor = -0.5", "changes.demand_factor", "0 or more"),
    "endless demand": ("[[changes]]\ndemand_factor = nan", "changes.demand_factor", "type"),
    "negative days": (
        "[[changes]]\nfrom_day = -3\ndemand_factor = 2", "changes.from_day", "0 or more",
    ),
    "zero opening hours": (
        '[[changes]]\nopens = "09:00"\ncloses = "09:00"', "changes.closes", "close after opening",
    ),
    "no clock": ('[[changes]]\nopens = "9 am"', "changes.opens", "HH:MM"),
    "no such hour": ('[[changes]]\ncloses = "24:30"', "changes.closes", "HH:MM"),
    "no truck": ("[fleet]\ntrucks = 0", "fleet.trucks", "at least one"),
    "no speed": ("[fleet]\nspeed_km_per_hour = 0", "fleet.speed_km_per_hour", "above 0"),
    "a short shift": ("[fleet]\nshift_minutes = 5", "fleet.shift_minutes", "longer shift"),
    "slow trucks": ("[fleet]\nspeed_km_per_hour = 0.5", "fleet.shift_minutes", "faster trucks"),
    "a small truck": ("[fleet]\ncapacity_kg = 0.01", "fleet.capacity_kg", "larger truck"),
    "a truck for each key": ("[fleet]\ntruks = 2", "fleet.truks", "trucks"),
    "a new store with an old name": (
        '[[new_stores]]\nid = "S0001"', "new_stores.id", "name of its own",
    ),
    "a new store like none": (
        '[[new_stores]]\nlike = "S0077"', "new_stores.like.ids", "S000",
    ),
    "a store that takes more than it has": (
        "[[new_stores]]\nshare = 0.2\ntakes = 0.5", "new_stores.takes", "takes ≤ share",
    ),
    "a change that is no table": ("changes = [3]", "changes", "table"),
    "a selector of nothing": (
        "[[changes]]\nskus = { ids = [] }\ndemand_factor = 2", "changes.skus.ids", "leave the key",
    ),
    "a selector of numbers": (
        "[[changes]]\nstores = { ids = [1] }", "changes.stores.ids", "names as text",
    ),
    "endless sales": ("[[changes]]\ndemand_factor = 1e9", "changes.demand_factor", "at most"),
    "a change after the run": (
        "[[changes]]\nfrom_day = 9999\ndemand_factor = 2", "changes.from_day", "0 to 27",
    ),
    "a run after the record": ("weeks = [1, 99]", "weeks", "week 4"),
    "a store with a lane's name": ('[[new_stores]]\nid = "a>b"', "new_stores.id", "none of them"),
    "half a truck": ("[fleet]\ntrucks = 2.5", "fleet.trucks", "whole number"),
    "a chain of no days": ("[generated]\ndays = 0", "generated.days", "at least 1"),
    "formats below nothing": (
        "[generated]\nformats = { convenience = -1 }", "generated.formats", "shares",
    ),
    "negative chain": ("demand_factor = -1", "demand_factor", "to"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_what_can_not_be_is_refused_with_file_key_and_remedy(fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, field, remedy = WRONG[fault]
    top, tables = (text, "") if not text.startswith("[") else ("", text)
    (tmp_path / "mine.toml").write_text(
        f'name = "mine"\nextends = "tiny"\ndemand = "expansion"\n{top}\n{tables}\n'
    )
    done = CliRunner().invoke(app, ["scenario", "check", "mine.toml"])
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    said = " ".join(done.output.split())
    assert "mine.toml" in said
    assert field in said
    assert remedy in said


def test_a_circle_of_scenarios_is_named(tmp_path):
    (tmp_path / "a.toml").write_text('name = "a"\nextends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('name = "b"\nextends = "a.toml"\n')
    with pytest.raises(ScenarioInvalid, match="extends itself") as caught:
        load_scenario(tmp_path / "a.toml")
    assert caught.value.field == "extends"
    assert caught.value.remedy == "break the circle"
