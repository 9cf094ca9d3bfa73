"""Conversions with a yield: a carcass becomes cuts, a kitchen's goods become meals.

Each conversion is a document: units of the input leave to the ledger's CONVERT place, units of
the outputs come from there, and what the outputs do not weigh is loss. By mass nothing
appears: input = outputs + loss, in grams, checked for every document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.decision import SUPPLIER, LineKind
from policies.domain.errors import ConservationBroken, ScenarioInvalid
from policies.domain.nearest import nearest
from policies.domain.network import DAY_SECONDS, IntArray, Network
from twin import touches
from twin.ages import Ages
from twin.carbon import CarbonAccount
from twin.goods_rules import Conversion
from twin.journal import Journal
from twin.loads import Load
from twin.state import State

_SLACK = 1e-9
_MEMORY_DAYS = 28
"""Days in which what a store uses is mostly forgotten."""


@dataclass(frozen=True)
class Recipe:
    """A conversion on a network's axes.

    Attributes
    ----------
    rules : Conversion
    sku : int, the input
    outputs : (n,) int32
    yields : (n,) float64, units of each output from one unit of the input
    places : (m,) int64, stores that convert
    """

    rules: Conversion
    sku: int
    outputs: IntArray
    yields: npt.NDArray[np.float64]
    places: npt.NDArray[np.int64]


class Conversions:
    """All conversions of a run.

    Parameters
    ----------
    state : State
    journal : Journal, is told of the movements
    ages : Ages
    carbon : CarbonAccount or None
    """

    def __init__(
        self, state: State, journal: Journal, ages: Ages, carbon: CarbonAccount | None
    ) -> None:
        self.state, self.journal, self.ages, self.carbon = state, journal, ages, carbon
        self.recipes = [recipe(one, state.network) for one in state.scenario.conversions]
        self.on = bool(self.recipes)
        # Units of the input that each store would use in a day, had it enough of them.
        self._wanted = [np.full(len(r.places), float(r.rules.units_per_day)) for r in self.recipes]
        self.documents = self.used = self.made = self.loss_g = 0

    def hours(self) -> list[int]:
        """Seconds after midnight at which something is converted."""
        return sorted({int(one.rules.at_hour * 3_600) for one in self.recipes})

    def convert(self, now: int, first_document: int) -> int:
        """What stores convert at `now`; returns the next document's number.

        Receipts up to `now` have been served.
        """
        number = first_document
        for r, one in enumerate(self.recipes):
            if int(one.rules.at_hour * 3_600) != now % DAY_SECONDS:
                continue
            for i, place in enumerate(one.places.tolist()):
                needs = self._needs(one, place)
                self._wanted[r][i] += (needs - self._wanted[r][i]) / _MEMORY_DAYS
                if needs:
                    number += self._document(one, place, now, number)
        return number

    def expected_use(self) -> npt.NDArray[np.float32]:
        """(L, K) units a day that conversions are likely to ask for, whatever was there."""
        use = np.zeros(self.state.network.shape, dtype=np.float32)
        for one, wanted in zip(self.recipes, self._wanted, strict=True):
            use[one.places, one.sku] += wanted.astype(np.float32)
        return use

    def _needs(self, one: Recipe, place: int) -> int:
        """Units that a store would convert today."""
        rules, book = one.rules, self.state.stock.book[place, one.outputs]
        is_enough = rules.keep_units and book.min() >= rules.keep_units
        return 0 if is_enough else rules.units_per_day

    def _document(self, one: Recipe, place: int, now: int, number: int) -> int:
        """Convert in one store; returns the documents written, 0 or 1."""
        stock, rules = self.state.stock, one.rules
        there = min(int(stock.physical[place, one.sku]), int(stock.book[place, one.sku]))
        used = min(rules.units_per_day, there)
        made = np.floor(used * one.yields + _SLACK).astype(np.int32)
        if used == 0:
            return 0
        lost = loss_g(self.state.network, one, used, made)
        if lost < 0:
            raise ConservationBroken(
                f"{made.tolist()} weigh {-lost} g more than {used} of what they are made of",
                field="conversions",
                row=self.state.network.locations.ids[place],
                remedy="this is a defect of the program: report it with the scenario",
            )
        self._move(one, place, used, made, now)
        self.journal.converted(place, one.sku, used, one.outputs, made, now, number)
        if self.carbon is not None:
            self.carbon.lost(place, one.sku, lost)
        self.documents += 1
        self.used, self.made = self.used + used, self.made + int(made.sum())
        self.loss_g += lost
        return 1

    def _move(self, one: Recipe, place: int, used: int, made: IntArray, now: int) -> None:
        state, stock = self.state, self.state.stock
        source, units = np.array([one.sku], dtype=np.int32), np.array([used], dtype=np.int32)
        none = np.zeros_like(made)
        if self.carbon is not None:
            self.carbon.settle(place, np.append(source, one.outputs))
            self.carbon.converted(place, one.sku, used, one.outputs, made)
        rest = (now, stock, state.events, state.master)
        touches.take_away(place, source, units, np.zeros(1, dtype=np.int32), False, *rest)
        self.ages.removed(place, source, units)
        touches.take_back(np.full_like(one.outputs, place), one.outputs, made, none, *rest)
        # What is made lives as long as if a supplier had just brought it.
        fresh = Load(-1, LineKind.PURCHASE, SUPPLIER, place, -1, one.outputs, made, made, 0)
        self.ages.arrived(fresh, none, none)

    def counters(self) -> dict[str, int]:
        """Documents, units used up and made, and the grams that were neither."""
        if not self.on:
            return {}
        return {
            "conversions": self.documents,
            "conversion_units_used": self.used,
            "conversion_units_made": self.made,
            "conversion_loss_g": self.loss_g,
        }


def loss_g(network: Network, one: Recipe, used: int, made: IntArray) -> int:
    """Grams of the input that are in no output."""
    mass = network.skus.mass_g.astype(np.int64)
    return int(used * mass[one.sku] - made.astype(np.int64) @ mass[one.outputs])


def recipe(rules: Conversion, network: Network) -> Recipe:
    """A conversion on the network's axes.

    Raises
    ------
    ScenarioInvalid
        A SKU or a store that is not there, a store that does not list the input, outputs that
        weigh more than the input.
    """
    skus, places = network.skus, network.locations
    names = [name for name, _ in rules.outputs]
    for field, wanted, known in (
        ("input", [rules.input], skus.ids),
        ("outputs", names, skus.ids),
        ("stores", list(rules.stores), tuple(places.ids[i] for i in network.stores)),
    ):
        for name in wanted:
            if name not in known:
                raise ScenarioInvalid(
                    f"there is no {name!r} in the network",
                    field=f"conversions.{field}",
                    remedy=nearest(name, known, cutoff=0.5, most=8),
                )
    sku = network.sku_index(rules.input)
    outputs = np.array([network.sku_index(name) for name in names], dtype=np.int32)
    yields = np.array([share for _, share in rules.outputs], dtype=np.float64)
    grams = float(yields @ skus.mass_g[outputs])
    if grams > skus.mass_g[sku] * (1 + _SLACK):
        raise ScenarioInvalid(
            f"a {rules.input} weighs {skus.mass_g[sku]} g and gives {grams:g} g",
            field="conversions.outputs",
            remedy="lower the yields: nothing weighs more than what it is made of",
        )
    stores = [network.location_index(name) for name in rules.stores] or network.stores.tolist()
    lists = np.array([s for s in stores if network.listed[s, sku]], dtype=np.int64)
    if not len(lists):
        raise ScenarioInvalid(
            f"no store that converts {rules.input} lists it",
            field="conversions.stores",
            remedy="name stores that have it in their assortment",
        )
    return Recipe(rules, sku, outputs, yields, lists)
