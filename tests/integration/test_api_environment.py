"""Configuration by environment: documented whole, typed, and no word of it ignored."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ops_api.environment import IN_CODE, NOT_SETTINGS, PREFIX, from_environment
from ops_api.settings import Settings
from policies.domain.errors import InvalidInput
from tests.integration.api_service import Rig, make_rig

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `STORETWIN_(\w+)` \| (?:`([^`]*)`|none) \|", re.M)


def test_the_table_of_settings_is_the_settings():
    """Every name and default, and nothing else."""
    table = dict(ROW.findall((ROOT / "docs/deployment.md").read_text(encoding="utf-8")))
    known = {item.name.upper(): item.default for item in fields(Settings)}
    for name in IN_CODE:
        del known[name.upper()]
    assert set(table) == set(known)
    kept = from_environment({PREFIX + name: value for name, value in table.items() if value})
    assert kept == {name: known[name] for name in kept}
    without = {name for name, default in known.items() if default == ""}
    assert {name for name, value in table.items() if not value} == without


def test_a_file_holds_the_key_and_other_programs_variables_are_left_alone(tmp_path):
    (tmp_path / "key").write_text("sixteen characters\n")
    (tmp_path / "word").write_text("the provider's word\n")
    kept = from_environment(
        {
            "STORETWIN_SECRET_KEY_FILE": str(tmp_path / "key"),
            "STORETWIN_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "word"),
            "STORETWIN_DB": "sqlite:///x.db",
            "HOME": "/root",
            **dict.fromkeys(NOT_SETTINGS, "1"),
        }
    )
    assert kept == {
        "SECRET_KEY": "sixteen characters",
        "OIDC_CLIENT_SECRET": "the provider's word",
        "DATABASE_URL": "sqlite:///x.db",
    }
    assert Settings.read(kept).database_url == "sqlite:///x.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UNDO_SECONDS", "3"),
        ("CLOCK", "now"),
        ("UNDO_S", "soon"),
        ("COOKIE_SECURE", "perhaps"),
    ],
)
def test_a_word_that_means_nothing_is_refused(name, value):
    with pytest.raises(InvalidInput) as caught:
        from_environment({PREFIX + name: value})
    assert caught.value.field == PREFIX + name


def test_more_proxies_than_anyone_runs_are_refused():
    with pytest.raises(InvalidInput, match="proxies"):
        Settings(secret_key="sixteen characters", trusted_proxies=9)


def log_in(rig: Rig, **headers: str):
    """A page's log-in under TLS, as it arrives behind a proxy."""
    head = {"Origin": "https://stores.example", "Host": "127.0.0.1:8000", **headers}
    body = {"login": "boss", "password": "correct horse battery"}
    return rig.client.post("/api/v1/session", json=body, headers=head)


def test_a_page_under_tls_may_write_once_its_proxy_is_believed(tmp_path):
    forwarded = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "stores.example",
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    direct = make_rig(tmp_path / "a")
    assert log_in(direct, **forwarded).json["code"] == "CROSS_SITE", "nobody is believed unasked"
    behind = make_rig(tmp_path / "b", TRUSTED_PROXIES=1)
    assert log_in(behind, **forwarded).status_code in {200, 201}
    other = {**forwarded, "X-Forwarded-Host": "evil.example"}
    assert log_in(behind, **other).json["code"] == "CROSS_SITE"
