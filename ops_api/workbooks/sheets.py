"""The sheets that people edit: SKUs, counts, proposals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from ops_api.masterdata.tables import ASSORTMENTS, GTINS, SKUS
from ops_api.planning.tables import PROPOSAL_LINES, PROPOSALS
from ops_api.workbooks.columns import FLAG, WHOLE, Column

SKU_SHEET = (
    Column("sku", "商品编码", is_locked=True),
    Column("version", "版本", WHOLE, is_locked=True, least=1),
    Column("gtin", "条码"),
    Column("name", "名称"),
    Column("category", "类别"),
    Column("unit_cost_cents", "成本(分)", WHOLE),
    Column("unit_price_cents", "售价(分)", WHOLE),
    Column("pack_size", "箱规", WHOLE, least=1, most=1_000_000),
    Column("mass_g", "重量(克)", WHOLE),
    Column("volume_cm3", "体积(立方厘米)", WHOLE),
    Column("shelf_life_days", "保质期(天)", WHOLE, most=36_500),
    Column("count_tolerance_units", "盘点容差", WHOLE, most=10_000),
    Column("lot_tracked", "按批次管理", FLAG),
    Column("serial_tracked", "按序列号管理", FLAG),
)
COUNT_SHEET = (
    Column("sku", "商品编码", is_locked=True),
    Column("gtin", "条码"),
    Column("name", "名称"),
    Column("counted", "实盘数量", WHOLE, most=10_000_000),
)
DECISIONS = ("accept", "refuse")
REFUSALS = ("enough_stock", "no_space", "wrong_season", "delisted", "quality", "other")
PROPOSAL_SHEET = (
    Column("proposal", "建议单号", is_locked=True),
    Column("version", "版本", WHOLE, is_locked=True, least=1),
    Column("origin", "调出"),
    Column("destination", "调入"),
    Column("sku", "商品编码", is_locked=True),
    Column("name", "名称"),
    Column("proposed", "建议数量", WHOLE),
    Column("decision", "决定", choices=DECISIONS),
    Column("quantity", "决定数量", WHOLE, most=10_000_000),
    Column("reason", "拒绝原因", choices=REFUSALS),
)


def first_gtins(connection: Connection, skus: list[str] | None = None) -> dict[str, str]:
    """The first barcode of each SKU, or of some."""
    out: dict[str, str] = {}
    query = select(GTINS.c.sku, GTINS.c.gtin).order_by(GTINS.c.gtin)
    if skus is not None:
        query = query.where(GTINS.c.sku.in_(skus))
    for sku, gtin in connection.execute(query):
        out.setdefault(sku, gtin)
    return out


def sku_rows(connection: Connection) -> Iterator[tuple[Any, ...]]:
    """SKUs in the columns of :data:`SKU_SHEET`."""
    gtins = first_gtins(connection)
    query = select(SKUS).order_by(SKUS.c.id).execution_options(yield_per=2_000)
    for row in connection.execute(query):
        yield (
            row.id,
            row.version,
            gtins.get(row.id, ""),
            *(getattr(row, column.name) for column in SKU_SHEET[3:]),
        )


def count_rows(connection: Connection, location: str) -> Iterator[tuple[Any, ...]]:
    """The assortment of a location, blind: nobody sees what is expected."""
    gtins = first_gtins(connection)
    query = (
        select(SKUS.c.id, SKUS.c.name)
        .join_from(ASSORTMENTS, SKUS, SKUS.c.id == ASSORTMENTS.c.sku)
        .where(ASSORTMENTS.c.location == location)
        .order_by(SKUS.c.category, SKUS.c.id)
    )
    for row in connection.execute(query):
        yield row.id, gtins.get(row.id, ""), row.name, None


def proposal_rows(
    connection: Connection, reach: frozenset[str] | None
) -> Iterator[tuple[Any, ...]]:
    """Open proposals within reach, a row for each line."""
    p, l = PROPOSALS.c, PROPOSAL_LINES.c  # noqa: E741
    query = (
        select(p.id, p.version, p.origin, p.destination, l.sku, SKUS.c.name, l.quantity)
        .join_from(PROPOSALS, PROPOSAL_LINES, l.proposal_id == p.id)
        .outerjoin(SKUS, SKUS.c.id == l.sku)
        .where(p.state == "open")
        .order_by(p.id, l.line)
    )
    if reach is not None:
        query = query.where(p.destination.in_(sorted(reach)) | p.origin.in_(sorted(reach)))
    for row in connection.execute(query):
        yield (*row, "", None, "")
