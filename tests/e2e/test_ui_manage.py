"""The manager's page in a browser: no finding of axe, no other host, nothing too wide."""

import threading

import pytest
from werkzeug.serving import make_server

from tests.e2e.test_ui_axe import axe, findings  # noqa: F401
from tests.integration.planner_service import planning_rig as planned
from tests.ui_browser import DESKTOP, PHONE
from ui.gate import ServiceGate
from ui.serve import Serving, by_path, make_site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def desk(tmp_path_factory, database):
    """Address of a small chain after its nightly plan, with something on every card."""
    rig = planned(tmp_path_factory.mktemp("manage"), COOKIE_SECURE=False)
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    rig.post("planner", "/plans:run", {})
    sku = rig.network.skus.ids[0]
    lines = {"lines": [{"sku": sku, "quantity": 2}]}
    for origin in ("W01", "S0002"):
        rig.post("clerk1", "/transfers", {"origin": origin, "destination": "S0001", **lines})
    road = rig.post("clerk1", "/transfers", {"origin": "W01", "destination": "S0001", **lines})
    for step in ("approve", "ship"):
        rig.post("keeper", f"/transfers/{road.json['id']}:{step}")
    goods = {"event_id": "11111111-1111-4111-8111-111111111111", "sku": sku, "good": 5}
    dated = goods | {"lot": "SOON", "expires_on": "2024-01-12"}
    rig.post("manager1", "/receipts", {"location": "S0001", "lines": [dated]})
    rig.post("till", "/sales:batch", {"lines": [rig.sale("S0001", rig.network.skus.ids[1], 30)]})
    site = make_site(rig.app, ServiceGate(rig.app), Serving())
    server = make_server("127.0.0.1", 0, by_path(rig.app.wsgi_app, site.wsgi_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
    rig.engine.dispose()


def enter(browser, desk):
    browser.driver.get(f"{desk}/login")
    browser.script(
        "document.getElementById('name').value = 'manager1';"
        "document.getElementById('password').value = 'correct horse battery';"
        "document.querySelector('form').requestSubmit();"
    )
    browser.wait("location.pathname === '/'")


def test_the_page_is_sound_in_both_languages_themes_and_sizes(chromium, desk, axe, tmp_path):  # noqa: F811
    chromium.forget(desk)
    enter(chromium, desk)
    for language, theme in (("zh", "light"), ("en", "dark")):
        for name, size in (("desk", DESKTOP), ("phone", PHONE)):
            chromium.size(*size)
            chromium.driver.get(f"{desk}/prefs?lang={language}")
            chromium.driver.get(f"{desk}/prefs?theme={theme}&next=/manage/")
            chromium.wait("document.querySelectorAll('[data-card]').length === 6")
            assert findings(chromium, axe) == [], (language, theme, name)
            wide = "return document.documentElement.scrollWidth - window.innerWidth"
            assert chromium.script(wide) <= 0, (language, name)
            chromium.shot(tmp_path / f"{language}-{theme}-{name}.png", full=True)
    small = chromium.script(
        "return [...document.querySelectorAll('main button, main select, summary, main .button')]"
        ".filter((e) => e.getClientRects().length && e.getBoundingClientRect().height < 48)"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert small == []
    assert set(chromium.requested_hosts()) == {"127.0.0.1"}


def test_a_refusal_by_touch_takes_the_proposal_off_the_page(chromium, desk):
    chromium.forget(desk)
    enter(chromium, desk)
    chromium.driver.get(f"{desk}/prefs?lang=en&next=/manage/")
    chromium.wait("document.querySelector('[data-card=proposals] select')")
    before = chromium.script("return document.querySelectorAll('[name=reason]').length")
    chromium.script(
        "const s = document.querySelector('[name=reason]'); s.value = 'no_space';"
        "s.form.requestSubmit();"
    )
    chromium.wait("document.querySelector('[role=status]')")
    after = chromium.script("return document.querySelectorAll('[name=reason]').length")
    assert after == before - 1
