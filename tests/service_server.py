"""The real service with the pages in front: ``python -m tests.service_server FOLDER``.

Three stores, one warehouse, five SKUs; one transfer is on its way to S0001. What a test
needs to know of it stands in ``FOLDER/known.json``.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

from tests.integration.api_service import Rig, make_rig
from tests.ui_server import MARK
from ui.serve import Serving, make_server, run

SHIPPED = {0: 12, 1: 6}


def ship(rig: Rig) -> str:
    """A transfer of two SKUs from the warehouse, on the road."""
    lines = [{"sku": rig.network.skus.ids[i], "quantity": n} for i, n in SHIPPED.items()]
    body = {"origin": "W01", "destination": "S0001", "lines": lines}
    made = rig.post("manager1", "/transfers", body)
    assert made.status_code == 201, made.json
    document = made.json["id"]
    if rig.post("keeper", f"/transfers/{document}:approve").status_code != 200:
        rig.post("boss", f"/transfers/{document}:approve")
    rig.post("keeper", f"/transfers/{document}:pick")
    shipped = rig.post("keeper", f"/transfers/{document}:ship")
    assert shipped.status_code == 200, shipped.json
    return document


def main() -> None:
    folder = Path(sys.argv[1])
    rig = make_rig(folder, COOKIE_SECURE=False, TESTING=False)
    skus = rig.network.skus
    known = {
        "transfer": ship(rig),
        "skus": list(skus.ids),
        "gtins": list(skus.gtin),
        "tokens": rig.tokens,
    }
    (folder / "known.json").write_text(json.dumps(known))
    zone = dt.timezone(dt.timedelta(hours=8))
    serving = Serving(demo_clock=lambda: rig.clock.now.astimezone(zone).replace(tzinfo=None))
    server = make_server(rig.app, serving, 0)
    run(server, ready=lambda: print(f"{MARK}{server.port}", flush=True))


if __name__ == "__main__":
    main()
