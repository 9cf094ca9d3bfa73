"""Facts computed a day at a time equal those of the whole ledger, late rows or not."""

from __future__ import annotations

import datetime as dt
import json
import uuid

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from ops_api.database import reading, writing
from ops_api.ledger.rows import Stamp, open_stock
from ops_api.ledger.write import post
from ops_api.migrations.run import downgrade, upgrade
from ops_api.planning.day_book import DayBook
from ops_api.planning.day_panel import panel_by_day
from ops_api.planning.day_store import pack_change, unpack_change
from ops_api.planning.facts import day_facts_from_sql
from ops_api.planning.view import keep_sales_history, panel_from_sql
from policies.domain.day_walk import DayChange
from policies.domain.network import DAY_SECONDS
from tests.integration.planner_service import planning_rig, sell
from ui.cli import app


@pytest.fixture
def rig(tmp_path):
    made = planning_rig(tmp_path)
    for _ in range(2):
        made.clock.forward(days=1)
        sell(made, each=1)
    return made


def now_s(rig):
    return rig.network.seconds(rig.clock.now)


def whole(rig, known=None):
    """The full computation, from a reader that reads every row."""
    now = now_s(rig) if known is None else known
    with reading(rig.engine) as connection:
        first, _ = DayBook(rig.network).ledger_days(connection, now)
        return day_facts_from_sql(connection, rig.network, first, now // DAY_SECONDS, now)


def facts(rig, book, known=None):
    with reading(rig.engine) as connection:
        return book.facts(connection, now_s(rig) if known is None else known)


def same(one, other):
    assert (one.first_day, one.days) == (other.first_day, other.days)
    assert one.as_known_at_s == other.as_known_at_s
    assert np.array_equal(one.sku_facts, other.sku_facts)
    assert np.array_equal(one.location_facts, other.location_facts)


def late_sale(rig, days, store=0, sku=0):
    """A sale that happened days ago and is told now."""
    place = rig.network.locations.ids[rig.network.stores[store]]
    at = rig.clock.now - dt.timedelta(days=days)
    line = rig.sale(place, rig.network.skus.ids[sku], 2, occurred_at=at.isoformat())
    answer = rig.post("till", "/sales:batch", {"lines": [line]})
    assert answer.json["counts"].get("created", 0) == 1, answer.json


def kept_days(rig):
    with reading(rig.engine) as connection:
        return [row[0] for row in connection.execute(text("SELECT day FROM day_facts ORDER BY 1"))]


def test_facts_of_single_days_equal_those_of_the_whole_ledger(rig):
    """With an evening's plan, its orders and a forecast among them."""
    assert rig.post("boss", "/plans:run", {}).status_code in (200, 201)
    rig.clock.forward(days=1)
    sell(rig, each=1)
    found = facts(rig, DayBook(rig.network))
    same(found, whole(rig))
    assert (found.get("units_sold").sum(axis=(1, 2)) > 0).sum() >= 3
    assert found.get("forecast_milliunits").sum() > 0


def test_a_day_that_is_over_is_read_once(rig):
    """Another process takes it from the table; of a new day only its own rows are read."""
    first = DayBook(rig.network)
    days = facts(rig, first).days
    assert first.days_read == days
    assert len(kept_days(rig)) == days - 1
    second = DayBook(rig.network)
    same(facts(rig, second), whole(rig))
    assert second.days_read == 1
    rig.clock.forward(days=1)
    sell(rig, each=1)
    more = facts(rig, second)
    same(more, whole(rig))
    assert second.days_read == 1 + 1 + more.days - days


def test_a_late_row_opens_its_day_again_and_none_before_it(rig):
    """In the process that read the day, and in one that comes later."""
    book = DayBook(rig.network)
    before = facts(rig, book)
    read = book.days_read
    late_sale(rig, days=1)
    after = facts(rig, book)
    same(after, whole(rig))
    assert book.days_read == read + 2
    day = after.days - 2
    assert after.get("units_sold")[day].sum() == before.get("units_sold")[day].sum() + 2
    assert np.array_equal(after.sku_facts[:day], before.sku_facts[:day])
    late_sale(rig, days=2, store=1, sku=1)
    same(facts(rig, DayBook(rig.network)), whole(rig))
    same(facts(rig, book), whole(rig))


def test_a_row_from_before_the_first_day_makes_an_earlier_first_day(rig):
    book = DayBook(rig.network)
    before = facts(rig, book)
    at = int(rig.clock.now.timestamp())
    stamp = Stamp(at - 6 * DAY_SECONDS, at, "test")
    place = rig.network.locations.ids[rig.network.stores[0]]
    with writing(rig.engine) as connection:
        post(
            connection,
            [open_stock(stamp, str(uuid.uuid4()), rig.network.skus.ids[0], place, 7)],
        )
    after = facts(rig, book)
    assert after.first_day < before.first_day
    same(after, whole(rig))
    same(facts(rig, DayBook(rig.network)), whole(rig))


def test_who_knows_less_sees_less(rig):
    """The facts as known before a late row, though the days are kept with it."""
    book = DayBook(rig.network)
    known = now_s(rig)
    before = facts(rig, book)
    rig.clock.forward(hours=1)
    late_sale(rig, days=2)
    after = facts(rig, book)
    assert after.get("units_sold").sum() == before.get("units_sold").sum() + 2
    same(facts(rig, book, known), whole(rig, known))
    same(facts(rig, book, known), before)
    same(facts(rig, book), after)
    same(facts(rig, DayBook(rig.network)), after)


def test_sales_from_before_the_ledger_keep_goods_from_being_slow(rig):
    """A history that is given later changes what the kept days rest on."""
    book = DayBook(rig.network)
    before = facts(rig, book)
    sold = np.random.default_rng(1).integers(0, 9, (70, *rig.network.shape)).astype(np.int32)
    with writing(rig.engine) as connection:
        keep_sales_history(connection, rig.network, sold, before.first_day - 1, 0)
    after = facts(rig, book)
    same(after, whole(rig))
    slow = "slow_stock_cents"
    assert after.get(slow).sum() != before.get(slow).sum()
    rig.clock.forward(days=60)
    sell(rig, each=1)
    same(facts(rig, book), whole(rig))
    same(facts(rig, DayBook(rig.network)), whole(rig))


def test_two_processes_do_not_mix_their_days(rig):
    """Who kept a day on other grounds than the table's now computes without keeping."""
    one, other = DayBook(rig.network), DayBook(rig.network)
    facts(rig, one)
    facts(rig, other)
    late_sale(rig, days=2)
    same(facts(rig, one), whole(rig))
    late_sale(rig, days=1, store=1)
    same(facts(rig, other), whole(rig))
    same(facts(rig, one), whole(rig))
    assert len(kept_days(rig)) == facts(rig, one).days - 1


def test_a_days_changes_survive_their_packing():
    rng = np.random.default_rng(2)
    cell = np.flatnonzero(rng.random(4_000) < 0.3)
    columns = rng.integers(-400, 400, (3, len(cell)))
    back = unpack_change(pack_change(DayChange(cell, *columns)))
    assert np.array_equal(back.cell, cell)
    for name, expected in zip(("stock", "moving", "sold"), columns, strict=True):
        assert np.array_equal(getattr(back, name), expected)


def test_the_command_brings_the_days_up_to_date(rig):
    """What it kept, pages find done."""
    url = rig.engine.url.render_as_string(hide_password=False)
    given = ["db", "day-facts", "--db", url, "--as-of", rig.clock.now.isoformat(), "--json"]
    first = CliRunner().invoke(app, given)
    assert first.exit_code == 0, first.output
    told = json.loads(first.output)
    assert told["days_read"] == told["days"]
    again = json.loads(CliRunner().invoke(app, given).output)
    assert again == {**told, "days_read": 1}


def test_a_migration_down_and_up_computes_the_days_again(rig):
    before = facts(rig, DayBook(rig.network))
    url = rig.engine.url.render_as_string(hide_password=False)
    rig.engine.dispose()
    downgrade(url, "0009")
    upgrade(url)
    assert kept_days(rig) == []
    same(facts(rig, DayBook(rig.network)), before)
    assert len(kept_days(rig)) == before.days - 1


@pytest.mark.parametrize(("back", "days"), [(0, 56), (0, 2), (7, 56), (20, 2), (60, 56)])
def test_the_panel_of_single_days_is_that_of_the_whole_ledger(rig, back, days):
    """At any hour, with sales undone, with and without what was sold before."""
    store = rig.network.locations.ids[rig.network.stores[0]]
    sale = rig.sale(store, rig.network.skus.ids[0], 2)
    assert rig.post("till", "/sales:batch", {"lines": [sale]}).status_code == 200
    late_sale(rig, days=1, store=1)
    empty = [rig.sale(store, sku, 60) for sku in rig.network.skus.ids[:4]]
    assert rig.post("till", "/sales:batch", {"lines": empty}).status_code == 200
    rig.clock.forward(hours=2)
    undone = rig.post("boss", f"/movements/{sale['event_id']}:reverse")
    assert undone.status_code == 201, undone.json
    for with_history in (False, True):
        if with_history:
            sold = np.random.default_rng(1).integers(0, 9, (30, *rig.network.shape))
            with writing(rig.engine) as connection:
                keep_sales_history(connection, rig.network, sold.astype(np.int32), -2, 0)
        for known in (None, now_s(rig)):
            as_of = now_s(rig) - back * 3_600
            with reading(rig.engine) as connection:
                expected = panel_from_sql(connection, rig.network, as_of, days, known)
                found = panel_by_day(connection, rig.network, as_of, days, known)
            assert found.last_day == expected.last_day
            assert np.array_equal(found.sold, expected.sold)
            percent = (found.out_share, expected.out_share)
            assert np.array_equal(*percent)
    assert back or percent[0].any()
