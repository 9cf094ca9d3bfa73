"""Stock through the public API: nothing lost, nothing counted twice, everything explained."""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest

from ops_api.clock import epoch
from ops_api.database import reading
from ops_api.ledger.health import check_ledger
from ops_api.migrations.run import current, downgrade, upgrade
from ops_api.stock.queries import stock_as_of
from tests import databases
from tests.integration.api_service import make_rig

SKU, STORE, OTHER, DEPOT = "K00001", "S0001", "S0002", "W01"


@pytest.fixture
def rig(tmp_path):
    """A fresh service; after the test its ledger has no violation."""
    made = make_rig(tmp_path)
    yield made
    found = check_ledger(made.engine)
    made.engine.dispose()
    assert not any(found["violations"].values()), found


def sell(rig, *lines, **headers):
    """A batch of a till."""
    return rig.post("till", "/sales:batch", {"lines": list(lines)}, **headers)


def test_a_sale_takes_stock_once_however_often_it_is_sent(rig):
    """Retry after a lost reply."""
    line = rig.sale(STORE, SKU, 3)
    first, again = sell(rig, line), sell(rig, line)
    assert first.json["counts"] == {"created": 1}
    assert again.json["counts"] == {"duplicate": 1}
    assert rig.on_hand(STORE, SKU) == 7


def test_the_same_event_id_with_another_body_is_a_conflict(rig):
    """Nothing is overwritten."""
    line = rig.sale(STORE, SKU, 3)
    sell(rig, line)
    answer = sell(rig, line | {"quantity": 4}).json["lines"][0]
    assert (answer["status"], answer["code"]) == ("conflict", "IDEMPOTENCY_MISMATCH")
    assert rig.on_hand(STORE, SKU) == 7


def test_a_tills_sale_is_never_refused_and_asks_for_a_count(rig):
    """The book stays at zero, the surplus is found, a task opens."""
    assert sell(rig, rig.sale(STORE, SKU, 12)).json["counts"] == {"created": 1}
    assert rig.on_hand(STORE, SKU) == 0
    tasks = rig.get("manager1", "/tasks").json["tasks"]
    assert [(t["kind"], t["sku"]) for t in tasks] == [("count", SKU)]


def test_one_bad_line_never_sinks_the_rest(rig):
    """An unknown SKU waits as a task with a way forward; the others are posted."""
    lines = [rig.sale(STORE, SKU), rig.sale(STORE, "NOPE"), rig.sale(STORE, SKU, -1)]
    answer = sell(rig, *lines).json
    assert answer["counts"] == {"created": 1, "parked": 1, "refused": 1}
    parked = answer["lines"][1]
    assert (parked["code"], parked["field"]) == ("SKU_UNKNOWN", "sku")
    assert "task" in parked["remedy"]
    assert rig.on_hand(STORE, SKU) == 9


def test_week_old_sales_wait_for_a_person_and_are_posted_once(rig):
    """Parked, then resolved by a manager."""
    old = rig.sale(STORE, SKU, 2, occurred_at=(rig.clock.now - dt.timedelta(days=8)).isoformat())
    assert sell(rig, old).json["counts"] == {"parked": 1}
    task = rig.get("manager1", "/tasks").json["tasks"][0]
    done = rig.post("manager1", f"/tasks/{task['id']}:resolve")
    assert done.status_code == 200, done.json
    assert rig.on_hand(STORE, SKU) == 8
    assert sell(rig, old).json["counts"] == {"duplicate": 1}
    assert rig.post("manager1", f"/tasks/{task['id']}:resolve").json["code"] == "STATE_INVALID"
    assert rig.on_hand(STORE, SKU) == 8


