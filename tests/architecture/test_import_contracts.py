"""The direction of imports is kept by contract, and by this test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
PACKAGES = ("policies", "twin", "ops_api", "scenarios", "ui")
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def test_every_import_contract_is_kept():
    """Policies know no simulator, the service no twin."""
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_listed_in_the_build(package):
    """A folder missing from the build works here and fails where it is installed."""
    listed = (ROOT / "pyproject.toml").read_text()
    folders = [p.parent.relative_to(ROOT) for p in (ROOT / package).rglob("__init__.py")]
    missing = [f for f in folders if f'"{".".join(f.parts)}"' not in listed]
    assert not missing


def test_no_module_is_named_for_nothing():
    """A path tells its subject."""
    assert [str(m) for m in MODULES if m.stem in BANNED] == []


def test_no_module_outgrows_four_hundred_lines():
    """A longer one is two subjects; migrations are lists."""
    long = {
        str(module.relative_to(ROOT)): lines
        for module in MODULES
        if "migrations" not in module.parts
        and (lines := len(module.read_text().splitlines())) > 400
    }
    assert long == {}
