"""A release is read back as written, and refused when code or parameters differ."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.domain.errors import ReleaseRefused
from policies.registry import build_bundle
from policies.release import Release, installed_source_sha256, params_sha256, read_release


def a_release(**changed: Any) -> Release:
    """A release of the installed code."""
    params = {"reviews_per_week": 3}
    fields: dict[str, Any] = {
        "name": "spring",
        "version": "1",
        "policy": "base-stock",
        "params": params,
        "params_sha256": params_sha256("base-stock", params),
        "source_sha256": installed_source_sha256(),
        "scenario_sha256": "s",
        "data_sha256": "d",
        "seeds": (1, 2),
        "kpis": ({"name": "stock_turn", "difference": 1.5},),
        "gate": {"promoted": True, "reasons": []},
        "scope": ("S1",),
        "created_at": "2024-03-01T00:00:00+00:00",
    }
    return Release(**(fields | changed))


def test_a_release_is_read_back_as_it_was_written():
    """And builds the bundle it names."""
    release = a_release()
    back = read_release(release.text())
    assert back == release
    assert back.digest() == release.digest()
    assert back.bundle() == build_bundle("base-stock", {"reviews_per_week": 3})


def test_a_release_of_other_code_is_refused_with_field_and_remedy():
    """Its numbers would be somebody else's."""
    with pytest.raises(ReleaseRefused) as caught:
        read_release(a_release(source_sha256="0" * 64).text())
    assert caught.value.field == "source_sha256"
    assert "promote again" in str(caught.value)


def test_an_edited_release_is_refused():
    """A parameter changed by hand is not what passed the gate."""
    raw = json.loads(a_release().text())
    raw["params"]["reviews_per_week"] = 7
    with pytest.raises(ReleaseRefused, match="not those that were promoted"):
        read_release(json.dumps(raw))


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"name": "x"}'])
def test_what_is_no_release_is_refused(text):
    """Never an exception from a library's depth."""
    with pytest.raises(ReleaseRefused):
        read_release(text)
