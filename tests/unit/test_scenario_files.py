"""Scenario files: inheritance that works, and errors that name file, key and remedy."""

from __future__ import annotations

import pytest

from policies.domain.errors import InvalidInput, ScenarioInvalid
from scenarios.scenario import diff, from_values, library, load_scenario


def write(folder, name, text):
    """A scenario file."""
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(library()))
def test_every_scenario_of_the_library_resolves_and_says_what_it_is_about(name):
    """None is broken, none is nameless."""
    assert load_scenario(name).name == name
    assert library()[name]


def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path):
    """The remedy is a suggestion."""
    path = write(tmp_path, "x", 'name = "x"\nextends = "base"\npanel_expansio = 3')
    with pytest.raises(ScenarioInvalid) as caught:
        load_scenario(path)
    assert caught.value.field == "panel_expansio"
    assert caught.value.row == f"{path}:3"
    assert "panel_expansion" in str(caught.value)


def test_an_unknown_key_inside_a_table_is_named_with_its_path(tmp_path):
    """frictions.shrink is no friction."""
    path = write(tmp_path, "x", 'name = "x"\nextends = "base"\n[frictions]\nshrink_per_unit = 1')
    with pytest.raises(ScenarioInvalid, match="shrink_per_unit_sold"):
        load_scenario(path)


def test_a_scenario_that_extends_itself_is_refused(tmp_path):
    """Directly or in a circle."""
    one = write(tmp_path, "one", 'name = "one"\nextends = "two.toml"')
    write(tmp_path, "two", 'name = "two"\nextends = "one.toml"')
    with pytest.raises(ScenarioInvalid, match="extends itself"):
        load_scenario(one)
    own = write(tmp_path, "own", 'name = "own"\nextends = "own.toml"')
    with pytest.raises(ScenarioInvalid, match="extends itself"):
        load_scenario(own)
    roundabout = write(tmp_path, "r", f'name = "r"\nextends = "../{tmp_path.name}/r.toml"')
    with pytest.raises(ScenarioInvalid, match="extends itself"):
        load_scenario(roundabout)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("weeks = [5, 2]", "weeks"),
        ("weeks = 'all'", "weeks"),
        ("demand_factor = 1.2", "demand_factor"),
        ("demand_factor = -1", "demand_factor"),
        ("demand = 'magic'", "demand"),
        ("kpi_from_week = 99", "kpi_from_week"),
        ("replications = 0", "replications"),
        ("replications = true", "replications"),
        ("[policy]\nname = 'oracle'", "policy.name"),
        ("[policy]\nname = 'base-stock'\nparams = { fractile_9 = 1 }", "policy.params.fractile_9"),
        ("[frictions]\nshrink_per_unit_sold = -1", "frictions.shrink_per_unit_sold"),
        ("[warehouse]\ndocks = 0", "warehouse"),
        ("[warehouse]\ndocks = 'six'", "warehouse.docks"),
        ("[store]\ncount_lines_per_day = -5", "store.count_lines_per_day"),
        ("[store]\nbackorders = 1", "store.backorders"),
        ("[costs]\nholding_rate_per_year = -0.2", "costs.holding_rate_per_year"),
        ("[costs]\ntour_cents = 'much'", "costs.tour_cents"),
        ("[frictions]\nrefuse_share = nan", "frictions.refuse_share"),
        ("panel_expansion = inf", "panel_expansion"),
        ("panel_expansion = nan", "panel_expansion"),
        ("seed = -1", "seed"),
        ("lead_time_extra_days = 400", "lead_time_extra_days"),
        ("[policy]\nparams = { reorder_cover_days = 'long' }", "policy.params.reorder_cover_days"),
        ("[policy]\nparam = {}", "policy.param"),
        ("[generated]\nstores = 'three'", "generated.stores"),
        ("demand = 'bootstrap'", "bootstrap_weeks"),
        ("bootstrap_weeks = [1, 1]", "bootstrap_weeks"),
        ("demand = 'bootstrap'\nbootstrap_weeks = [1, 9]", "bootstrap_weeks"),
    ],
)
def test_what_can_not_be_simulated_is_refused_by_its_key(tmp_path, text, field):
    """Before a run starts, not in the middle of it."""
    with pytest.raises(InvalidInput) as caught:
        load_scenario(write(tmp_path, "x", f'name = "x"\nextends = "base"\n{text}'))
    assert caught.value.field == field


