"""Frames of the ledger's rows as the domain's columns, on a network's axis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ops_api.planning.wallclock import WallClock
from policies.domain.errors import UnknownSku
from policies.domain.ledger import MovementColumns, location_code
from policies.domain.network import Network


class FrameColumns:
    """Turns frames of :mod:`ops_api.ledger.reading` into :class:`MovementColumns`.

    Parameters
    ----------
    network : Network, whose axis the columns use
    """

    def __init__(self, network: Network) -> None:
        self._clock = WallClock(network)
        self._index = {name: i for i, name in enumerate(network.locations.ids)}
        self._sku = {name: i for i, name in enumerate(network.skus.ids)}
        self._code: dict[str, int] = {}

    def of(self, rows: pd.DataFrame) -> MovementColumns:
        """Columns of the frame's rows, in its order; all are taken for rows of the book."""
        size = len(rows)
        return MovementColumns(
            rows.kind.to_numpy(dtype=np.int8),
            np.zeros(size, dtype=np.int8),
            self._skus(rows.sku),
            self._codes(rows.from_location),
            self._codes(rows.to_location),
            rows.quantity.to_numpy(dtype=np.int32),
            self._clock.seconds(rows.occurred_at.to_numpy(dtype=np.int64)),
            self._clock.seconds(rows.recorded_at.to_numpy(dtype=np.int64)),
            np.full(size, -1, dtype=np.int32),
        )

    def _skus(self, names: pd.Series) -> npt.NDArray[np.int32]:
        number, each = pd.factorize(names)
        try:
            found = [self._sku[name] for name in each]
        except KeyError as error:
            raise UnknownSku(
                f"the ledger moves SKU {error.args[0]!r}, which the network does not have",
                field="sku",
                row=str(error.args[0]),
                remedy="load a network with this SKU",
            ) from None
        return np.array(found, dtype=np.int32)[number]

    def _codes(self, names: pd.Series) -> npt.NDArray[np.int32]:
        number, each = pd.factorize(names)
        code = self._code
        for name in set(each) - code.keys():
            code[name] = location_code(name, self._index)
        return np.array([code[name] for name in each], dtype=np.int32)[number]
