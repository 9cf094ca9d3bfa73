"""The pages stand on the service's people: same password, same cookie, same end of it."""

from types import SimpleNamespace

import pytest
from flask import Flask, jsonify, session
from werkzeug.test import Client

from ops_api.database import make_engine, writing
from ops_api.migrations.run import upgrade
from ops_api.people.service import GrantSpec, create_person, deactivate
from ops_api.settings import Settings
from tests.ui_fixture import FixtureSource
from ui.gate import ServiceGate
from ui.serve import Serving, by_path, kept_secret, make_site

PASSWORD = "a long password"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A migrated database with three people, made once."""
    path = tmp_path_factory.mktemp("db") / "service.db"
    upgrade(f"sqlite:///{path}")
    engine = make_engine(f"sqlite:///{path}")
    for name, role, place in (
        ("ana", "clerk", "S001"),
        ("bo", "executive", ""),
        ("eve", "planner", ""),
    ):
        grant = GrantSpec(role, "location", place) if place else GrantSpec(role)
        create_person(engine, f"P-{name}", name=name, login=name, password=PASSWORD, grants=[grant])
    engine.dispose()
    return path


@pytest.fixture
def service(template, tmp_path):
    (tmp_path / "service.db").write_bytes(template.read_bytes())
    url = f"sqlite:///{tmp_path / 'service.db'}"
    app = Flask("service", static_folder=None)
    app.secret_key = "sixteen characters"
    app.config["SESSION_COOKIE_NAME"] = "storetwin_session"
    settings = Settings(database_url=url, secret_key=app.secret_key, log_in_limit="5 per minute")
    engine = make_engine(url)
    app.extensions["storetwin"] = SimpleNamespace(engine=engine, settings=settings)
    app.add_url_rule("/api/v1/who", view_func=lambda: jsonify(dict(session)))
    yield app
    engine.dispose()


@pytest.fixture
def browser(service):
    site = make_site(service, ServiceGate(service), Serving(FixtureSource(stores=3)))
    return Client(by_path(service.wsgi_app, site.wsgi_app))


def log_in(browser: Client, name: str, password: str = PASSWORD):
    return browser.post("/login", data={"name": name, "password": password})


def test_one_log_in_opens_the_pages_and_the_service(browser):
    assert log_in(browser, "ana").status_code == 302
    assert "手机作业" in browser.get("/").get_data(as_text=True)
    assert browser.get("/api/v1/who").get_json() == {"person": "P-ana", "epoch": 1}
    assert browser.get("/m/me.json").get_json()["locations"] == ["S001"]


def test_a_wrong_password_opens_nothing(browser):
    assert log_in(browser, "ana", "guess").status_code == 401
    assert browser.get("/").status_code == 302
    assert browser.get("/m/me.json").status_code == 401


def test_the_phone_is_not_for_management(browser):
    log_in(browser, "bo")
    assert browser.get("/m/").status_code == 403


def test_a_deactivated_person_is_out_at_once(browser, service):
    log_in(browser, "ana")
    with writing(service.extensions["storetwin"].engine) as connection:
        deactivate(connection, "P-ana", at=1, actor="P-bo")
    assert browser.get("/m/me.json").status_code == 401
    assert browser.get("/").status_code == 302


def test_logging_out_ends_the_session(browser):
    log_in(browser, "ana")
    browser.get("/logout")
    assert browser.get("/m/me.json").status_code == 401


def test_guessing_passwords_is_slowed_down(browser):
    answers = [log_in(browser, "ana", "guess") for _ in range(6)]
    assert [one.status_code for one in answers] == [401] * 5 + [429]
    assert "尝试次数过多" in answers[-1].get_data(as_text=True)


def test_unknown_addresses_get_the_look_of_their_side(browser):
    assert "storetwin" in browser.get("/nowhere").get_data(as_text=True)
    assert "storetwin" not in browser.get("/api/v1/nowhere").get_data(as_text=True)


def test_the_secret_key_is_made_once_and_for_the_owner_only(tmp_path):
    first = kept_secret(tmp_path / "deep" / "key")
    assert len(first) == 64
    assert kept_secret(tmp_path / "deep" / "key") == first
    assert (tmp_path / "deep" / "key").stat().st_mode & 0o077 == 0
