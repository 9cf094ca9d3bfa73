"""The manager's page over the real service: the same rights, one effect a form."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import Client

from ops_api.database import writing
from ops_api.tasks.service import COUNT, TaskDraft, open_tasks
from tests.integration.api_service import Rig
from tests.integration.planner_service import open_proposals, planning_rig
from ui.gate import ServiceGate
from ui.serve import Serving, by_path, make_site

PASSWORD = "correct horse battery"


@pytest.fixture
def rig(tmp_path):
    """A chain that has been planned for the night."""
    made = planning_rig(tmp_path, COOKIE_SECURE=False)
    made.clock.now = made.clock.now.replace(hour=22, minute=30)
    done = made.post("planner", "/plans:run", {})
    assert done.status_code in {200, 201}, done.json
    yield made
    made.engine.dispose()


def browser(rig: Rig, who: str, language: str = "en") -> Client:
    site = make_site(rig.app, ServiceGate(rig.app), Serving())
    client = Client(by_path(rig.app.wsgi_app, site.wsgi_app))
    assert client.post("/login", data={"name": who, "password": PASSWORD}).status_code == 302
    client.get(f"/prefs?lang={language}")
    return client


def forms(page: str, act: str) -> list[dict[str, str]]:
    """Hidden fields of every form that does `act`."""
    found = []
    for form in re.findall(r"<form.*?</form>", page, re.S):
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        if fields.get("act") == act:
            found.append(fields)
    return found


def send(client: Client, **fields: Any) -> Any:
    return client.post("/manage/act", data=fields)


def test_a_manager_accepts_changes_and_refuses_proposals(rig):
    client = browser(rig, "manager1")
    page = client.get("/manage/").get_data(as_text=True)
    mine = {row["id"] for row in open_proposals(rig, "manager1")}
    (form,) = forms(page, "accept")
    assert mine == {form["id"]}
    other = {row["id"] for row in open_proposals(rig)} - mine
    assert not any(name in page for name in other)
    assert send(client, **form).status_code == 303
    assert send(client, **form).status_code == 303, "the same form again is the same operation"
    transfers = rig.get("boss", "/transfers?destination=S0001").json["transfers"]
    assert len(transfers) == 1

    second = browser(rig, "manager2")
    (edit,) = forms(second.get("/manage/").get_data(as_text=True), "edit")
    lines = open_proposals(rig, "manager2")[0]["lines"]
    units = {f"units:{line['sku']}": line["quantity"] for line in lines}
    first = next(iter(units))
    units[first] = 0
    assert send(second, **edit, **units | {first: "many"}).status_code == 400
    assert send(second, **edit, **units).status_code == 303
    (made,) = rig.get("boss", "/transfers?destination=S0002").json["transfers"]
    assert first.removeprefix("units:") not in {
        line["sku"] for line in made["lines"] if line["proposed"]
    }


def test_a_count_says_whether_too_much_was_sold_or_nothing(rig):
    skus = rig.network.skus.ids
    why = {"cause": "silent", "chance": 0.7, "days_silent": 23, "book": 4}
    drafts = [TaskDraft(COUNT, "S0001", skus[0], payload=why), TaskDraft(COUNT, "S0001", skus[1])]
    with writing(rig.engine) as connection:
        open_tasks(connection, drafts, at=0, cause="test")
    page = browser(rig, "manager1").get("/manage/").get_data(as_text=True)
    assert "nothing sold for 23 days, the book shows 4" in page
    assert page.count("the till sold what the book did not have") == 1
    chinese = browser(rig, "manager1", "zh").get("/manage/").get_data(as_text=True)
    assert "账面有 4 件，但已 23 天没有售出" in chinese


def test_a_refusal_needs_a_reason_and_says_so_in_the_persons_language(rig):
    client = browser(rig, "manager1", "zh")
    page = client.get("/manage/").get_data(as_text=True)
    assert 'lang="zh-CN"' in page
    assert "系统建议了什么" in page
    (form,) = forms(page, "refuse")
    bare = send(client, **form, reason="")
    assert bare.status_code == 400
    assert 'role="alert"' in bare.get_data(as_text=True)
    (again,) = forms(bare.get_data(as_text=True), "refuse")
    assert send(client, **again, reason="no_space").status_code == 303
    assert open_proposals(rig, "manager1") == []


def test_cards_show_what_waits_and_a_keeper_approves(rig):
    sku = rig.network.skus.ids[0]
    body = {"origin": "W01", "destination": "S0003", "lines": [{"sku": sku, "quantity": 2}]}
    made = rig.post("boss", "/transfers", body)
    assert made.status_code == 201, made.json
    line = {"event_id": "11111111-1111-4111-8111-111111111111", "sku": sku, "good": 5}
    dated = line | {"lot": "SOON", "expires_on": "2024-01-12"}
    rig.post("keeper", "/receipts", {"location": "W01", "lines": [dated]})
    client = browser(rig, "keeper")
    page = client.get("/manage/").get_data(as_text=True)
    assert "SOON" in page
    assert "2 days left" in page or "1 days left" in page
    name = made.json["id"]
    form = next(one for one in forms(page, "approve") if one["id"] == name)
    assert send(client, **form).status_code == 303
    assert rig.get("boss", f"/transfers/{name}").json["state"] != "proposed"
    rig.post("keeper", f"/transfers/{name}:ship")
    shown = browser(rig, "boss").get("/manage/").get_data(as_text=True)
    assert "W01 to S0003" in shown


def test_the_page_is_for_those_who_decide_and_forms_of_other_sites_do_nothing(rig):
    assert browser(rig, "clerk1").get("/manage/").status_code == 403
    assert browser(rig, "planner").get("/manage/").status_code == 403
    client = browser(rig, "manager1")
    (form,) = forms(client.get("/manage/").get_data(as_text=True), "accept")
    foreign = client.post("/manage/act", data=form, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    theirs = open_proposals(rig, "manager2")[0]["id"]
    denied = send(client, **form | {"id": theirs})
    assert denied.status_code == 404
    assert len(open_proposals(rig, "manager2")) == 1
    assert send(client, **form | {"act": "whim"}).status_code == 400
