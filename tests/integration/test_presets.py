"""A year of each industry and store format lies where such chains lie."""

from __future__ import annotations

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from scenarios.commands import run_command
from scenarios.history.generate import generate_chain
from scenarios.history.preset_industries import FORMATS, INDUSTRIES
from scenarios.scenario import library

SMALL = {"stores": 6, "skus": 90, "days": 56, "lines_per_store_day": 80, "seed": 4}
# Lowest and highest plausible figure; docs/presets.md says where each comes from.
PLAUSIBLE = {
    "fast-moving": {
        "stock_turn": (8, 25), "on_shelf_availability": (0.90, 0.999), "write_off_rate": (0, 0.03),
    },
    "fresh": {
        "stock_turn": (40, 120), "on_shelf_availability": (0.90, 0.999),
        "write_off_rate": (0.03, 0.15),
    },
    "apparel": {
        "stock_turn": (2, 7), "on_shelf_availability": (0.90, 0.999), "write_off_rate": (0, 0.03),
    },
    "convenience": {"stock_turn": (8, 25), "on_shelf_availability": (0.90, 0.999)},
    "supermarket": {"stock_turn": (8, 25), "on_shelf_availability": (0.90, 0.999)},
    "hypermarket": {"stock_turn": (8, 25), "on_shelf_availability": (0.90, 0.999)},
}  # fmt: skip


def test_every_preset_and_format_has_a_year():
    assert set(PLAUSIBLE) == {*INDUSTRIES, *FORMATS}
    assert {f"year-{name}" for name in PLAUSIBLE} <= set(library())


@pytest.mark.parametrize("name", PLAUSIBLE)
def test_a_year_has_plausible_key_figures(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run_command(f"year-{name}", out=tmp_path / "out", checkpoint_days=0)["kpis"]
    for kpi, (low, high) in PLAUSIBLE[name].items():
        assert low <= found[kpi]["mean"] <= high, kpi
    assert found["true_fill_rate"]["mean"] > 0.85
    assert found["co2e_per_unit_sold"]["mean"] > 0


def test_formats_differ_in_assortment_hours_and_sales():
    network, receipts = generate_chain(
        **SMALL, formats={"convenience": 1, "supermarket": 1, "hypermarket": 1}
    )
    stores = network.stores
    kind = np.array([network.locations.names[i].rpartition(", ")[2] for i in stores])
    assert set(kind.tolist()) == set(FORMATS)
    listed = network.listed[stores].sum(axis=1)
    lines = np.diff(receipts.offsets)
    for name, form in FORMATS.items():
        mine = kind == name
        assert set(listed[mine].tolist()) == {round(form.assortment * 90)}
        assert set(network.locations.closes_s[stores[mine]].tolist()) == {form.closes_s}
    small, large = lines[kind == "convenience"].mean(), lines[kind == "hypermarket"].mean()
    assert large > 3 * small
    store = np.repeat(np.arange(len(stores)), lines)
    assert network.listed[stores[store], receipts.sku].all()
    hour = receipts.t_s % 86_400
    assert (hour >= network.locations.opens_s[stores[store]]).all()


def test_apparel_has_sizes_colours_seasons_and_sales():
    network, receipts = generate_chain(**{**SMALL, "days": 364}, preset="apparel")
    ids = np.array(network.skus.ids)
    sold = np.bincount(receipts.sku, receipts.quantity, len(ids))
    by_size = {s: sold[np.char.endswith(ids, f"-{s}")].sum() for s in ("XS", "S", "M", "L", "XL")}
    assert max(by_size, key=by_size.get) == "M"
    assert by_size["XS"] < by_size["S"]
    week = receipts.t_s // (7 * 86_400)
    spring = network.skus.category[receipts.sku] == 0
    units = np.stack([np.bincount(week[m], receipts.quantity[m], 52) for m in (spring, ~spring)])
    assert units[0, 8:25].sum() > 3 * units[0, 36:50].sum()
    assert units[1, 36:50].sum() > 3 * units[1, 8:25].sum()
    full = network.skus.unit_price_cents[receipts.sku]
    assert 0.05 < (receipts.unit_price_cents < full).mean() < 0.5


def test_fresh_goods_expire_and_come_in_small_cases():
    network, _ = generate_chain(**SMALL, preset="fresh")
    fresh = network.skus.shelf_life_days > 0
    assert 0.4 <= fresh.mean() <= 0.6
    assert network.skus.shelf_life_days[fresh].max() <= 16
    assert set(network.skus.pack_size[fresh].tolist()) == {4}
    assert "bakery" in network.skus.categories


@pytest.mark.parametrize(
    ("formats", "word"),
    [({"kiosk": 1}, "kiosk"), ({"supermarket": -1}, "shares"), ({"supermarket": 0}, "shares")],
)
def test_impossible_formats_are_refused(formats, word):
    with pytest.raises(InvalidInput, match=word) as caught:
        generate_chain(**SMALL, formats=formats)
    assert caught.value.field == "formats"
    assert caught.value.remedy
