"""A replication's file gives back what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from scenarios.parts import read_part, write_part
from twin.result import RunResult


def some_result(rng: np.random.Generator) -> RunResult:
    facts = DayFacts(
        7,
        ("S1", "店二"),
        ("all",),
        rng.integers(-5, 1 << 40, (3, 2, 1, len(SKU_FACTS))),
        rng.integers(0, 9, (3, 2, len(LOCATION_FACTS))),
        has_latent=True,
        as_known_at_s=11,
    )
    totals = rng.integers(0, 99, (3, 4))
    counters = {"lines": 12, "crane_cycles": 7}
    return RunResult("base", "plain", 5, 2, facts, 8, *totals, counters=counters)


def test_a_part_holds_every_number_of_its_replication(tmp_path: Path) -> None:
    made = some_result(np.random.default_rng(1))
    path = tmp_path / "parts" / "2.npz"
    write_part(made, path)
    back = read_part(path)
    assert np.array_equal(back.facts.sku_facts, made.facts.sku_facts)
    assert np.array_equal(back.facts.location_facts, made.facts.location_facts)
    for name in ("locations", "categories", "first_day", "has_latent", "as_known_at_s"):
        assert getattr(back.facts, name) == getattr(made.facts, name)
    for name in ("scenario", "policy", "seed", "replication", "first_kpi_day", "counters"):
        assert getattr(back, name) == getattr(made, name)
    for name in ("sold_per_sku", "lost_per_sku", "demanded_per_sku"):
        assert np.array_equal(getattr(back, name), getattr(made, name))
    assert list(path.parent.iterdir()) == [path]


def test_a_part_that_could_not_be_written_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(np, "savez", full)
    path = tmp_path / "0.npz"
    with pytest.raises(OSError, match="no space"):
        write_part(some_result(np.random.default_rng(2)), path)
    assert not path.exists()