def test_a_wrong_value_is_told_with_file_and_line(tmp_path):
    """Where to put the cursor."""
    path = write(tmp_path, "x", 'name = "x"\nextends = "base"\n\n[costs]\ntour_cents = "much"')
    with pytest.raises(ScenarioInvalid) as caught:
        load_scenario(path)
    assert caught.value.row == f"{path}:5"
    assert "int or float" in caught.value.remedy


def test_later_suppliers_and_bootstrap_weeks_reach_the_world(tmp_path):
    """Keys do what they say."""
    text = (
        'name = "x"\nextends = "base"\nweeks = [9, 12]\nkpi_from_week = 10\n'
        'demand = "bootstrap"\nbootstrap_weeks = [3, 8]\nlead_time_extra_days = 2'
    )
    world = load_scenario(write(tmp_path, "x", text)).world(tmp_path)
    assert world.bootstrap_days == (14, 55)
    assert world.lead_time_extra_days == 2
    assert (world.first_day, world.days, world.warmup_days) == (56, 28, 7)


def test_broken_toml_is_told_with_its_line(tmp_path):
    """TOML's own line number is kept."""
    with pytest.raises(ScenarioInvalid, match="line 2"):
        load_scenario(write(tmp_path, "x", 'name = "x"\nweeks = = 3'))


def test_an_unknown_name_suggests_the_nearest_scenario():
    """dayly-review."""
    with pytest.raises(ScenarioInvalid, match="daily-review"):
        load_scenario("dayly-review")


def test_a_child_changes_only_what_it_says(tmp_path):
    """Tables merge key by key; another policy drops the old one's parameters."""
    path = write(
        tmp_path, "x", 'name = "x"\nextends = "daily-review"\n[frictions]\ntruck_speed_factor = 0.5'
    )
    child = load_scenario(path)
    assert child.values["frictions"] == {"shrink_per_unit_sold": 0.004, "truck_speed_factor": 0.5}
    assert child.values["policy"]["params"] == {"reviews_per_week": 7}
    back = from_values({"name": "y", "policy": {"name": "incumbent"}}, "daily-review")
    assert "params" not in back.values["policy"]
    keys = [row["key"] for row in diff(load_scenario("daily-review"), child)]
    assert keys == ["frictions.truck_speed_factor", "name"]


def test_the_hash_follows_the_resolved_form_and_nothing_else(tmp_path):
    """Written another way, the same scenario."""
    a = write(tmp_path, "a", 'name = "x"\nextends = "base"\nseed = 3')
    b = write(tmp_path, "b", 'seed = 3\nextends = "base"\nname = "x"\n')
    c = write(tmp_path, "c", 'name = "x"\nextends = "base"\nseed = 4')
    hashes = [load_scenario(path).sha256() for path in (a, b, c)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_an_allocation_is_given_by_name_and_an_unknown_one_is_refused(tmp_path):
    """Every other parameter stays a number."""
    head = 'name = "x"\nextends = "tiny"\n[policy]\nname = "ddmrp"\n[policy.params]\n'
    good = write(tmp_path, "good", head + 'allocation = "marginal-value"')
    assert load_scenario(good).name == "x"
    with pytest.raises(InvalidInput, match="no allocation 'fairest'"):
        load_scenario(write(tmp_path, "odd", head + 'allocation = "fairest"'))
    with pytest.raises(InvalidInput, match="pack_share"):
        load_scenario(write(tmp_path, "text", head + 'pack_share = "half"'))
