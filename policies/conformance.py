"""What every policy promises, as a check that anybody can call: ``check_policy``."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace
from typing import Any

import numpy as np

from policies.bundle import PolicyBundle
from policies.domain.decision import Decision, LineKind
from policies.domain.errors import PolicyBroken
from policies.domain.forecast import Forecast
from policies.domain.goods import Skus, Suppliers
from policies.domain.network import Fleet, LocationKind, Locations, Network
from policies.domain.view import NetworkView

_BY_STORE = ("on_hand", "in_transit", "on_order", "backorders", "reserved")


def check_policy(bundle: PolicyBundle, *, views: int = 6, seed: int = 1) -> None:
    """Raise :class:`PolicyBroken` at the first promise that `bundle` breaks.

    Deterministic; leaves the view as it was; the same answer in another order of stores
    and SKUs; ships no more than is available; whole cases; nothing out of scope, off the
    list or off its review day; survives pickling and an empty network.

    Parameters
    ----------
    bundle : PolicyBundle, without a router or with one: tours are looked at only as far as
        they decide what rides and what waits
    views : int, random views it must stand
    seed : int
    """
    # Tours are looked at only where they decide which lines there are.
    plain = bundle if bundle.loading.is_active else replace(bundle, router=None)
    for number in range(views):
        rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
        _check_view(plain, random_view(rng, stores=2 + 3 * number, skus=1 + 2 * number), rng)
    rng = np.random.default_rng(seed)
    for stores, skus in ((0, 0), (0, 3), (2, 0)):
        view = random_view(rng, stores=stores, skus=skus, warehouses=1)
        _require(
            bundle, "an empty network orders nothing for stores", _stores_get_nothing(plain, view)
        )


def random_view(
    rng: np.random.Generator, *, stores: int, skus: int, warehouses: int = 2
) -> NetworkView:
    """A view of a made-up chain in some state of shortage."""
    network = _network(rng, warehouses, stores, skus)
    shape = network.shape
    level = rng.gamma(1.0, 2.0, shape).astype(np.float32)
    level[: len(network.warehouses)] = 0
    on_order = rng.integers(0, 6, shape, dtype=np.int32)
    return NetworkView(
        as_of_s=20 * 86_400 + 80_000,
        network=network,
        on_hand=rng.integers(-2, 25, shape, dtype=np.int32),
        in_transit=on_order // 2,
        on_order=on_order,
        backorders=rng.integers(0, 2, shape, dtype=np.int32),
        reserved=rng.integers(0, 2, shape, dtype=np.int32),
        review_due=rng.random(shape[0]) < 0.8,
        protection_days=rng.integers(1, 8, shape[0], dtype=np.int32),
        scope=rng.random(shape) < 0.9,
        forecast=Forecast(
            20,
            0,
            level,
            rng.dirichlet(np.full(7, 20.0), shape[0]).astype(np.float32) * 7,
            (1 + rng.gamma(1.0, 0.7, shape)).astype(np.float32),
        ),
    )


def _check_view(bundle: PolicyBundle, view: NetworkView, rng: np.random.Generator) -> None:
    before = view.digest()
    first = bundle.decide(view)
    _require(bundle, "the view is left as it was", view.digest() == before)
    _require(
        bundle, "equal views give equal decisions", bundle.decide(view).digest() == first.digest()
    )
    again = pickle.loads(pickle.dumps(bundle)).decide(view)  # noqa: S301  our own bytes
    _require(bundle, "a pickled policy decides alike", again.digest() == first.digest())
    _check_lines(bundle, view, first)
    other, places, skus = _permuted(view, rng)
    moved = bundle.decide(other)
    back = {
        (int(k), int(places[o]) if o >= 0 else -1, int(places[d]), int(skus[s]), int(q), int(r))
        for k, o, d, s, q, r in _columns(moved)
    }
    _require(bundle, "another order of the axis gives the same lines", back == set(_columns(first)))


def _check_lines(bundle: PolicyBundle, view: NetworkView, decision: Decision) -> None:
    lines, network = decision.lines, view.network
    _require(bundle, "quantities are above 0", bool((lines.quantity > 0).all()))
    known = (lines.destination < network.shape[0]) & (lines.origin < network.shape[0])
    _require(bundle, "locations stand on the axis", bool(known.all()))
    shipped = np.zeros(network.shape, dtype=np.int64)
    sent = lines.origin >= 0
    np.add.at(shipped, (lines.origin[sent], lines.sku[sent]), lines.quantity[sent])
    _require(
        bundle, "no more is shipped than is available",
        bool((shipped <= np.maximum(view.available, 0)).all()),
    )  # fmt: skip
    ordered = lines.take(lines.kind != LineKind.LATERAL)
    packs = network.skus.pack_size[ordered.sku]
    _require(bundle, "orders are whole cases", bool((ordered.quantity % packs == 0).all()))
    may = view.may_order[ordered.destination, ordered.sku]
    _require(bundle, "nothing is ordered out of scope, list or review day", bool(may.all()))
    lanes = lines.take(lines.kind == LineKind.REPLENISH)
    source = network.locations.source[lanes.destination]
    _require(
        bundle, "stores are served by their own warehouse", bool((source == lanes.origin).all())
    )


def _columns(decision: Decision) -> list[tuple[int, int, int, int, int, int]]:
    x = decision.lines
    columns = (x.kind, x.origin, x.destination, x.sku, x.quantity, x.reason)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _stores_get_nothing(bundle: PolicyBundle, view: NetworkView) -> bool:
    lines = bundle.decide(view).lines
    return len(lines) == 0 or bool((lines.kind == LineKind.PURCHASE).all())


def _require(bundle: PolicyBundle, promise: str, kept: bool) -> None:  # noqa: FBT001
    if not kept:
        raise PolicyBroken(
            f"policy {bundle.name} breaks: {promise}",
            field=bundle.name,
            remedy="mend the policy; check_policy names the first promise it breaks",
        )


def _permuted(
    view: NetworkView, rng: np.random.Generator
) -> tuple[NetworkView, np.ndarray, np.ndarray]:
    """The same chain with its stores and SKUs in another order, and both orders."""
    network = view.network
    first = len(network.warehouses)
    places = np.concatenate(
        [np.arange(first), first + rng.permutation(network.shape[0] - first)]
    ).astype(np.intp)
    skus = rng.permutation(network.shape[1])
    cells = np.ix_(places, skus)

    def taken(columns: Any, rows: np.ndarray, skip: tuple[str, ...] = ()) -> dict[str, Any]:
        out = {}
        for name in columns.__dataclass_fields__:
            value = getattr(columns, name)
            if name in skip:
                continue
            if isinstance(value, np.ndarray):
                out[name] = value[rows]
            elif isinstance(value, tuple):
                out[name] = tuple(value[i] for i in rows)
        return out

    # Sources are warehouses, whose places don't move.
    moved = replace(
        network,
        locations=replace(network.locations, **taken(network.locations, places)),
        skus=replace(network.skus, **taken(network.skus, skus, ("categories",))),
        listed=network.listed[cells],
        distance_m=network.distance_m[np.ix_(places, places)],
    )
    forecast = view.forecast
    assert forecast is not None
    changed = {name: getattr(view, name)[cells] for name in _BY_STORE}
    return (
        replace(
            view,
            network=moved,
            **changed,
            review_due=view.review_due[places],
            protection_days=view.protection_days[places],
            scope=None if view.scope is None else view.scope[cells],
            forecast=replace(
                forecast,
                level=forecast.level[cells],
                weekday=forecast.weekday[places],
                variance_ratio=forecast.variance_ratio[cells],
            ),
        ),
        places,
        skus,
    )


def _network(rng: np.random.Generator, warehouses: int, stores: int, skus: int) -> Network:
    size = warehouses + stores
    kind = [LocationKind.WAREHOUSE] * warehouses + [LocationKind.STORE] * stores
    source = np.concatenate([np.full(warehouses, -1), rng.integers(0, warehouses, stores)])
    place = rng.random((size, 2))
    metres = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) * 50_000
    cost = rng.integers(50, 500, skus, dtype=np.int32)
    return Network(
        locations=Locations(
            ids=tuple(f"place {i}" for i in range(size)),
            kind=np.array(kind, dtype=np.int8),
            names=tuple(f"place {i}" for i in range(size)),
            region=("",) * size,
            latitude=40 + place[:, 0],
            longitude=place[:, 1],
            opens_s=np.full(size, 8 * 3600),
            closes_s=np.full(size, 20 * 3600),
            source=source,
            receives_from_s=np.full(size, 6 * 3600),
            receives_until_s=np.full(size, 12 * 3600),
        ),
        skus=Skus(
            ids=tuple(f"SKU {i}" for i in range(skus)),
            names=tuple(f"SKU {i}" for i in range(skus)),
            category=np.zeros(skus, dtype=np.int32),
            categories=("all",),
            unit_cost_cents=cost,
            unit_price_cents=cost * 2,
            pack_size=rng.integers(1, 5, skus, dtype=np.int32),
            mass_g=np.full(skus, 500),
            volume_cm3=np.full(skus, 1000),
            shelf_life_days=rng.integers(0, 4, skus, dtype=np.int32),
            gtin=("",) * skus,
        ),
        suppliers=Suppliers(("supplier",), np.ones((1, 1), dtype=np.int32)),
        fleet=Fleet(np.full(warehouses, 3)),
        listed=rng.random((size, skus)) < 0.9,
        distance_m=metres.astype(np.int32),
        start_date=dt.date(2024, 1, 1),
    )
