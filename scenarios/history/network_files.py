"""A network as a folder of plain files."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.goods import Skus, Suppliers
from policies.domain.network import Fleet, Locations, Network

_PARTS: dict[str, type[Any]] = {
    "locations": Locations,
    "skus": Skus,
    "suppliers": Suppliers,
    "fleet": Fleet,
}


def save_network(network: Network, folder: Path) -> None:
    """Write `network` as one JSON file and its arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Any] = {
        "start_date": network.start_date.isoformat(),
        "tz": network.tz,
        "currency": network.currency,
        "holidays": [day.isoformat() for day in network.holidays],
    }
    arrays: dict[str, Any] = {"listed": network.listed, "distance_m": network.distance_m}
    for part, kind in _PARTS.items():
        for item in fields(kind):
            value = getattr(getattr(network, part), item.name)
            if isinstance(value, np.ndarray):
                arrays[f"{part}.{item.name}"] = value
            else:
                plain[f"{part}.{item.name}"] = value
    (folder / "network.json").write_text(json.dumps(plain, ensure_ascii=False))
    np.savez(folder / "network.npz", **arrays)


def load_network(folder: Path) -> Network:
    """The network that :func:`save_network` wrote."""
    plain = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    with np.load(folder / "network.npz") as arrays:
        parts: dict[str, dict[str, Any]] = {part: {} for part in _PARTS}
        for key, value in plain.items():
            part, _, name = key.partition(".")
            if name:
                parts[part][name] = tuple(value) if isinstance(value, list) else value
        for key in arrays:
            part, _, name = key.partition(".")
            if name:
                parts[part][name] = arrays[key]
        return Network(
            **{part: kind(**parts[part]) for part, kind in _PARTS.items()},
            listed=arrays["listed"],
            distance_m=arrays["distance_m"],
            start_date=dt.date.fromisoformat(plain["start_date"]),
            tz=plain["tz"],
            currency=plain["currency"],
            holidays=tuple(dt.date.fromisoformat(day) for day in plain["holidays"]),
        )
