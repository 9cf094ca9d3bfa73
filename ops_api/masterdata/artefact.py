"""A network as bytes and back: JSON for the words, NumPy for the arrays, no pickle."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
from typing import Any

import numpy as np

from policies.domain.goods import Skus, Suppliers
from policies.domain.network import Fleet, Locations, Network

_PARTS = {"locations": Locations, "skus": Skus, "suppliers": Suppliers, "fleet": Fleet}


def pack(network: Network) -> bytes:
    """The whole network as one deterministic byte string."""
    arrays: dict[str, np.ndarray] = {
        "listed": np.packbits(network.listed),
        "distance_m": network.distance_m,
    }
    words: dict[str, Any] = {
        "start_date": network.start_date.isoformat(),
        "tz": network.tz,
        "currency": network.currency,
        "holidays": [day.isoformat() for day in network.holidays],
        "shape": network.shape,
    }
    for part in _PARTS:
        item = getattr(network, part)
        for entry in dataclasses.fields(item):
            value = getattr(item, entry.name)
            if isinstance(value, np.ndarray):
                arrays[f"{part}.{entry.name}"] = value
            else:
                words[f"{part}.{entry.name}"] = value
    arrays["words"] = np.frombuffer(json.dumps(words, sort_keys=True).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore[arg-type]
    return out.getvalue()


def unpack(content: bytes) -> Network:
    """The network of :func:`pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    words = json.loads(arrays.pop("words").tobytes())
    rows, cols = words["shape"]
    built: dict[str, Any] = {}
    for part, cls in _PARTS.items():
        values = {}
        for entry in dataclasses.fields(cls):
            name = f"{part}.{entry.name}"
            value = arrays[name] if name in arrays else words[name]
            values[entry.name] = tuple(value) if isinstance(value, list) else value
        built[part] = cls(**values)
    return Network(
        **built,
        listed=np.unpackbits(arrays["listed"], count=rows * cols).reshape(rows, cols).astype(bool),
        distance_m=arrays["distance_m"],
        start_date=dt.date.fromisoformat(words["start_date"]),
        tz=words["tz"],
        currency=words["currency"],
        holidays=tuple(dt.date.fromisoformat(day) for day in words["holidays"]),
    )
