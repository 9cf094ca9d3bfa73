"""What an answer tells the browser: on the API and on pages, refusals included."""

from __future__ import annotations

import pytest

from tests.integration.api_service import make_rig
from ui.gate import ServiceGate
from ui.serve import Serving, make_site


@pytest.fixture
def rig(tmp_path):
    return make_rig(tmp_path)


def answers(rig):
    site = make_site(rig.app, ServiceGate(rig.app), Serving()).test_client()
    api = [rig.get("boss", "/me"), rig.client.get("/api/v1/me"), rig.client.get("/nowhere")]
    pages = [site.get("/login"), site.get("/nowhere"), site.get("/")]
    return api, pages


def test_every_answer_tells_the_browser_what_it_may_do(rig):
    api, pages = answers(rig)
    for answer in (*api, *pages):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert {a.headers["Content-Security-Policy"] for a in api} == {
        "default-src 'none'; frame-ancestors 'none'"
    }
    assert all("frame-ancestors 'self'" in a.headers["Content-Security-Policy"] for a in pages)


def test_tls_is_asked_for_where_cookies_need_it(rig, tmp_path):
    (tmp_path / "plain").mkdir()
    plain = make_rig(tmp_path / "plain", COOKIE_SECURE=False)
    for each, is_asked in ((rig, True), (plain, False)):
        for answer in (*answers(each)[0], *answers(each)[1]):
            assert ("Strict-Transport-Security" in answer.headers) is is_asked
