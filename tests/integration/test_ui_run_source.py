"""The pages' figures are those of the run folder and of the service, through the same KPIs."""

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, CostModel, DayFacts
from policies.domain.kpis import KPIS, value
from tests.ui_fixture import FixtureSource
from twin.output import dataset, write
from twin.result import RunResult
from ui.pages.figures import TILE_KPIS, Figures
from ui.run_source import RunSource, fold, join, read_runs


def facts(first_day: int, days: int, seed: int, latent: bool = True) -> DayFacts:
    rng = np.random.default_rng(seed)
    sku = rng.integers(1, 1_000, (days, 3, 4, len(SKU_FACTS)))
    place = rng.integers(1, 1_000, (days, 3, len(LOCATION_FACTS)))
    return DayFacts(first_day, ("W1", "S1", "S2"), tuple("abcd"), sku, place, latent, 0)


def run(replication: int) -> RunResult:
    nothing = np.zeros(2, dtype=np.int64)
    one = facts(20, 7, replication)
    return RunResult("promise", "winner", 1, replication, one, 20, nothing, nothing, nothing)


def test_every_kpi_of_a_result_file_is_that_of_its_runs(tmp_path):
    runs = [run(0), run(1)]
    write(dataset(runs), tmp_path / "promise.nc")
    read = read_runs(tmp_path / "promise.nc")
    assert [one.first_day for one in read] == [20, 20]
    for name in KPIS:
        for mine, theirs in zip(read, runs, strict=True):
            by = ("day", "location")
            np.testing.assert_allclose(
                value(KPIS[name], mine, CostModel(), by),
                value(KPIS[name], theirs.facts, CostModel(), by),
                rtol=1e-12,
            )


def test_a_missing_result_file_names_itself(tmp_path):
    with pytest.raises(InvalidInput, match="nowhere"):
        read_runs(tmp_path / "nowhere.nc")


def test_history_and_live_days_join_and_what_only_a_twin_knows_is_dropped():
    history, live = fold(facts(0, 10, 1)), fold(facts(8, 5, 2, latent=False))
    both = join(history, live)
    assert (both.first_day, both.days, both.has_latent) == (0, 13, False)
    sold = both.get("units_sold")
    np.testing.assert_array_equal(sold[:8], history.get("units_sold")[:8])
    np.testing.assert_array_equal(sold[8:], live.get("units_sold"))
    with pytest.raises(InvalidInput):
        both.get("units_lost")
    assert both.sku_facts[..., SKU_FACTS.index("units_lost")].sum() == 0


def test_days_between_history_and_live_have_no_figure():
    both = join(fold(facts(0, 3, 1)), fold(facts(6, 2, 2, latent=False)))
    shares = value(KPIS["stockout_rate"], both, by=("day",))
    assert np.isnan(shares[3:6]).all()
    assert np.isfinite(shares[[0, 2, 6, 7]]).all()


def test_a_source_over_files_feeds_the_page(tmp_path):
    like = FixtureSource(stores=2, days=27, promised_days=7, runs=2)
    write(dataset([run(0), run(1)]), tmp_path / "promise.nc")
    where = like.places()
    names = ("W1", "S1", "S2")
    places = type(where)(
        names,
        names,
        names,
        where.latitude[:3],
        where.longitude[:3],
        np.array([False, True, True]),
    )
    source = RunSource(
        places,
        like.situation,
        lambda: facts(20, 5, 9, latent=False),
        promise=tmp_path / "promise.nc",
    )
    figures = Figures.of(source)
    assert figures.runs == 2
    assert figures.window == (20, 24)
    assert all(figures.comparison(name).actual.top.shape == (1, 5, 2) for name in TILE_KPIS)
