"""Finds the reference data beside the repository, or skips with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared(relative: str) -> Path:
    """Path of a file of the shared reference data; skips the test where it is absent."""
    path = ROOT.parent / "shared" / relative
    if not path.exists():
        pytest.skip(f"reference data {relative} is not beside this checkout")
    return path
