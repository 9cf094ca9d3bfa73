"""One port: log-in by Flask, dashboards by Panel, refusals in our own look."""

import re

import pytest
import requests

from tests.ui_fixture import PASSWORD, flask_app
from tests.ui_server import served
from ui.access import person_of_cookie
from ui.web.pages import safe_next

OUTSIDE = re.compile(
    r"""(?:https?:)?//(?!127\.0\.0\.1|localhost|www\.w3\.org)[a-z0-9.-]+\.[a-z]{2,}"""
)
LINKED = re.compile(r"""(?:src|href)=["']([^"']+)["']|url\(["']?([^"')]+)|@import\s+["']([^"']+)""")


@pytest.fixture(scope="module")
def address():
    """A served fixture chain on a free port."""
    with served() as where:
        yield where


def logged_in(address: str, name: str) -> requests.Session:
    visitor = requests.Session()
    answer = visitor.post(f"{address}/login", data={"name": name, "password": PASSWORD}, timeout=20)
    assert answer.status_code == 200
    return visitor


def test_a_stranger_is_sent_to_the_log_in_and_back(address):
    answer = requests.get(f"{address}/twin", timeout=20)
    assert answer.url == f"{address}/login?next=/twin"
    back = requests.post(
        f"{address}/login",
        data={"name": "executive", "password": PASSWORD, "next": "/twin"},
        allow_redirects=False,
        timeout=20,
    )
    assert back.headers["Location"] == "/twin"


def test_a_wrong_password_is_refused_with_words(address):
    answer = requests.post(
        f"{address}/login",
        data={"name": "clerk", "password": "guess"},
        headers={"Accept-Language": "en"},
        timeout=20,
    )
    assert answer.status_code == 401
    assert "do not fit" in answer.text


def test_a_refused_role_gets_a_403_page_and_no_log_in_loop(address):
    answer = logged_in(address, "clerk").get(f"{address}/twin", allow_redirects=False, timeout=20)
    assert answer.status_code == 403
    assert "此角色无权访问" in answer.text
    assert not OUTSIDE.search(answer.text)


def test_a_forged_session_is_nobody(address):
    answer = requests.get(
        f"{address}/twin", cookies={"session": "eyJwZXJzb24iOjF9.x.y"}, timeout=20
    )
    assert "/login" in answer.url


def test_a_cookie_signed_by_another_key_is_nobody():
    ours, _ = flask_app()
    other, _ = flask_app()
    other.secret_key = "another"
    with other.test_client() as client:
        client.post("/login", data={"name": "executive", "password": PASSWORD})
        kept = client.get_cookie("session").value
    assert person_of_cookie(other, kept).role == "executive"
    assert person_of_cookie(ours, kept) is None


@pytest.mark.parametrize(("language", "attribute"), [("zh", "zh-CN"), ("en", "en")])
def test_every_page_says_its_language_and_names_no_other_host(address, language, attribute):
    visitor = logged_in(address, "executive")
    visitor.cookies.set("storetwin_lang", language)
    for path in ("/", "/login", "/twin", "/nowhere", "/refused"):
        text = visitor.get(f"{address}{path}", timeout=30).text
        assert f'<html lang="{attribute}"' in text, path
        named = [next(filter(None, found)) for found in LINKED.findall(text)]
        assert [link for link in named if OUTSIDE.match(link)] == [], path


def test_a_page_that_is_not_there_is_a_404_in_our_look(address):
    answer = requests.get(f"{address}/no/such/page", timeout=20)
    assert answer.status_code == 404
    assert "storetwin" in answer.text


def test_theme_and_language_are_kept_in_cookies(address):
    visitor = requests.Session()
    visitor.get(f"{address}/prefs?lang=en&theme=dark&next=/login", timeout=20)
    text = visitor.get(f"{address}/login", timeout=20).text
    assert 'lang="en"' in text
    assert "#0e141a" in text


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/x", "/\\evil.example", "javascript:x", "", None],
)
def test_a_log_in_never_leads_to_another_host(target):
    assert safe_next(target) == "/"


def test_a_path_of_ours_is_kept():
    assert safe_next("/twin?kpi=stock_turn") == "/twin?kpi=stock_turn"


@pytest.mark.parametrize("path", ["/login", "/", "/refused"])
def test_every_header_shows_the_demo_time(address, path):
    text = logged_in(address, "executive").get(f"{address}{path}", timeout=20).text
    assert "演示时间 2026-03-16 10:24" in text


def test_the_phone_learns_the_demo_time_with_its_person(address):
    me = logged_in(address, "clerk").get(f"{address}/m/me.json", timeout=20).json()
    assert me["demo_now"] == "2026-03-16T10:24:00"
    assert me["locations"] == ["S001"]
