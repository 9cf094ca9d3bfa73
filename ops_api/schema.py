"""Every table of the service, for migrations and tests."""

from __future__ import annotations

from ops_api.counts import tables as counts
from ops_api.database import METADATA
from ops_api.ledger import schema as ledger
from ops_api.masterdata import tables as masterdata
from ops_api.people import tables as people
from ops_api.planning import tables as planning
from ops_api.purchasing import tables as purchasing
from ops_api.quality import tables as quality
from ops_api.reservations import tables as reservations
from ops_api.returns import tables as returns
from ops_api.rfid import tables as rfid
from ops_api.tasks import tables as tasks
from ops_api.transfers import tables as transfers
from ops_api.webhooks import tables as webhooks
from ops_api.workbooks import tables as workbooks
from ops_api.writeoffs import tables as writeoffs

TABLE_MODULES = (
    counts,
    ledger,
    masterdata,
    people,
    planning,
    purchasing,
    quality,
    reservations,
    returns,
    rfid,
    tasks,
    transfers,
    webhooks,
    workbooks,
    writeoffs,
)

__all__ = ["METADATA", "TABLE_MODULES"]
