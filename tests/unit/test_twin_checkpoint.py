"""A run that is cut off goes on from its checkpoint as if nothing had happened."""

from __future__ import annotations

import dataclasses
import io
import pickle

import numpy as np
import pytest

from policies.domain.carbon import CarbonFactors
from policies.domain.errors import ScenarioInvalid
from policies.domain.network import DAY_SECONDS
from policies.forecasting.series import Fallback
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.twin_worlds import up_to, world
from twin.checkpoint import Checkpoints
from twin.goods_rules import Conversion, GoodsReturns, Misplacement, Recall, RiskCounts
from twin.output import dataset, result_sha256
from twin.panel import GrowingPanel
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
    TrafficRules,
)
from twin.result import Trace
from twin.run import simulate
from twin.scenario import (
    CheckoutRules,
    Disruptions,
    Frictions,
    Perishables,
    Scenario,
    StoreRules,
    WarehouseRules,
)
from twin.tape import CheckpointDiffers, PlainUnpickler, plain_bytes

ALL = Trace(movements=True, decisions=True, final_state=True, tours=True)


class LightsOut(Exception):
    """Where a test cuts a run off."""


def busy(days: int = 21, **changed) -> Scenario:
    """A chain with everything on, short of docks and trucks, so that nights are long."""
    network, demand = generate_chain(stores=7, skus=40, days=28, lines_per_store_day=120, seed=5)
    life = np.where(np.arange(40) % 3 == 0, 4 + np.arange(40) % 5, 0).astype(np.int32)
    network = dataclasses.replace(
        network,
        skus=dataclasses.replace(network.skus, shelf_life_days=life),
        fleet=dataclasses.replace(
            network.fleet, trucks=np.ones_like(network.fleet.trucks), speed_km_per_hour=11.0
        ),
    )
    fields = {
        "opening_cover_days": 4.0,
        "warehouse": WarehouseRules(docks=1, pickers=1, cases_per_picker_hour=20.0),
        "store": StoreRules(count_lines_per_day=3, receive_seconds_per_case=400.0),
        "frictions": Frictions(0.02, 0.02, 0.05, 0.7, 0.1, 0.1, 0.2),
        "perishables": Perishables(tracked=True, lifo_share=0.3),
        "disruptions": Disruptions(5, 4, 9, 2, 0),
        "carbon": CarbonFactors(),
    }
    return Scenario("busy", network, demand, 0, days, **(fields | changed))


def cut_off(scenario, bundle, checkpoints, after: int, **asked) -> None:
    """Run until `after` days are done."""

    def lights_out(done: int, days: int) -> None:
        if done == after:
            raise LightsOut

    with pytest.raises(LightsOut):
        simulate(scenario, bundle, progress=lights_out, checkpoints=checkpoints, **asked)


def assert_same(a, b) -> None:
    """Facts, totals, rows, documents, decisions, final state: everything but wall time."""
    assert result_sha256(dataset([a])) == result_sha256(dataset([b]))
    assert a.counters == b.counters
    for name in ("movements", "documents", "decisions", "final", "tours", "checkout", "carbon"):
        plain = [pickle.dumps(getattr(one, name), protocol=5) for one in (a, b)]
        first, second = (pickle.loads(text) for text in plain)
        np.testing.assert_equal(_leaves(first), _leaves(second), err_msg=name)


def _leaves(value):
    """Nested data classes and tuples as plain lists and arrays."""
    if dataclasses.is_dataclass(value):
        return [_leaves(item) for item in vars(value).values()]
    if isinstance(value, tuple | list):
        return [_leaves(item) for item in value]
    return value


def _butchery() -> Conversion:
    """Each store makes two of the lightest SKU of one of the heaviest, day by day."""
    skus = busy().network.skus
    order = np.argsort(skus.mass_g, kind="stable")
    heavy, light = skus.ids[order[-1]], skus.ids[order[0]]
    share = min(2.0, skus.mass_g[order[-1]] / skus.mass_g[order[0]])
    return Conversion(heavy, ((light, float(share)),), units_per_day=3, keep_units=30)


