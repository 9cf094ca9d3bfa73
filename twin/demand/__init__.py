"""Demand from a panel's receipts: expansion, bootstrap and thinning, all by whole baskets.

>>> pools = prepare_pools(receipts, network, segments)            # doctest: +SKIP
>>> demand = expand(pools, k, seed, replication, first, last)     # doctest: +SKIP
"""

from twin.demand.baskets import thin, with_quantity_one
from twin.demand.bootstrap import bootstrap
from twin.demand.clusters import cluster_stores
from twin.demand.expansion import ExpansionRecord, expand, record
from twin.demand.pools import Pools, prepare_pools

__all__ = [
    "ExpansionRecord",
    "Pools",
    "bootstrap",
    "cluster_stores",
    "expand",
    "prepare_pools",
    "record",
    "thin",
    "with_quantity_one",
]