def test_a_clock_that_runs_ahead_is_refused_and_one_that_says_so_is_corrected(rig):
    """sent_at tells the offset."""
    ahead = rig.clock.now + dt.timedelta(hours=2)
    line = rig.sale(STORE, SKU, occurred_at=ahead.isoformat())
    assert sell(rig, line).json["lines"][0]["code"] == "CLOCK_SKEW"
    body = {"lines": [line], "sent_at": (ahead + dt.timedelta(minutes=1)).isoformat()}
    assert rig.post("till", "/sales:batch", body).json["counts"] == {"created": 1}


def transfer(rig, units=6, by="clerk1", sku=SKU):
    """A transfer from the depot to the store, proposed."""
    body = {"origin": DEPOT, "destination": STORE, "lines": [{"sku": sku, "quantity": units}]}
    made = rig.post(by, "/transfers", body)
    assert made.status_code == 201, made.json
    return made.json["id"]


def arrived(rig, document, good, who="clerk1", **more):
    """Receive at the store."""
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": good}
    return rig.post(who, f"/transfers/{document}:receive", {"lines": [line], **more})


def test_both_books_and_the_road_agree_at_each_step(rig):
    """proposed, reserved, shipped, partly received, received, closed."""
    document = transfer(rig)

    def books():
        return rig.on_hand(DEPOT, SKU), rig.road(STORE, SKU), rig.on_hand(STORE, SKU)

    assert books() == (50, 0, 10)
    assert rig.post("keeper", f"/transfers/{document}:approve").json["state"] == "reserved"
    row = rig.get("keeper", f"/stock?location={DEPOT}&sku={SKU}").json["rows"][0]
    assert (row["reserved"], row["available"]) == (6, 44)
    assert rig.post("keeper", f"/transfers/{document}:ship").json["state"] == "shipped"
    assert books() == (44, 6, 10)
    assert arrived(rig, document, 4).json["state"] == "partially_received"
    assert books() == (44, 2, 14)
    assert arrived(rig, document, 2).json["state"] == "received"
    assert books() == (44, 0, 16)
    assert rig.post("manager1", f"/transfers/{document}:close").json["state"] == "closed"


def test_a_short_delivery_opens_a_task_at_both_ends_and_is_closed_short(rig):
    """What never came goes to LOSS, by a manager's word."""
    document = transfer(rig)
    rig.post("keeper", f"/transfers/{document}:approve")
    rig.post("keeper", f"/transfers/{document}:ship")
    assert arrived(rig, document, 5, ends=True).json["left"] == {SKU: 1}
    places = {t["location"] for t in rig.get("boss", "/tasks").json["tasks"]}
    assert places == {DEPOT, STORE}
    rig.post("manager1", f"/transfers/{document}:close")
    assert rig.road(STORE, SKU) == 0
    assert rig.on_hand(STORE, SKU) == 15


def test_a_surplus_has_to_be_accepted(rig):
    """Refused first, recorded when it is said to be right."""
    document = transfer(rig)
    rig.post("keeper", f"/transfers/{document}:approve")
    rig.post("keeper", f"/transfers/{document}:ship")
    refused = arrived(rig, document, 8)
    assert (refused.status_code, refused.json["code"]) == (422, "OVER_RECEIPT")
    assert rig.on_hand(STORE, SKU) == 10
    assert arrived(rig, document, 8, accepts_over=True).status_code == 200
    assert rig.on_hand(STORE, SKU) == 18


def test_nobody_approves_their_own_transfer(rig):
    """Four eyes."""
    body = {"origin": STORE, "destination": OTHER, "lines": [{"sku": SKU, "quantity": 1}]}
    # A manager of the destination proposes, the same person may not approve.
    made = rig.post("manager2", "/transfers", body).json["id"]
    answer = rig.post("manager2", f"/transfers/{made}:approve")
    assert (answer.status_code, answer.json["code"]) == (403, "SELF_APPROVAL")
    assert rig.post("manager1", f"/transfers/{made}:approve").status_code == 200