WORLDS = {
    "everything on": busy(),
    "tills": busy(checkout=CheckoutRules(staffed_lanes=1, patience_seconds=60.0)),
    "counts by value": busy(risk_counts=RiskCounts(2, "value", 4)),
    "backorders, no delay": busy(
        store=StoreRules(backorders=True), frictions=Frictions(), perishables=Perishables()
    ),
    "direct": busy(direct=True, direct_lead_time_days=3),
    "what chance does": busy(
        asrs=CraneRules(cranes=2, cases_per_unit=1.0),
        deliveries=DeliveryRules(0.2, 0, 0.3, 0.5),
        breakdowns=BreakdownRules(10.0, 4.0, 0.5, 1.0),
        traffic=TrafficRules((1.0,) * 12 + (0.5,) * 12),
        drivers=DriverRules(regulated=True, drive_before_break_hours=0.5),
        shelf=ShelfRules(1.0, (8.0, 15.0), 4),
        markdown=MarkdownRules(2, 0.3, 17.0, 0.7),
        substitution=Substitution(0.4),
        customer_returns=CustomerReturns(0.2, 3, 0.6),
        goods_returns=GoodsReturns(3, 20.0, 10.0, 20.0, 2, 0.1, 0.3),
        conversions=(_butchery(),),
        misplacement=Misplacement(0.05, 0.1, 20.0, 0.5),
        risk_counts=RiskCounts(2, "phantom", 3),
        recalls=(Recall(sku_share=0.2, from_day=4, days=6, lot_share=0.6, action="return"),),
        disruptions=Disruptions(
            markov=tuple(MarkovDisruption(t, 9.0, 2.0) for t in ("suppliers", "lanes"))
        ),
    ),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize(("every", "after"), [(1, 1), (2, 11), (3, 20)])
def test_a_run_that_was_cut_off_ends_like_one_that_was_not(tmp_path, name, every, after):
    scenario, bundle = WORLDS[name], build_bundle("capped-base-stock")
    asked = {"seed": 4, "replication": 2, "trace": ALL}
    whole = simulate(scenario, bundle, **asked)
    checkpoints = Checkpoints(tmp_path / "run", every)
    cut_off(scenario, bundle, checkpoints, after, **asked)
    seen = []
    again = simulate(
        scenario, bundle, progress=lambda d, _: seen.append(d), checkpoints=checkpoints, **asked
    )
    # A checkpoint is written before progress is told, so the last one is never far.
    assert seen[0] == after // every * every + 1
    assert_same(whole, again)


def test_processes_are_under_way_at_the_midnights_of_these_tests(tmp_path):
    """Or the tests above would prove little: trucks drive, doors and pickers are waited for."""
    from twin.run import World

    run = World(WORLDS["everything on"], build_bundle("capped-base-stock"), 4, 2, Trace())
    held, queued, events = 0, 0, 0

    def look(done: int, days: int) -> None:
        nonlocal held, queued, events
        places = [run.logistics.trucks, run.logistics.docks, run.logistics.pickers]
        resources = [one for table in places for one in table.values()]
        held += sum(one.count for one in resources)
        queued += sum(len(one.queue) for one in resources)
        events += len(run.env._queue)

    run.run(look)
    assert held > 0
    assert queued > 0
    assert events > 20


def test_a_run_may_be_cut_off_again_and_again(tmp_path):
    scenario, bundle = WORLDS["everything on"], build_bundle("capped-base-stock")
    checkpoints = Checkpoints(tmp_path / "run", 2)
    for after in (3, 5, 6, 13, 18):
        cut_off(scenario, bundle, checkpoints, after, seed=4, trace=ALL)
    again = simulate(scenario, bundle, seed=4, trace=ALL, checkpoints=checkpoints)
    assert_same(simulate(scenario, bundle, seed=4, trace=ALL), again)


def test_open_orders_of_a_warm_start_are_led_again(tmp_path):
    bundle = build_bundle("capped-base-stock")
    before = simulate(WORLDS["everything on"], bundle, seed=4, trace=ALL)
    scenario = busy(days=7, opening=before.final)
    scenario = dataclasses.replace(scenario, first_day=21)
    checkpoints = Checkpoints(tmp_path / "run", 1)
    cut_off(scenario, bundle, checkpoints, 2, seed=4, trace=ALL)
    again = simulate(scenario, bundle, seed=4, trace=ALL, checkpoints=checkpoints)
    assert_same(simulate(scenario, bundle, seed=4, trace=ALL), again)


@pytest.mark.parametrize(
    "changed", [{"seed": 5}, {"replication": 1}, {"key": "other"}, {"store": 11}, {"days": 5}]
)
def test_another_runs_checkpoint_is_not_used(tmp_path, changed):
    lines = [(0, day * DAY_SECONDS + 40_000, 0, 2) for day in range(6)]
    path = tmp_path / "run"
    cut_off(world(*lines, days=6), up_to(), Checkpoints(path, 1), 4, seed=1)
    seen = []
    simulate(
        world(*lines, days=changed.get("days", 6)),
        up_to(changed.get("store", 10)),
        seed=changed.get("seed", 1),
        replication=changed.get("replication", 0),
        progress=lambda done, _: seen.append(done),
        checkpoints=Checkpoints(path, 1, changed.get("key", "")),
    )
    assert seen[0] == 1


@pytest.mark.parametrize("part", ["checkpoint", "tape"])
def test_half_a_file_is_no_checkpoint(tmp_path, part):
    """A disk that was full: the run begins anew."""
    lines = [(0, day * DAY_SECONDS + 40_000, 0, 2) for day in range(6)]
    checkpoints = Checkpoints(tmp_path / "run", 1)
    cut_off(world(*lines, days=6), up_to(), checkpoints, 4, seed=1)
    path = checkpoints.path if part == "checkpoint" else checkpoints.tape_path
    path.write_bytes(path.read_bytes()[:60])
    seen = []
    simulate(
        world(*lines, days=6),
        up_to(),
        seed=1,
        progress=lambda done, _: seen.append(done),
        checkpoints=checkpoints,
    )
    assert seen[0] == 1


def test_a_run_that_would_go_on_differently_is_refused(tmp_path):
    """Same names, other trucks: what is led again doesn't meet what was noted."""
    scenario, bundle = WORLDS["everything on"], build_bundle("capped-base-stock")
    checkpoints = Checkpoints(tmp_path / "run", 2)
    cut_off(scenario, bundle, checkpoints, 11, seed=4)
    other = dataclasses.replace(scenario, warehouse=WarehouseRules(docks=2, pickers=2))
    with pytest.raises(CheckpointDiffers, match="differs from the first time"):
        simulate(other, bundle, seed=4, checkpoints=checkpoints)


def test_checkpoints_are_refused_where_receipts_come_in_stretches(tmp_path):
    with pytest.raises(ScenarioInvalid, match="stretches"):
        simulate(
            world(), up_to(), seed=1, feed=lambda _: None, checkpoints=Checkpoints(tmp_path / "run")
        )
    with pytest.raises(ScenarioInvalid, match="every 0 days"):
        Checkpoints(tmp_path / "run", 0)


def test_a_checkpoint_can_hold_data_and_nothing_that_acts():
    text = pickle.dumps(print)
    with pytest.raises(pickle.UnpicklingError, match="no builtins"):
        PlainUnpickler(io.BytesIO(text)).load()


def test_a_panel_comes_back_with_the_rows_that_are_read():
    rng = np.random.default_rng(1)
    panel = GrowingPanel((2, 3), 20, 400, None)
    for _ in range(150):
        panel.begin_day()
        panel.sold_today[:] = rng.integers(0, 9, (2, 3))
        panel.keep_today()
    again = pickle.loads(pickle.dumps(panel))
    for _ in range(200):
        for one in (panel, again):
            one.begin_day()
        panel.sold_today[:] = rng.integers(0, 9, (2, 3))
        again.sold_today[:] = panel.sold_today
        for one in (panel, again):
            one.keep_today()
        assert (panel.leaving() == again.leaving()).all()
        assert (panel.view(0).sold == again.view(0).sold).all()
    assert (panel.history() == again.history()).all()


def test_members_of_enumerations_are_written_by_their_value():
    """Debian 12's Python 3.11.2 would write a call of getattr, which is never read."""
    written = plain_bytes([Fallback.TOO_NEW])
    assert b"getattr" not in written
    read = PlainUnpickler(io.BytesIO(written)).load()
    assert read[0] is Fallback.TOO_NEW
