"""Result files: the same results give the same bytes, and come back unchanged."""

import dataclasses
import json
import random
import subprocess
import sys

import h5py
import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from tests.shared_data import ROOT
from twin.output import cell, code_sha256, dataset, manifest, read, result_sha256, write
from twin.result import RunResult


def run(policy="P", replication=0, days=70, scale=1, **changes):
    """A run whose facts are numbers of every width, derived from its key."""
    rng = np.random.default_rng([replication, len(policy), ord(policy[0])])
    facts = DayFacts(
        3, ("W", "S1"), ("food", "生鲜"),
        rng.integers(-5, 10 ** (1 + np.arange(len(SKU_FACTS)) % 12), (days, 2, 2, len(SKU_FACTS))),
        rng.integers(0, 9 * scale, (days, 2, len(LOCATION_FACTS))),
        True, 999,
    )  # fmt: skip
    totals = rng.integers(0, 9, (3, 4))
    return RunResult(
        scenario="base", policy=policy, seed=7, replication=replication, facts=facts,
        first_kpi_day=10, sold_per_sku=totals[0], lost_per_sku=totals[1],
        demanded_per_sku=totals[2], seconds={"simulate": random.random()}, **changes,
    )  # fmt: skip


def runs():
    return [run(policy, r) for policy in ("A", "B") for r in range(3)]


def test_what_is_written_is_what_is_read(tmp_path):
    data = dataset(runs())
    back, facts = read(write(data, tmp_path / "result.nc"))
    assert back.identical(data)
    assert result_sha256(back) == result_sha256(data)
    assert len(facts) == 6
    wanted = run("B", 1).facts
    np.testing.assert_array_equal(facts[4].sku_facts, wanted.sku_facts)
    np.testing.assert_array_equal(facts[4].location_facts, wanted.location_facts)
    assert facts[4].categories == ("food", "生鲜")
    assert (facts[4].first_day, facts[4].has_latent, facts[4].as_known_at_s) == (3, True, 999)


def test_dims_are_scenario_replication_day_location_category():
    data = dataset(runs())
    assert data["units_sold"].dims == ("scenario", "replication", "day", "location", "category")
    assert data["units_sold"].shape == (2, 3, 70, 2, 2)
    assert data["route_metres"].dims == ("scenario", "replication", "day", "location")
    assert list(data["scenario"].to_numpy()) == ["base/A", "base/B"]
    assert all(np.issubdtype(data[name].dtype, np.integer) for name in data.data_vars)


def test_the_order_in_which_runs_finish_does_not_matter(tmp_path):
    a = write(dataset(runs()), tmp_path / "a.nc").read_bytes()
    b = write(dataset(runs()[::-1]), tmp_path / "b.nc").read_bytes()
    assert a == b


def test_the_number_of_threads_does_not_change_a_byte(tmp_path):
    data = dataset(runs())
    one = write(data, tmp_path / "one.nc", threads=1)
    three = write(data, tmp_path / "three.nc", threads=3)
    assert one.read_bytes() == three.read_bytes()
    assert result_sha256(data, threads=3) == result_sha256(data)


def test_integers_wider_than_they_need_be_are_written_like_narrow_ones(tmp_path):
    narrow = write(dataset(runs()), tmp_path / "narrow.nc")
    wide, _ = read(narrow)
    assert all(wide[name].dtype == np.int64 for name in wide.data_vars)
    assert write(wide, tmp_path / "wide.nc").read_bytes() == narrow.read_bytes()


def test_cells_of_runs_make_the_same_dataset_as_the_runs():
    assert dataset(cell(one) for one in runs()).identical(dataset(runs()))


def test_every_chunk_is_compressed_and_the_last_is_whole(tmp_path):
    path = write(dataset(runs()), tmp_path / "result.nc")
    with h5py.File(path) as file:
        sold = file["units_sold"]
        assert (sold.chunks, sold.compression, sold.shuffle) == ((1, 1, 64, 2, 2), "gzip", True)
        assert sold.id.get_num_chunks() == 2 * 3 * 2
        facts = run("B", 2).facts.sku_facts[..., SKU_FACTS.index("units_sold")]
        np.testing.assert_array_equal(sold[1, 2], facts)


def test_another_process_writes_the_same_bytes(tmp_path):
    here = write(dataset(runs()), tmp_path / "here.nc")
    code = (
        "import sys, pathlib; from tests.unit.test_demand_output import runs;"
        "from twin.output import dataset, write; write(dataset(runs()), pathlib.Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "there.nc")],
        check=True, cwd=ROOT, env={"PYTHONHASHSEED": "5", "TZ": "Asia/Shanghai"},
    )  # fmt: skip
    assert here.read_bytes() == (tmp_path / "there.nc").read_bytes()


def test_one_changed_unit_changes_the_hash():
    changed = runs()
    facts = changed[2].facts
    sku = facts.sku_facts.copy()
    sku[5, 1, 0, 4] += 1
    changed[2] = dataclasses.replace(changed[2], facts=dataclasses.replace(facts, sku_facts=sku))
    assert result_sha256(dataset(changed)) != result_sha256(dataset(runs()))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "no result"),
        ([*runs(), run("A", 0)], "twice"),
        (runs()[:-1], "missing"),
        ([run("A"), run("B", days=71)], "days"),
        ([run("A"), dataclasses.replace(run("B"), first_kpi_day=9)], "warm-up"),
    ],
)
def test_runs_that_do_not_fit_together_are_refused(bad, message):
    with pytest.raises(InvalidInput, match=message):
        dataset(bad)


def described(**changes):
    values = {
        "scenario_sha256": {"base": "1"}, "bundle_sha256": {"A": "2", "B": "3"},
        "data_sha256": "4", "panel_expansion": {"k": 15.0}, "seconds": {"all": 1.0},
    } | changes  # fmt: skip
    return manifest(dataset(runs()), **values)


def test_the_manifest_hash_ignores_wall_time_and_nothing_else():
    base = described()
    assert described(seconds={"all": 2.0})["content_sha256"] == base["content_sha256"]
    for change in ({"data_sha256": "5"}, {"panel_expansion": None}, {"bundle_sha256": {"A": "9"}}):
        assert described(**change)["content_sha256"] != base["content_sha256"]
    assert json.loads(json.dumps(base)) == base
    assert base["seeds"] == [7]
    assert set(base["versions"]) >= {"python", "numpy", "xarray", "simpy"}


def test_the_code_hash_sees_every_source_byte_and_file_name(tmp_path):
    (tmp_path / "pkg").mkdir()
    file = tmp_path / "pkg" / "a.py"
    file.write_text("x = 1\n")
    first = code_sha256([tmp_path / "pkg"])
    file.write_text("x = 2\n")
    second = code_sha256([tmp_path / "pkg"])
    file.rename(tmp_path / "pkg" / "b.py")
    assert len({first, second, code_sha256([tmp_path / "pkg"])}) == 3


def test_a_missing_result_file_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="no result file"):
        read(tmp_path / "none.nc")


def test_a_result_of_an_older_version_is_named(tmp_path):
    old = dataset(runs()).drop_vars("units_sold")
    with pytest.raises(InvalidInput, match="no units_sold: an older version"):
        read(write(old, tmp_path / "old.nc"))