def test_more_than_is_free_is_refused_with_what_is_free(rig):
    """The refusal is kept under its key: a retry can't have another outcome."""
    document = transfer(rig, units=60)
    key = str(uuid.uuid4())
    first = rig.post("keeper", f"/transfers/{document}:approve", key=key)
    assert (first.status_code, first.json["code"]) == (409, "INSUFFICIENT_STOCK")
    assert "50" in first.json["detail"]
    again = rig.post("keeper", f"/transfers/{document}:approve", key=key)
    assert again.json["code"] == "INSUFFICIENT_STOCK"


def test_a_replayed_key_with_another_body_is_refused(rig):
    """And the first effect stands alone."""
    key = str(uuid.uuid4())
    body = {"origin": DEPOT, "destination": STORE, "lines": [{"sku": SKU, "quantity": 1}]}
    first = rig.post("clerk1", "/transfers", body, key=key)
    assert rig.post("clerk1", "/transfers", body, key=key).json == first.json
    other = rig.post("clerk1", "/transfers", body | {"note": "x"}, key=key)
    assert (other.status_code, other.json["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert len(rig.get("keeper", f"/transfers?destination={STORE}").json["transfers"]) == 1


def test_cancelling_frees_what_was_reserved(rig):
    """Only before shipping."""
    document = transfer(rig)
    rig.post("keeper", f"/transfers/{document}:approve")
    assert rig.post("keeper", f"/transfers/{document}:cancel").json["state"] == "cancelled"
    assert rig.get("keeper", f"/stock?location={DEPOT}&sku={SKU}").json["rows"][0]["reserved"] == 0
    assert rig.post("keeper", f"/transfers/{document}:ship").json["code"] == "STATE_INVALID"


def test_a_clerk_acting_for_another_store_is_refused(rig):
    """Named location; another store's documents do not even exist."""
    body = {"location": OTHER}
    answer = rig.post("clerk1", "/counts", body)
    assert (answer.status_code, answer.json["code"]) == (403, "SITE_DENIED")
    assert answer.json["remedy"]
    document = transfer(rig)
    assert rig.get("clerk2", f"/transfers/{document}").json["code"] == "DOCUMENT_UNKNOWN"
    line = sell(rig, rig.sale(STORE, SKU))
    assert line.status_code == 200
    assert rig.post("clerk1", "/sales:batch", {"lines": [rig.sale(STORE, SKU)]}).status_code == 403


def count(rig, units, who="clerk1", at=None, document=None):
    """Count one SKU."""
    if document is None:
        document = rig.post(who, "/counts", {"location": STORE, "purpose": "random"}).json["id"]
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "counted": units}
    body = {"lines": [line]} | ({"occurred_at": at.isoformat()} if at else {})
    return document, rig.post(who, f"/counts/{document}:submit", body)


def test_a_difference_asks_another_person_to_count_again(rig):
    """No expected number is shown; the same person may not recount."""
    document, first = count(rig, 7)
    assert first.json == {"id": document, "posted": [], "recount": [SKU]}
    assert rig.on_hand(STORE, SKU) == 10
    assert count(rig, 7, document=document)[1].json["code"] == "SELF_APPROVAL"
    assert count(rig, 7, who="manager1", document=document)[1].json["posted"] == [SKU]
    assert rig.on_hand(STORE, SKU) == 7


def test_a_sale_that_comes_to_light_after_a_count_leaves_todays_stock(rig):
    """The count saw it already: history is right and the shelf stays as counted."""
    before = rig.clock.now
    rig.clock.forward(hours=1)
    document, _ = count(rig, 8)
    count(rig, 8, who="manager1", document=document)
    rig.clock.forward(hours=1)
    sell(rig, rig.sale(STORE, SKU, 2, occurred_at=before.isoformat()))
    assert rig.on_hand(STORE, SKU) == 8
    then = (before + dt.timedelta(minutes=1)).isoformat().replace("+", "%2B")
    rows = rig.get("clerk1", f"/stock?location={STORE}&sku={SKU}&as_of={then}").json["rows"]
    assert sum(r["on_hand"] for r in rows) == 8


def test_stock_at_a_time_as_known_at_another(rig):
    """A late sale was not known when the manager looked."""
    sold_at = rig.clock.now
    rig.clock.forward(hours=5)
    sell(rig, rig.sale(STORE, SKU, 4, occurred_at=sold_at.isoformat()))

    def known(hours):
        at = (sold_at + dt.timedelta(hours=hours)).isoformat().replace("+", "%2B")
        path = f"/stock?location={STORE}&sku={SKU}&as_of={at}&known_at={at}"
        return sum(r["on_hand"] for r in rig.get("clerk1", path).json["rows"])

    assert known(1) == 10
    assert known(6) == 6


def test_stock_counted_back_from_now_is_stock_summed_from_the_first_row(rig):
    """Late sales, counts, write-offs and transfers, at every hour of a week."""
    begun = epoch(rig.clock.now)
    for day in range(7):
        sell(rig, rig.sale(STORE, SKU, 1 + day % 2))
        if day % 3 == 2:
            late = (rig.clock.now - dt.timedelta(hours=30)).isoformat()
            sell(rig, rig.sale(STORE, SKU, 1, occurred_at=late))
        rig.post(
            "manager1",
            "/writeoffs",
            {"location": STORE, "sku": "K00002", "quantity": 1, "reason": "damaged"},
        )
        rig.clock.forward(hours=24)
    now = epoch(rig.clock.now)
    found = 0
    with reading(rig.engine) as connection:
        for at in range(begun - 3600, now + 1, 3600):
            ask = (connection, STORE, None, at, now, 10_000)
            back, summed = ({row["sku"]: row["on_hand"] for row in stock_as_of(*ask, now=when)}
                            for when in (now, None))  # fmt: skip
            assert {k: v for k, v in back.items() if v} == {k: v for k, v in summed.items() if v}
            found += back != {} and at > begun
    assert found > 100


def test_a_row_that_came_after_the_question_does_not_count(rig):
    """Recorded in the second after: not known, though it happened before."""
    now = epoch(rig.clock.now)
    sold_at = rig.clock.now.isoformat()
    rig.clock.forward(seconds=5)
    sell(rig, rig.sale(STORE, SKU, 4, occurred_at=sold_at))
    with reading(rig.engine) as connection:
        (row,) = stock_as_of(connection, STORE, SKU, now, now, 10, now=now)
    assert row["on_hand"] == 10


def test_an_undo_is_one_reversing_movement(rig):
    """Within ten minutes by the same person, later by a manager, never twice."""
    made = rig.post(
        "manager1",
        "/writeoffs",
        {"location": STORE, "sku": SKU, "quantity": 1, "reason": "damaged"},
    ).json["id"]
    assert rig.post("manager1", f"/writeoffs/{made}:post").status_code == 200
    moves = rig.get("manager1", f"/movements?location={STORE}&sku={SKU}").json["movements"]
    written_off = moves[-1]["movement_id"]
    rig.clock.forward(minutes=11)
    assert (
        rig.post("clerk1", f"/movements/{written_off}:reverse").json["code"] == "APPROVAL_REQUIRED"
    )
    assert rig.post("manager1", f"/movements/{written_off}:reverse").status_code == 201
    assert rig.on_hand(STORE, SKU) == 10
    again = rig.post("manager1", f"/movements/{written_off}:reverse")
    assert again.json["code"] == "ALREADY_REVERSED"


def test_a_write_off_below_zero_or_above_the_limit_is_refused(rig):
    """With what is free, and with who may."""
    body = {"location": STORE, "sku": SKU, "quantity": 11, "reason": "expired"}
    made = rig.post("clerk1", "/writeoffs", body).json
    answer = rig.post("manager1", f"/writeoffs/{made['id']}:post")
    code = "APPROVAL_REQUIRED" if made["value_cents"] > 5_000 else "INSUFFICIENT_STOCK"
    assert answer.json["code"] == code
    assert rig.post("boss", f"/writeoffs/{made['id']}:post").json["code"] == "INSUFFICIENT_STOCK"
    bad = rig.post("clerk1", "/writeoffs", body | {"reason": "whim"})
    assert (bad.status_code, bad.json["code"]) == (422, "REASON_REQUIRED")


def test_a_phones_outbox_is_answered_event_by_event(rig):
    """Receive, count, undo; sent twice, effective once."""
    document = transfer(rig)
    rig.post("keeper", f"/transfers/{document}:approve")
    rig.post("keeper", f"/transfers/{document}:ship")
    now = rig.clock.now.isoformat()
    base = {"occurred_at": now, "location": STORE}
    got = {"event_id": str(uuid.uuid4()), "kind": "receive", "transfer_id": document, "sku": SKU}
    events = [
        base | got | {"quantity": 6},
        base | {"event_id": str(uuid.uuid4()), "kind": "count", "sku": SKU, "quantity": 16},
        base | got | {"event_id": str(uuid.uuid4()), "quantity": 1, "transfer_id": "TR-none"},
    ]
    first = rig.post("clerk1", "/events:batch", {"events": events, "sent_at": now})
    assert first.json["counts"] == {"created": 2, "refused": 1}, first.json
    rig.clock.forward(minutes=3)
    again = rig.post("clerk1", "/events:batch", {"events": events, "sent_at": now})
    assert again.json["counts"] == {"duplicate": 2, "refused": 1}
    assert rig.on_hand(STORE, SKU) == 16


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("K00001", {"kind": "sku", "sku": "K00001"}),
        ("gtin", {"kind": "sku", "sku": "K00001"}),
        (
            "]d201{gtin}17261231\x1d10LOT1",
            {"sku": "K00001", "lot": "LOT1", "expires_on": "2026-12-31"},
        ),
        ("106141412345678908", {"kind": "sscc"}),
        ("4006381333931", {"kind": "unknown_gtin"}),
    ],
)
def test_a_scan_says_what_it_is(rig, code, expected):
    """SKU, GTIN, GS1 string, carton, stranger."""
    gtin = rig.network.skus.gtin[0]
    text = gtin if code == "gtin" else code.replace("{gtin}", gtin)
    answer = rig.post("clerk1", "/scans/resolve", {"code": text, "location": STORE})
    assert answer.status_code == 200, answer.json
    assert expected.items() <= answer.json.items()


