"""Changes of SKUs: each makes a new version, and the one before it is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, insert, select, update

from ops_api.errors import VersionConflict
from ops_api.ledger.write import announce, record_audit
from ops_api.masterdata.artefact import pack
from ops_api.masterdata.service import NETWORK, network_of
from ops_api.masterdata.tables import ARTEFACTS, SKU_VERSIONS, SKUS
from policies.domain.errors import InvalidInput, StoretwinError, UnknownSku
from policies.domain.network import Network

PLANNED = (
    "unit_cost_cents",
    "unit_price_cents",
    "pack_size",
    "mass_g",
    "volume_cm3",
    "shelf_life_days",
)
"""Numbers that the planner's network carries too."""
CHANGEABLE = (
    "name",
    "category",
    *PLANNED,
    "count_tolerance_units",
    "lot_tracked",
    "serial_tracked",
)

_CHUNK = 5_000


@dataclass(frozen=True)
class SkuChange:
    """New values of a SKU, made from the version that was read."""

    sku: str
    version: int
    values: Mapping[str, Any]


def change_skus(
    connection: Connection, changes: Sequence[SkuChange], *, change_id: str, actor: str, at: int
) -> dict[str, StoretwinError]:
    """Apply what can be applied as one change; what is refused is answered by SKU.

    Parameters
    ----------
    at : whole seconds of UTC since 1970, from when the new values hold

    Returns
    -------
    dict of str to StoretwinError
        Refused SKUs: unknown, changed meanwhile, or of a category the network lacks.
    """
    refused: dict[str, StoretwinError] = {}
    names = sorted({one.sku for one in changes})
    known = {
        row.id: row
        for start in range(0, len(names), _CHUNK)
        for row in connection.execute(
            select(SKUS).where(SKUS.c.id.in_(names[start : start + _CHUNK])).with_for_update()
        )
    }
    categories = {row[0] for row in connection.execute(select(SKUS.c.category).distinct())}
    good = []
    for one in changes:
        try:
            _check(one, known.get(one.sku), categories)
        except StoretwinError as error:
            refused[one.sku] = error
        else:
            good.append(one)
    if good:
        _write(connection, good, known, change_id=change_id, actor=actor, at=at)
    return refused


def _check(one: SkuChange, found: Any, categories: set[str]) -> None:
    if found is None:
        raise UnknownSku(f"no SKU {one.sku!r}", field="sku", row=one.sku)
    if found.version != one.version:
        raise VersionConflict(
            f"SKU {one.sku} is version {found.version} by now, the change is made from "
            f"{one.version}",
            field="version",
            row=one.sku,
            remedy="read it again and make the change anew",
            facts={"document": one.sku},
        )
    category = one.values.get("category", found.category)
    if found.axis is not None and category not in categories:
        raise InvalidInput(
            f"no SKU of the network has the category {category!r}",
            field="category",
            row=one.sku,
            remedy=f"one of {', '.join(sorted(categories))[:200]}",
        )


def _write(
    connection: Connection,
    good: list[SkuChange],
    known: dict[str, Any],
    *,
    change_id: str,
    actor: str,
    at: int,
) -> None:
    connection.execute(
        insert(SKU_VERSIONS),
        [
            {
                "sku": one.sku,
                "version": one.version,
                "valid_from": known[one.sku].valid_from,
                "actor": actor,
                "change_id": change_id,
                "content": json.dumps(dict(known[one.sku]._mapping), ensure_ascii=False),
            }
            for one in good
        ],
    )
    rows = []
    for one in good:
        old = known[one.sku]
        row = {name: one.values.get(name, getattr(old, name)) for name in CHANGEABLE}
        begins = old.lot_tracked_from if old.lot_tracked else at
        row["lot_tracked_from"] = begins if row["lot_tracked"] else None
        rows.append({"b_id": one.sku, **{f"n_{name}": value for name, value in row.items()}})
    names = (*CHANGEABLE, "lot_tracked_from")
    connection.execute(
        update(SKUS)
        .where(SKUS.c.id == bindparam("b_id"))
        .values(
            version=SKUS.c.version + 1,
            valid_from=at,
            **{name: bindparam(f"n_{name}") for name in names},
        ),
        rows,
    )
    _refresh_network(connection, [known[one.sku] for one in good], at)
    record_audit(
        connection,
        "sku.change",
        recorded_at=at,
        actor=actor,
        subject=change_id,
        detail={"skus": [one.sku for one in good][:100], "count": len(good)},
    )
    announce(
        connection,
        "sku.changed",
        {"change": change_id, "skus": len(good)},
        recorded_at=at,
    )


def _refresh_network(connection: Connection, changed: list[Any], at: int) -> None:
    """The planner reads the network's copy: it gets the new numbers in the same transaction."""
    if all(row.axis is None for row in changed):
        return
    network = network_of(connection)
    rows = connection.execute(
        select(SKUS).where(SKUS.c.axis.is_not(None)).order_by(SKUS.c.axis)
    ).all()
    if [row.id for row in rows] != list(network.skus.ids):
        raise InvalidInput("rows and network name other SKUs", field="network")
    content = pack(_with_skus(network, rows))
    connection.execute(
        update(ARTEFACTS)
        .where(ARTEFACTS.c.name == NETWORK)
        .values(content=content, sha256=hashlib.sha256(content).hexdigest(), recorded_at=at)
    )


def _with_skus(network: Network, rows: Sequence[Any]) -> Network:
    index = {name: i for i, name in enumerate(network.skus.categories)}
    unknown = next((row for row in rows if row.category not in index), None)
    if unknown is not None:
        raise InvalidInput(
            f"the network has no category {unknown.category!r}", field="category", row=unknown.id
        )
    numbers: dict[str, Any] = {
        name: np.array([getattr(row, name) for row in rows], dtype=np.int32) for name in PLANNED
    }
    skus = dataclasses.replace(
        network.skus,
        names=tuple(row.name for row in rows),
        category=np.array([index[row.category] for row in rows], dtype=np.int32),
        **numbers,
    )
    return dataclasses.replace(network, skus=skus)
