"""The security page names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.shared_data import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
FOUND = sorted(set(NAMED.findall((ROOT / "docs/security.md").read_text(encoding="utf-8"))))


def test_every_line_of_the_table_names_a_test():
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\| V\d", line)]
    assert len(lines) > 30
    assert not [line for line in lines if not NAMED.search(line)]


@pytest.mark.parametrize(("path", "name"), FOUND)
def test_a_named_test_exists(path, name):
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
