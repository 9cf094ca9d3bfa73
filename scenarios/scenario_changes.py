"""Tables of ``[[changes]]`` and ``[[new_stores]]`` as what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.changes import Change, NewStore, selector


def make_changes(values: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes of a scenario file, in its order."""
    out = []
    for table in values.get("changes", []):
        plain = {key: item for key, item in table.items() if key not in ("stores", "skus")}
        chosen: dict[str, Any] = {
            name: selector(table.get(name, {}), f"changes.{name}") for name in ("stores", "skus")
        }
        out.append(Change(**chosen, **plain))
    return tuple(out)


def make_new_stores(values: Mapping[str, Any]) -> tuple[NewStore, ...]:
    """The stores that open, in the file's order."""
    return tuple(NewStore(**table) for table in values.get("new_stores", []))
