"""The emulated reality: every event once, the same by seed, and a ledger that stays whole."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from ops_api.database import reading
from ops_api.ledger.export import export_columns
from ops_api.ledger.schema import MOVEMENTS
from ops_api.planning.axis import Moment
from ops_api.planning.tables import PLANS, PROPOSALS, ROUTES
from ops_api.planning.view import book_from_sql
from ops_api.transfers.tables import TRANSFERS
from policies.domain.ledger import MovementKind
from scenarios.emulation.habits import Habits
from tests.integration.emulation_world import ROUGH, live


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Three days on a rough network, every reply heard."""
    return live(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """The same days, where one reply in six is lost and asked for again."""
    return live(tmp_path_factory.mktemp("faulty"), drop_share=1 / 6)


def ledger(lived):
    """Every movement's hash, in the order of its chain: all that the ledger says."""
    m = MOVEMENTS.c
    with reading(lived.engine) as connection:
        rows = connection.execute(select(m.chain, m.chain_seq, m.hash)).all()
    return sorted(map(tuple, rows))


def ids(lived, kind):
    with reading(lived.engine) as connection:
        found = connection.execute(
            select(MOVEMENTS.c.movement_id).where(MOVEMENTS.c.kind == int(kind))
        ).scalars()
        return set(found)


@pytest.mark.parametrize("which", ["plain", "faulty"])
def test_no_invariant_is_violated(which, request):
    """I1 to I11 on every row."""
    lived = request.getfixturevalue(which)
    assert not any(lived.health["violations"].values())
    assert lived.health["movements"] > 300


@pytest.mark.parametrize("which", ["plain", "faulty"])
def test_what_was_posted_took_effect_once_or_was_refused(which, request):
    """The accounts close: posted = effective + refused, and nothing took effect twice."""
    report = request.getfixturevalue(which).report
    assert report.twice_created == 0
    assert report.posted == report.effective + sum(report.refused.values())
    assert report.duplicates > 0
    assert report.late > 0
    assert set(report.refused) <= {"STATE_INVALID"}


def test_every_unit_that_a_customer_took_is_in_the_ledger_once(faulty):
    """The model's own account of sales against the service's."""
    shape = faulty.scenario.network.shape
    rows = export_columns(faulty.engine, faulty.scenario.network)
    sale = rows.kind == MovementKind.SELL
    sold = np.zeros(shape, dtype=np.int64)
    np.add.at(sold, (rows.from_location[sale], rows.sku[sale]), rows.quantity[sale])
    assert (sold == faulty.reality.model.account.array("sold", shape)).all()


def test_lost_replies_leave_the_ledger_of_the_day_without_them(plain, faulty):
    """Byte for byte: every row of every hash chain is the same."""
    assert faulty.report.duplicates > plain.report.duplicates
    assert ledger(faulty) == ledger(plain)


def test_the_same_seed_lives_the_same_days(plain, tmp_path):
    """And another seed does not."""
    again = live(tmp_path / "again")
    assert ledger(again) == ledger(plain)
    assert vars(again.report) | {"nights": []} == vars(plain.report) | {"nights": []}
    other = live(tmp_path / "other", days=1, seed=5)
    assert ids(other, MovementKind.SELL).isdisjoint(ids(plain, MovementKind.SELL))


def test_a_prompt_network_sends_nothing_twice_and_less_late(plain, tmp_path):
    """What is counted as late and as repeated comes from the habits, not from the model."""
    prompt = live(tmp_path / "prompt", habits=Habits(0.0, 0.0, refuse_share=ROUGH.refuse_share))
    assert not any(prompt.health["violations"].values())
    assert prompt.report.duplicates == 0
    # A till that rings up nothing for hours hands in when it next does.
    assert prompt.report.late < plain.report.late


def test_the_loop_is_closed(plain):
    """Each night planned on the service's book; what was approved left and arrived in it."""
    assert len(plain.report.nights) == plain.scenario.days
    with reading(plain.engine) as connection:
        plans = connection.execute(select(PLANS.c.state)).scalars().all()
        states = connection.execute(select(TRANSFERS.c.state)).scalars().all()
        trucks = connection.execute(select(ROUTES.c.state)).scalars().all()
        kept = connection.execute(select(PROPOSALS.c.state)).scalars().all()
    assert plans == ["done"] * plain.scenario.days
    assert "received" in states
    assert "returned" in trucks
    assert "accepted" in kept


def test_the_service_and_reality_keep_the_same_books(plain):
    """On hand, on the road and on order: whatever came late, twice, or was counted again."""
    model, network = plain.reality.model, plain.scenario.network
    with reading(plain.engine) as connection:
        book = book_from_sql(
            connection, network, Moment.of(network, model.end_s, model.end_s + 86_400)
        )
    account = model.account
    assert (book.on_hand == account.array("book", network.shape)).all()
    assert (book.in_transit == account.array("transit", network.shape)).all()
    assert (book.on_order == account.array("on_order", network.shape)).all()
    assert (book.reserved == account.array("reserved", network.shape)).all()
    assert (account.array("physical", network.shape) != book.on_hand).any()
