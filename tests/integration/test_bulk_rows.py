"""Many rows in one statement: the same rows as one by one, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from ops_api.bulk import among, insert_rows, upsert_rows
from ops_api.database import reading, writing
from ops_api.ledger.schema import CHAIN_HEADS, IDEMPOTENCY
from tests.integration.api_service import make_rig

ODD = [
    "plain", "", " ", "NULL", "null", '"', "\\", '\\"', "{}", "{a,b}", "a,b", "'; DROP TABLE x; --",
    "tab\tand\nline", "中文 é 😀", "%s", "%(key)s", ":name", "[1]", '{"a": 1}',
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory, database):
    return make_rig(tmp_path_factory.mktemp("bulk")).engine


def rows(prefix):
    return [
        {"key": f"{prefix}{i}", "body_sha256": text, "actor": "a", "recorded_at": 2**40 + i,
         "status": 201, "answer": text}
        for i, text in enumerate(ODD)
    ]  # fmt: skip


def test_texts_of_every_kind_come_back_as_they_went_in(engine):
    """Quotes, braces, backslashes, NULL as a word, and characters beyond the first plane."""
    with writing(engine) as connection:
        insert_rows(connection, IDEMPOTENCY, rows("odd "))
    columns = IDEMPOTENCY.c
    with reading(engine) as connection:
        found = {
            row.key: row
            for row in connection.execute(select(IDEMPOTENCY).where(columns.key.like("odd %")))
        }
    for row in rows("odd "):
        assert found[row["key"]]._mapping == row


@pytest.mark.parametrize("wanted", [[], ["odd text 3"], ODD, [f"x{i}" for i in range(3_000)]])
def test_membership_in_a_list_of_any_length(engine, wanted):
    """What IN finds, for no value, odd values and thousands."""
    prefix = f"member {len(wanted)} "
    with writing(engine) as connection:
        insert_rows(connection, IDEMPOTENCY, rows(prefix))
        found = set(
            connection.execute(
                select(IDEMPOTENCY.c.answer).where(
                    IDEMPOTENCY.c.key.like(f"{prefix}%"),
                    among(connection, IDEMPOTENCY.c.answer, wanted),
                )
            ).scalars()
        )
    assert found == set(wanted) & set(ODD)


def test_a_key_that_is_there_is_changed_and_another_is_added(engine):
    heads = [{"chain": f"bulk {text}", "seq": 1, "hash": "a"} for text in ODD]
    with writing(engine) as connection:
        upsert_rows(connection, CHAIN_HEADS, heads[:5], ("chain",), "seq = excluded.seq")
        again = [head | {"seq": 7} for head in heads]
        upsert_rows(connection, CHAIN_HEADS, again, ("chain",), "seq = excluded.seq")
        count, total = connection.execute(
            select(func.count(), func.sum(CHAIN_HEADS.c.seq)).where(
                CHAIN_HEADS.c.chain.like("bulk %")
            )
        ).one()
    assert (count, total) == (len(ODD), 7 * len(ODD))


def test_no_rows_is_no_statement(engine):
    with writing(engine) as connection:
        insert_rows(connection, IDEMPOTENCY, [])
        upsert_rows(connection, CHAIN_HEADS, [], ("chain",), "seq = excluded.seq")
