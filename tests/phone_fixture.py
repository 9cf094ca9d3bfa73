"""The part of the service's interface that the phone uses, in memory, with faults to order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, jsonify, request

from ui.web.pages import Gate

SKUS = {
    "K1": ("Oat milk 1 L 燕麦奶", 12, "06901234567892"),
    "K2": ("Jasmine tea 20 bags 茉莉花茶", 6, "06900000000014"),
    "K3": ("Rice crackers 150 g 米饼", 24, "06900000000021"),
}
SHIPPED = {"T-0412": {"K1": 24, "K2": 12, "K3": 36}, "T-0413": {"K2": 6}}


@dataclass
class Till:
    """Transfers on the road and the events that arrived.

    ``faults`` answers the next batches with these statuses; a "cut" records the batch
    and then drops the reply, as a bad network does.
    """

    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    posted: int = 0
    faults: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def received(self, transfer: str) -> Counter[str]:
        """Units of each SKU after undone scans are taken back."""
        out: Counter[str] = Counter()
        undone = {e["of"] for e in self.events.values() if e["kind"] == "undo"}
        for event in self.events.values():
            counts = event["kind"] == "receive" and event["event_id"] not in undone
            if counts and event["transfer_id"] == transfer:
                out[event["sku"]] += event["quantity"]
        return out


def api(till: Till, gate: Gate) -> Blueprint:
    """The blueprint of the stand-in; ``/test`` reads and orders faults."""
    site = Blueprint("stand_in", __name__)

    @site.before_request
    def known() -> Response | None:
        if request.method == "POST" and request.path.startswith("/api/"):
            assert request.headers["X-Requested-With"] == "storetwin"
        if request.path.startswith("/api/") and gate.person(request.cookies) is None:
            return Response('{"code": "AUTH"}', 401, mimetype="application/problem+json")
        return None

    @site.get("/api/v1/skus")
    def skus() -> Response:
        rows = [
            {"id": sku, "name": name, "pack_size": pack, "gtins": [gtin]}
            for sku, (name, pack, gtin) in SKUS.items()
        ]
        return jsonify(skus=rows, next=None)

    @site.get("/api/v1/transfers")
    def transfers() -> Response:
        if request.args["state"] != "shipped":
            return jsonify(transfers=[])
        rows = [
            {"id": name, "origin": "W1", "lines": [line(name, sku, q) for sku, q in lines.items()]}
            for name, lines in SHIPPED.items()
            if name not in till.ended
        ]
        return jsonify(transfers=rows)

    def line(name: str, sku: str, quantity: int) -> dict[str, Any]:
        return {
            "sku": sku,
            "shipped": quantity,
            "received_good": min(till.received(name)[sku], quantity),
            "received_damaged": 0,
            "received_over": 0,
            "closed_short": 0,
        }

    @site.get("/api/v1/stock")
    def stock() -> Response:
        return jsonify(rows=[{"sku": request.args["sku"], "on_hand": 7}])

    @site.post("/api/v1/events:batch")
    def batch() -> Response:
        till.posted += 1
        fault = till.faults.pop(0) if till.faults else ""
        if fault.isdigit():
            return Response("{}", int(fault), mimetype="application/problem+json")
        lines = []
        for row, event in enumerate(request.get_json()["events"]):
            if event["event_id"] in till.events:
                lines.append({"row": row, "status": "duplicate"})
            elif fault == "refuse":
                lines.append({"row": row, "status": "refused", "detail": "STATE_INVALID"})
            else:
                till.events[event["event_id"]] = event
        if fault == "cut":
            return Response("half an ans", 502)
        return jsonify(lines=lines)

    @site.post("/api/v1/transfers/<name>:receive")
    def finish(name: str) -> Response:
        assert request.get_json() == {"lines": [], "ends": True}
        till.ended.append(name)
        return jsonify(id=name, state="received")

    @site.post("/test/reset")
    def reset() -> Response:
        till.events.clear()
        till.faults.clear()
        till.ended.clear()
        till.posted = 0
        return jsonify(ok=True)

    @site.post("/test/faults")
    def order() -> Response:
        till.faults[:] = request.get_json()
        return jsonify(ok=True)

    @site.get("/test/state")
    def state() -> Response:
        return jsonify(
            events=list(till.events.values()),
            posted=till.posted,
            ended=till.ended,
            received={name: dict(till.received(name)) for name in SHIPPED},
        )

    return site
