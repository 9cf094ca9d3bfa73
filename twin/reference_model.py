"""The reference model: one SimPy event per receipt line, in plain Python.

It keeps its own account of stock, sales and losses with dictionaries and no kernel, so
that the fast twin can be held to it line by line. And since nothing in it is lazy, it
can stand for reality: ``twin.hooks.Hooks`` tell of every sale, truck and count at the second
it happens, and a ``twin.hooks.OrderSource`` says what ships tonight, which may be a service
that was asked over HTTP. Reality then has frictions of its own, in its own scenario.

Picking, docks, trucks and suppliers are the processes of :mod:`twin.logistics`.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import simpy

from policies.domain.decision import SUPPLIER
from policies.domain.network import DAY_SECONDS
from twin import draws
from twin.clock import Phase
from twin.hooks import Hooks, OrderSource
from twin.loads import Load, carried_loads
from twin.logistics import Logistics
from twin.posting import SWITCHED
from twin.reference_account import Account, Cell, LineEvent
from twin.sampling import count_sample
from twin.scenario import Opening, Scenario
from twin.state import cover_opening, switch_rows, switch_shares


class ReferenceModel:
    """One world, line by line.

    Parameters
    ----------
    scenario : Scenario, with the frictions that are true here
    orders : OrderSource
    seed, replication : int
    hooks : Hooks
    """

    def __init__(
        self,
        scenario: Scenario,
        orders: OrderSource,
        *,
        seed: int,
        replication: int = 0,
        hooks: Hooks | None = None,
    ) -> None:
        self.scenario, self.orders = scenario, orders
        self.network = scenario.network
        self.hooks = hooks if hooks is not None else Hooks()
        self.account = Account()
        self.sold_by_day: defaultdict[int, defaultdict[Cell, int]] = defaultdict(
            lambda: defaultdict(int)
        )
        self.out_share: dict[int, dict[Cell, int]] = {}
        self._empty_since: dict[Cell, int] = {}
        self._out_today: defaultdict[Cell, int] = defaultdict(int)
        self.env = simpy.Environment(initial_time=scenario.first_day * DAY_SECONDS)
        self.end_s = (scenario.first_day + scenario.days) * DAY_SECONDS
        self.lines = 0
        names = self.network.locations.ids
        self._keys = {
            purpose: [int(k) for k in draws.keys(seed, replication, purpose, names)]
            for purpose in (
                "shrink",
                "misscan",
                "receipt",
                "count",
                "count error",
                "substitution",
                "customer return",
            )
        }
        self._switch_share = switch_shares(scenario).tolist()
        self._switch_rows = [
            part.tolist() for part in switch_rows(scenario.substitution, self.network.skus)
        ]
        opening = scenario.opening if scenario.opening is not None else cover_opening(scenario)
        self._open(opening)
        self.logistics = Logistics(self.env, scenario, self, self.hooks, seed, replication)
        for load in carried_loads(self.network, opening, int(self.env.now)):
            self._carry_over(load)
        self._rows = [0] * len(self.network.stores)
        for s in range(len(self.network.stores)):
            self._first_line(s)
        for day in range(scenario.first_day, scenario.first_day + scenario.days):
            midnight = day * DAY_SECONDS
            if scenario.store.has_counts:
                Phase(self.env, midnight + scenario.count_s, self._count)
            for hour in scenario.shelf.fill_hours if scenario.shelf.packs else ():
                Phase(self.env, midnight + int(hour * 3_600), self._fill)
            if scenario.customer_returns.share > 0:
                Phase(self.env, midnight + scenario.customer_returns.at_s, self._take_back)
            Phase(self.env, midnight + scenario.plan_s, self._plan)
            Phase(self.env, midnight + DAY_SECONDS - 1, self._closed)

    def run_until(self, at_s: int) -> None:
        """Let the world go on to `at_s`; what happens in that very second waits."""
        if at_s > self.env.now:
            self.env.run(until=at_s)

    def run(self) -> Account:
        """To the end of the scenario."""
        self.run_until(self.end_s)
        return self.account

    # -- receipts -----------------------------------------------------------------------

    def _open(self, opening: Opening) -> None:
        for name in ("book", "physical"):
            units = getattr(opening, name)
            for place, sku in zip(*np.nonzero(units), strict=True):
                getattr(self.account, name)[int(place), int(sku)] = int(units[place, sku])
        rules = self.scenario.shelf
        if rules.packs:
            room = rules.room(self.network.skus.pack_size)
            for (place, sku), there in list(self.account.physical.items()):
                self.account.shelf[place, sku] = min(there, int(room[sku]))

    def _carry_over(self, load: Load) -> None:
        for sku, units in zip(load.sku.tolist(), load.ordered.tolist(), strict=True):
            self.account.on_order[load.destination, sku] += units
            if load.origin != SUPPLIER:
                self.account.transit[load.destination, sku] += units
        self.logistics.carry_over(load)

    def _first_line(self, s: int) -> None:
        rows = self.scenario.demand.store(s)
        times = self.scenario.demand.t_s[rows]
        self._rows[s] = rows.start + int(np.searchsorted(times, self.env.now, side="left"))
        self._next_line(s)

    def _next_line(self, s: int) -> None:
        row = self._rows[s]
        demand = self.scenario.demand
        if row < demand.offsets[s + 1] and demand.t_s[row] < self.end_s:
            LineEvent(self.env, int(demand.t_s[row]) - int(self.env.now), lambda: self._line(s))

    def _line(self, s: int) -> None:
        """One customer's line: what is there is sold, the rest is lost or waits."""
        demand, account, now = self.scenario.demand, self.account, int(self.env.now)
        row = self._rows[s]
        place, sku = int(self.network.stores[s]), int(demand.sku[row])
        wanted = int(demand.quantity[row])
        served = min(wanted, self._in_front(place, sku))
        self.lines += 1
        number = row - int(demand.offsets[s])
        other, taken = self._substitute(place, sku, wanted - served, number)
        if served + taken < wanted:
            missing = wanted - served - taken
            if self.scenario.store.backorders:
                account.waiting[place, sku] += missing
            else:
                account.lost[place, sku] += missing
                self.hooks.lost(place, sku, missing, row, now)
        if served:
            account.physical[place, sku] -= served
            account.shelf[place, sku] -= served
            posted = self._scan(place, sku, number)
            self._post(place, posted, served, row, now)
            self._shrink(place, sku, served, number)
        if taken:
            account.physical[place, other] -= taken
            account.shelf[place, other] -= taken
            self._post(place, other, taken, row, now)
            self._shrink(place, other, taken, number + SWITCHED)
        self._rows[s] += 1
        self._next_line(s)

    def _in_front(self, place: int, sku: int) -> int:
        """Units that a customer reaches: all there are, or those on the shelf."""
        there = self.account.physical[place, sku]
        if not self.scenario.shelf.packs:
            return there
        self.account.shelf[place, sku] = min(self.account.shelf[place, sku], there)
        return self.account.shelf[place, sku]

    def _fill(self, now: int) -> None:
        """Staff bring cases from behind, the emptiest shelf first."""
        del now
        rules, pack = self.scenario.shelf, self.network.skus.pack_size.tolist()
        room = rules.room(self.network.skus.pack_size).tolist()
        for place in self.network.stores.tolist():
            left = rules.cases_per_round or sum(self.account.physical.values())
            share = {k: self._in_front(place, k) / room[k] for k in range(len(room))}
            for k in sorted(share, key=share.__getitem__):
                missing = min(room[k], self.account.physical[place, k])
                units = min(missing - self._in_front(place, k), left * pack[k])
                if units > 0:
                    self.account.shelf[place, k] += units
                    left -= -(-units // pack[k])

    def _substitute(self, place: int, sku: int, short: int, number: int) -> tuple[int, int]:
        """(SKU, units) that a customer takes in place of `short` units of `sku`."""
        category, key = self.network.skus.category, self._keys["substitution"][place]
        first, to, upto = self._switch_rows
        row = range(*first[sku : sku + 2]) if first else range(0)
        if short and row:
            u = draws.uniform_plain(key, 2 * number)
            chosen = next((to[j] for j in row if u < upto[j]), -1)
            there = self._in_front(place, chosen) if chosen >= 0 else 0
            return (chosen, min(short, there)) if there else (-1, 0)
        share = self._switch_share[int(category[sku])]
        if not short or not share or draws.uniform_plain(key, 2 * number) >= share:
            return -1, 0
        peers = np.flatnonzero(category == category[sku]).tolist()
        start = int(draws.uniform_plain(key, 2 * number + 1) * len(peers))
        for other in peers[start:] + peers[:start]:
            there = self._in_front(place, other)
            if other != sku and there:
                return other, min(short, there)
        return -1, 0

    def _scan(self, place: int, sku: int, number: int) -> int:
        rate = self.scenario.frictions.misscan_per_line
        key = self._keys["misscan"][place]
        if rate <= 0 or draws.uniform_plain(key, 2 * number) >= rate:
            return sku
        category = self.network.skus.category
        peers = np.flatnonzero(category == category[sku])
        return int(peers[int(draws.uniform_plain(key, 2 * number + 1) * len(peers))])

    def _post(self, place: int, sku: int, units: int, row: int, now: int) -> None:
        account = self.account
        self._set_book(place, sku, max(account.book[place, sku] - units, 0))
        account.sold[place, sku] += units
        self.sold_by_day[now // DAY_SECONDS][place, sku] += units
        self.hooks.sold(place, sku, units, row, now)

    def _set_book(self, place: int, sku: int, units: int) -> None:
        """Change the book and keep the open seconds that a store's record is at 0."""
        cell = (place, sku)
        before, self.account.book[cell] = self.account.book[cell], units
        if before > 0 and units == 0:
            self._empty_since[cell] = int(self.env.now)
        elif before == 0 and units > 0:
            self._out_today[cell] += self._empty_seconds(cell, int(self.env.now))

    def _empty_seconds(self, cell: Cell, now: int) -> int:
        """Open seconds of this day since the book of `cell` fell to 0."""
        places, midnight = self.network.locations, now // DAY_SECONDS * DAY_SECONDS
        opens = midnight + int(places.opens_s[cell[0]])
        closes = midnight + int(places.closes_s[cell[0]])
        return max(min(now, closes) - max(self._empty_since.get(cell, 0), opens), 0)

    def note_out_of_stock(self, now: int) -> None:
        """Percent of today's open time that each listed record was at 0, so far."""
        places, share = self.network.locations, {}
        for place in self.network.stores.tolist():
            open_s = int(places.closes_s[place] - places.opens_s[place])
            for sku in np.flatnonzero(self.network.listed[place]).tolist():
                out = self._out_today.get((place, sku), 0)
                if self.account.book.get((place, sku), 0) == 0:
                    out += self._empty_seconds((place, sku), now)
                if out:
                    share[place, sku] = 100 * out // open_s
        self.out_share[now // DAY_SECONDS] = share

    def _shrink(self, place: int, sku: int, served: int, number: int) -> None:
        rate = self.scenario.frictions.shrink_per_unit_sold
        if rate <= 0:
            return
        gone = int(rate * served + draws.uniform_plain(self._keys["shrink"][place], number))
        gone = min(gone, self.account.physical[place, sku])
        self.account.physical[place, sku] -= gone
        self.account.shrunk[place, sku] += gone

    # -- phases -------------------------------------------------------------------------

    def _plan(self, now: int) -> None:
        tonight = self.orders.tonight(self, now)
        for load in tonight.loads:
            for sku, units in zip(load.sku.tolist(), load.ordered.tolist(), strict=True):
                self.account.on_order[load.destination, sku] += units
                if load.origin != SUPPLIER:
                    self.account.reserved[load.origin, sku] += units
        self.logistics.start(tonight.loads, tonight.routes, set(tonight.unserved))

    def _count(self, now: int) -> None:
        rules = self.scenario.store
        for place in self.network.stores.tolist():
            listed = np.flatnonzero(self.network.listed[place]).astype(np.int32)
            key = self._keys["count"][place]
            size = rules.lines_to_count(len(listed))
            sample = count_sample(listed, size, np.uint64(key), now // DAY_SECONDS).tolist()
            found = [
                max(0, self.account.physical[place, sku] + self._miscount(place, sku, now))
                for sku in sample
            ]
            for sku, units in zip(sample, found, strict=True):
                self._set_book(place, sku, units)
            self.hooks.counted(place, sample, found, now)

    def _miscount(self, place: int, sku: int, now: int) -> int:
        """What the person who counts gets wrong of one SKU."""
        rate = self.scenario.store.count_error_per_line
        counter = (now // DAY_SECONDS) * self.network.shape[1] + sku
        u = draws.uniform_plain(self._keys["count error"][place], counter)
        return -1 if u < rate / 2 else 1 if u < rate else 0

    def _take_back(self, now: int) -> None:
        """Customers bring back what they bought; what can be sold again is for sale."""
        rules, day, skus = self.scenario.customer_returns, now // DAY_SECONDS, self.network.skus
        for cell, sold in list(self.sold_by_day.get(day - rules.after_days, {}).items()):
            key, counter = self._keys["customer return"][cell[0]], day * len(skus.ids) + cell[1]
            units = int(rules.share * sold + draws.uniform_plain(key, 2 * counter))
            good = int(rules.resell_share * units + draws.uniform_plain(key, 2 * counter + 1))
            if good:
                self.account.physical[cell] += good
                self._set_book(*cell, self.account.book[cell] + good)

    def _closed(self, now: int) -> None:
        self.note_out_of_stock(now)
        self._out_today.clear()
        self.hooks.day_closed(now // DAY_SECONDS)

    # -- the floor that logistics works on ----------------------------------------------

    def ship(self, load: Load, now: int) -> None:
        """A load leaves, line by line cut to what is there and in the book."""
        account, origin, place = self.account, load.origin, load.destination
        grams = 0
        for i, sku in enumerate(load.sku.tolist()):
            ordered = int(load.ordered[i])
            leaves = min(ordered, account.physical[origin, sku], account.book[origin, sku])
            load.shipped[i] = leaves
            account.reserved[origin, sku] -= ordered
            account.on_order[place, sku] -= ordered - leaves
            account.physical[origin, sku] -= leaves
            self._set_book(origin, sku, account.book[origin, sku] - leaves)
            account.transit[place, sku] += leaves
            grams += leaves * int(self.network.skus.mass_g[sku])
        load.kg = grams / 1e3
        load.shipped_s = now
        self.hooks.shipped(load, now)

    def cut(self, load: Load, now: int) -> None:
        """A load that no truck takes."""
        for sku, units in zip(load.sku.tolist(), load.ordered.tolist(), strict=True):
            self.account.reserved[load.origin, sku] -= units
            self.account.on_order[load.destination, sku] -= units
        load.shipped_s = now
        self.hooks.shipped(load, now)

    def fall_short(self, load: Load, now: int) -> None:
        """A supplier's delivery brings less than was ordered, or nothing."""
        for i, sku in enumerate(load.sku.tolist()):
            missing = int(load.ordered[i]) - int(load.shipped[i])
            self.account.on_order[load.destination, sku] -= missing
        load.shipped_s = now

    def receive(self, load: Load, now: int) -> None:
        """A load is for sale; some lines are booked wrong by one."""
        account, place = self.account, load.destination
        booked = []
        for i, sku in enumerate(load.sku.tolist()):
            came = int(load.shipped[i])
            wrong = self._receipt_error(place, sku, now) if came else 0
            account.on_order[place, sku] -= came
            if load.origin != SUPPLIER:
                account.transit[place, sku] -= came
            booked.append(came - 1 if wrong < 0 else came)
            account.physical[place, sku] += came - 1 if wrong > 0 else came
            self._set_book(place, sku, account.book[place, sku] + booked[-1])
        load.received_s = now
        self.hooks.received(load, booked, now)
        for sku in load.sku.tolist():
            owed = min(
                account.waiting[place, sku], account.physical[place, sku], account.book[place, sku]
            )
            if owed:
                account.waiting[place, sku] -= owed
                account.physical[place, sku] -= owed
                self._post(place, sku, owed, -1, now)

    def _receipt_error(self, place: int, sku: int, now: int) -> int:
        rate = self.scenario.frictions.receipt_error_per_line
        if rate <= 0:
            return 0
        counter = (now // DAY_SECONDS) * self.network.shape[1] + sku
        u = draws.uniform_plain(self._keys["receipt"][place], counter)
        return -1 if u < rate / 2 else 1 if u < rate else 0
