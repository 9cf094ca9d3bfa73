"""Benchmarks of forecasts and routes: small runs give all figures, wrong asks are named."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from policies.domain.errors import InvalidInput
from scenarios.bench_forecast import bench_forecast
from scenarios.bench_route import bench_route
from ui.cli import app


def test_forecasts_are_timed_with_their_quantiles():
    command = ["bench", "forecast", "--series", "60", "--days", "100", "--horizon", "7",
               "--model", "ses", "--json"]  # fmt: skip
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert result["series_per_second"] == pytest.approx(60 / result["predict_seconds"])
    assert result["fit_seconds"] > 0
    assert result["peak_rss_bytes"] > 0


def test_engines_are_compared_on_the_same_days():
    """Savings against itself is 1; a search of a second does not make it worse by a tenth."""
    command = ["bench", "route", "--stops", "20", "--days", "2", "--seconds", "1", "--json"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    engines = json.loads(run.stdout)["engines"]
    assert engines["savings"]["over_savings"] == 1.0
    assert engines["ortools"]["over_savings"] < 1.1
    assert all(one["feasible"] for one in engines.values())


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: bench_forecast(0), "series"),
        (lambda: bench_forecast(5, model="oracle"), "model"),
        (lambda: bench_forecast(5, days=0), "days"),
        (lambda: bench_route(0), "stops"),
        (lambda: bench_route(5, days=0), "days"),
        (lambda: bench_route(5, engines=("oracle",)), "engines"),
    ],
)
def test_what_can_not_be_measured_is_named(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.field == field
    assert caught.value.remedy