@pytest.mark.parametrize(
    ("code", "error"), [("4006381333932", "GTIN_CHECKSUM"), ("hello", "BAD_BARCODE")]
)
def test_a_wrong_code_is_refused_in_the_readers_language(rig, code, error):
    """English and Chinese."""
    english = rig.post("clerk1", "/scans/resolve", {"code": code})
    chinese = rig.post("clerk1", "/scans/resolve", {"code": code}, **{"Accept-Language": "zh"})
    assert english.json["code"] == chinese.json["code"] == error
    assert english.json["title"].isascii()
    assert not chinese.json["title"].isascii()
    assert chinese.json["remedy"]


def test_exactly_one_of_two_gets_the_last_unit(rig):
    """Two approvals at the same time for more than there is."""
    documents = [transfer(rig, 30), transfer(rig, 30)]
    answers = []

    def approve(document):
        answers.append(rig.post("keeper", f"/transfers/{document}:approve").status_code)

    threads = [threading.Thread(target=approve, args=(d,)) for d in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]


def test_migrations_go_down_and_up_again(tmp_path):
    """Empty and back."""
    url = databases.empty(tmp_path)
    upgrade(url)
    head = current(url)
    downgrade(url, "base")
    assert current(url) is None
    upgrade(url)
    assert current(url) == head
