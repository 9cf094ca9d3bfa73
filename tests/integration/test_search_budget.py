"""The search: cheap runs first, few go on, and the same seed finds the same winner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.domain.errors import InvalidInput
from scenarios.gate_study import _world
from scenarios.gate_world import miniature_network, run_miniatures
from scenarios.history.generate import generate_chain
from scenarios.tune import Study, tune
from scenarios.worlds import save_chain

SPACE = {
    "safety_share": [0.4, 0.7, 1.0, 1.3],
    "warehouse_batch_days": [0.0, 1.0, 2.0, 4.0],
    "reviews_per_week": [1, 2, 3],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Forty-eight points, of which a dozen are tried."""
    chain = tmp_path_factory.mktemp("miniature")
    receipts = generate_chain(stores=1, skus=1, days=7, lines_per_store_day=1, seed=1)[1]
    save_chain(chain, miniature_network(), receipts, [(0, 6)])
    return Study(
        policy="base-stock",
        start={"safety_share": 1.0, "reviews_per_week": 3, "warehouse_batch_days": 0.0},
        space=SPACE,
        search_world=_world(str(chain), 4, 30, 40, 4),
        final_world=_world(str(chain), 4, 10, 40, 8),
        evaluations=12,
        finalists=3,
        replications=6,
        workers=1,
        method="sampled",
    )


def test_the_same_seed_finds_the_same_winner_whatever_the_method(study):
    """And not a worse one than where it began; another seed asks for other points."""
    for method in ("sampled", "coordinate"):
        one, two = (tune(replace(study, method=method), run=run_miniatures) for _ in range(2))
        assert one == two or one.history == two.history
        searched = [row for row in one.history if row["window"] == "search"]
        assert len(searched) <= study.evaluations
        assert min(row["objective"] for row in searched) < searched[0]["objective"]
    other = tune(replace(study, seed=2), run=run_miniatures)
    assert other.history != tune(study, run=run_miniatures).history


def test_finalists_that_clearly_cost_more_get_no_further_replications(study):
    """Every point tried is the winner's rival, or is said to have been dropped and where."""
    found = tune(study, run=run_miniatures)
    searched = [row for row in found.history if row["window"] == "search"]
    finals = [row for row in found.history if row["window"] == "final"]
    assert len(finals) < study.finalists * study.replications
    rungs = [one["rung"] for one in found.dropped]
    assert rungs.count("search") == len(searched) - study.finalists
    assert "final" in rungs or len(finals) == study.finalists * 3
    assert found.params not in [one["params"] for one in found.dropped]


def test_finalists_that_count_as_equal_end_the_selection(study):
    """An indifference wider than any difference: three replications are enough."""
    found = tune(replace(study, indifference=10.0, finalists=2), run=run_miniatures)
    finals = [row for row in found.history if row["window"] == "final"]
    assert len(finals) == 2 * 3


def test_a_search_nobody_wrote_is_refused(study):
    """With the names of those that are."""
    with pytest.raises(InvalidInput, match="no search"):
        replace(study, method="oracle")
