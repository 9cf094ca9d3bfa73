"""simulate(): one replication of one scenario under one policy bundle."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import simpy

from policies.bundle import PolicyBundle
from policies.domain.decision import SUPPLIER, Decision
from policies.domain.errors import ScenarioInvalid
from policies.domain.network import DAY_SECONDS
from policies.domain.receipts import ReceiptColumns
from twin import checkout, closing, open_quantities
from twin.checkpoint import Checkpoints, Keeper
from twin.clock import Phase
from twin.floor import Floor
from twin.journal import Journal
from twin.loads import Load, carried_loads
from twin.logistics import Logistics
from twin.planning import Planner
from twin.recorder import Recorder
from twin.result import RunResult, Trace
from twin.scenario import Opening, Scenario
from twin.state import cover_opening, open_state
from twin.tape import TapedFloor, TapedWatcher, is_done

NO_TRACE = Trace()
Feed = Callable[[int], ReceiptColumns | None]
"""Asked at each midnight with the day's number: the receipts from then on, or None where
those at hand go on. So a long history is never in memory as a whole."""
_CLOSED_AT_ONCE = 32
"""Locations whose rows fit into a core's cache together: 5,000 SKUs are 120 kB each."""


def simulate(
    scenario: Scenario,
    bundle: PolicyBundle,
    *,
    seed: int,
    replication: int = 0,
    trace: Trace = NO_TRACE,
    progress: Callable[[int, int], None] | None = None,
    feed: Feed | None = None,
    checkpoints: Checkpoints | None = None,
) -> RunResult:
    """Run `scenario` under `bundle` from midnight to midnight.

    Parameters
    ----------
    scenario : Scenario
    bundle : PolicyBundle
    seed, replication : int
        Streams are keyed by both and by names: the same pair meets the same lead times,
        shrink and staff whatever the policy, the workers or the other stores.
    trace : Trace, what to keep beside day facts
    progress : callable (days done, days), called after each closing
    feed : Feed, optional
        Where the scenario's receipts are the first stretch only: gives the others.
    checkpoints : Checkpoints, optional
        Where the run is kept every few days. If one of this very run lies there, the run
        goes on from it and ends as if it had never been cut off.

    Raises
    ------
    ConservationBroken
        If stock of any (location, SKU) appears or vanishes, or if what is on order,
        reserved, on the road or waited for at the end is not what the documents owe.
    """
    if feed is not None and checkpoints is not None:
        raise ScenarioInvalid(
            "a run whose receipts come in stretches can't be kept",
            field="checkpoints",
            remedy="give the receipts as a whole, or no checkpoints",
        )
    if scenario.checkout.staffed_lanes == 0:
        return World(scenario, bundle, seed, replication, trace, checkpoints).run(progress, feed)
    if feed is not None:
        raise checkout.refuse_feed()
    paid, tills = checkout.pass_tills(scenario, seed, replication)
    result = World(paid, bundle, seed, replication, trace, checkpoints).run(progress, feed)
    return checkout.with_lost(result, scenario, tills)


class World:
    """One run under way."""

    def __init__(
        self,
        scenario: Scenario,
        bundle: PolicyBundle,
        seed: int,
        replication: int,
        trace: Trace,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        began = time.perf_counter()
        self.scenario, self.bundle, self.trace = scenario, bundle, trace
        self.seed, self.replication = seed, replication
        self.first_kpi_day = scenario.first_day + scenario.warmup_days
        opening = scenario.opening if scenario.opening is not None else cover_opening(scenario)
        self.state = open_state(scenario, opening, seed, replication)
        self.env = simpy.Environment(initial_time=scenario.first_day * DAY_SECONDS)
        self.journal = Journal(scenario.network, is_on=trace.movements)
        self.floor = Floor(self.state, self.journal, opening, self.first_kpi_day, seed, replication)
        carbon = self.floor.carbon
        self.recorder = Recorder(
            self.state, self.journal, self.first_kpi_day, carbon, keeps_tours=trace.tours
        )
        self.keeper = Keeper(self, checkpoints) if checkpoints is not None else None
        self.tape = self.keeper.tape if self.keeper is not None else None
        self.logistics = self._logistics()
        self.planner = Planner(scenario, bundle, seed, replication)
        self.decisions: list[Decision] = []
        self.open_loads: list[Load] = []
        self.journal.opening(self.state.stock.book, int(self.env.now))
        for load in carried_loads(scenario.network, opening, int(self.env.now)):
            self.floor.ages.carried(load, opening.expiring_on_way)
            self._carry_over(load)
        self.recorder.opened()
        self.seconds = {
            "open": time.perf_counter() - began,
            "phases": 0.0,
            "close": 0.0,
            "env": 0.0,
            "input": 0.0,
        }
        self._lines_before = self.state.lines_served

    def run(
        self, progress: Callable[[int, int], None] | None, feed: Feed | None = None
    ) -> RunResult:
        """All days; any exception inside a process ends the run here."""
        scenario, keeper = self.scenario, self.keeper
        began = time.perf_counter()
        first = keeper.resume(self) if keeper is not None else 0
        for done in range(first, scenario.days):
            day = scenario.first_day + done
            if feed is not None and done:
                self._feed(feed, day)
            self.state.panel.begin_day()
            started = time.perf_counter()
            self.pass_day(day)
            self.seconds["env"] += time.perf_counter() - started
            self._close(day)
            if keeper is not None:
                keeper.keep(self, done + 1)
            if progress is not None:
                progress(done + 1, scenario.days)
        self.seconds["run"] = time.perf_counter() - began
        return self._result()

    def pass_day(self, day: int) -> None:
        """Phases and processes of a day; those of the next midnight stay for the next day."""
        scenario, env, midnight = self.scenario, self.env, day * DAY_SECONDS
        if self.floor.strays.on:
            astray_s = midnight + int(scenario.misplacement.at_hour * 3_600)
            Phase(env, astray_s, self._timed(self.floor.misplace))
        if scenario.store.has_counts or self.floor.risk.on:
            Phase(env, midnight + scenario.count_s, self._timed(self._count))
        for hour in scenario.shelf.fill_hours if self.floor.shelves.on else ():
            Phase(env, midnight + int(hour * 3_600), self._timed(self.floor.fill_shelves))
        if self.floor.returns.on:
            back_s = midnight + scenario.customer_returns.at_s
            Phase(env, back_s, self._timed(self.floor.take_back))
        for at_s in self.floor.recalls.hours(day) if self.floor.recalls.on else ():
            Phase(env, at_s, self._timed(self.floor.recall))
        for at_s in self.floor.conversions.hours() if self.floor.conversions.on else ():
            Phase(env, midnight + at_s, self._timed(self._convert))
        if self.floor.rounds.on:
            Phase(env, midnight + self.floor.rounds.at_s, self._timed(self._return_goods))
        if self.floor.ages.markdown.on:
            label_s = midnight + int(scenario.markdown.from_hour * 3_600)
            Phase(env, label_s, self._timed(self.floor.mark_down))
        if self.floor.ages.on:
            Phase(env, midnight + scenario.perishables.expire_s, self._timed(self.floor.expire))
        if self.floor.pull is None:
            Phase(env, midnight + scenario.plan_s, self._plan_at)
        env.run(until=midnight + DAY_SECONDS)

    def _logistics(self) -> Logistics:
        """Processes; with a tape, all they do to the world is noted."""
        where = (self.env, self.scenario)
        draws = (self.seed, self.replication)
        trucks = self.bundle.rules.trucks(self.scenario.network)
        if self.tape is None:
            return Logistics(*where, self.floor, self.recorder, *draws, trucks)
        floor, watcher = TapedFloor(self.floor, self.tape), TapedWatcher(self.recorder, self.tape)
        return Logistics(*where, floor, watcher, *draws, trucks)

    def _feed(self, feed: Feed, day: int) -> None:
        began = time.perf_counter()
        more = feed(day)
        if more is not None:
            self.state.go_on_with(more, day * DAY_SECONDS)
        self.seconds["input"] += time.perf_counter() - began

    def _timed(self, act: Callable[[int], None]) -> Callable[[int], None]:
        def timed(now: int) -> None:
            if self.tape is not None and self.tape.is_replaying:
                return
            began = time.perf_counter()
            act(now)
            self.seconds["phases"] += time.perf_counter() - began

        return timed

    def _count(self, now: int) -> None:
        self.floor.count_all(now)
        risk = self.floor.risk
        if not risk.on:
            return
        day, state = now // DAY_SECONDS, self.state
        self.floor.advance_all(now)
        risk.note_day(state.panel.sold_today)
        if risk.is_due(day):
            view = panel = None
            if risk.needs_view:
                closing.out_so_far(now, state.stock, state.panel.out_today, state.master)
                view = self.planner.view(state.stock, now, is_hashed=False)
                panel = state.panel.view(day)
            risk.rank(day, view, panel)
        self.floor.count_risky(now)

    def _convert(self, now: int) -> None:
        self.planner.made = self.floor.convert(now, self.planner.made)

    def _return_goods(self, now: int) -> None:
        self.floor.get_back(now)
        if not self.floor.rounds.is_due(now // DAY_SECONDS):
            return
        loads = self.floor.send_back(now, self.planner.made)
        self.planner.made += len(loads)
        self.open_loads += loads

    def _plan_at(self, now: int) -> None:
        if self.tape is not None and self.tape.is_replaying:
            self.logistics.start(*self.tape.next_night(now)[1:])
            return
        self._timed(self._plan)(now)

    def _plan(self, now: int) -> None:
        self.floor.advance_all(now)
        if self.planner.is_issue_due(now // DAY_SECONDS):
            state = self.state
            closing.out_so_far(now, state.stock, state.panel.out_today, state.master)
            issued = self.planner.issue(state.panel, now // DAY_SECONDS)
            if self.floor.conversions.on:
                issued = self.planner.expect(self.floor.conversions.expected_use())
            self.recorder.forecast_issued(issued)
        decision = self.planner.decide(self.state.stock, now, is_hashed=self.trace.decisions)
        if self.trace.decisions:
            self.decisions.append(decision)
        loads = self.planner.loads(decision, now)
        self.open_loads = [load for load in self.open_loads if not is_done(load)] + loads
        for load in loads:
            self.floor.approve(load, now)
        unserved = {stop.location for stop in decision.unserved}
        if self.tape is not None:
            self.tape.add_night(now, loads, decision.routes, unserved)
        self.logistics.start(loads, decision.routes, unserved)

    def _close(self, day: int) -> None:
        """Serve the day's last lines and close it, some stores at a time.

        What serving a store has brought into the cache is still there for its closing.
        """
        places = self.scenario.network.shape[0]
        for first in range(0, places, _CLOSED_AT_ONCE):
            end = min(first + _CLOSED_AT_ONCE, places)
            self.floor.advance_all((day + 1) * DAY_SECONDS - 1, first, end)
            began = time.perf_counter()
            self.recorder.close_stores(day, first, end)
            self.seconds["close"] += time.perf_counter() - began
        began = time.perf_counter()
        self.recorder.close_day(day)
        self.seconds["close"] += time.perf_counter() - began

    def _carry_over(self, load: Load) -> None:
        """An open order of a warm start is on its way, and received when it was due."""
        stock, place = self.state.stock, load.destination
        np.add.at(stock.on_order[place], load.sku, load.ordered)
        if load.origin != SUPPLIER:
            np.add.at(stock.transit[place], load.sku, load.ordered)
            stock.on_road[place] += int(load.ordered.sum())
        self.open_loads.append(load)
        if self.tape is not None:
            self.tape.open[load.number] = load
        self.logistics.carry_over(load)

    def _result(self) -> RunResult:
        state, scenario = self.state, self.scenario
        end_s = (scenario.first_day + scenario.days) * DAY_SECONDS
        facts = self.recorder.facts(end_s)
        open_quantities.check(
            scenario.network, state.stock, self.open_loads, self.floor.pull, facts
        )
        sold = state.sold_total + state.totals.misposted
        lost = state.totals.lost.copy()
        waits = state.stock.waiting.sum(axis=0, dtype=np.int64)
        seconds = self.seconds | self.planner.seconds
        seconds["kernel"] = self.floor.kernel_seconds
        seconds["touch"] = self.floor.touch_seconds
        seconds["count"], seconds["expire"] = self.floor.count_seconds, self.floor.expire_seconds
        # What is left of SimPy's run: its queue, and the processes of trucks and docks.
        seconds["simpy"] = seconds["env"] - seconds["phases"] - seconds["touch"]
        counters = {
            "lines": state.lines_served - self._lines_before,
            "tours": self.logistics.tours,
            "loads": self.planner.made,
            **self.logistics.counters(),
            **self.floor.returns.counters(),
            **self.floor.recalls.counters(),
            **self.floor.conversions.counters(),
            **self.floor.rounds.counters(),
            **self.floor.shelves.counters(),
            **self.floor.strays.counters(),
            **self.floor.risk.counters(),
            **self.floor.ages.markdown.counters(),
        }
        return RunResult(
            scenario=scenario.name,
            policy=self.bundle.name,
            seed=self.seed,
            replication=self.replication,
            facts=facts,
            first_kpi_day=self.first_kpi_day,
            sold_per_sku=sold,
            lost_per_sku=lost,
            demanded_per_sku=sold + lost + waits + state.totals.switched,
            movements=self.journal.movements(),
            documents=self.journal.documents(),
            decisions=tuple(self.decisions),
            final=self._final() if self.trace.final_state else None,
            tours=tuple(self.recorder.tours),
            carbon=self.floor.carbon.result() if self.floor.carbon is not None else None,
            seconds=seconds,
            counters=counters,
        )

    def _final(self) -> Opening:
        """Stock, open orders and recent sales: the opening of a run that goes on."""
        stock = self.state.stock
        book, physical = stock.book.copy(), stock.physical.copy()
        ages, rows = self.floor.ages, [np.zeros((0, 5), dtype=np.int64)]
        ages.settle_all()
        aged = [np.zeros((0, 6), dtype=np.int64)]
        for load in self.open_loads:
            if is_done(load):
                continue
            has_left = load.shipped_s >= 0
            quantity = load.shipped if has_left else load.ordered
            if load.shipped_s < 0 and load.origin != SUPPLIER:
                quantity = np.minimum(
                    load.ordered, np.minimum(book, physical)[load.origin, load.sku]
                )
                np.subtract.at(book[load.origin], load.sku, quantity)
                np.subtract.at(physical[load.origin], load.sku, quantity)
            due = load.due_s if load.due_s >= 0 else self.logistics.expected_s(load)
            aged.append(ages.known_of(load, quantity, due))
            lane = (load.origin, load.destination)
            ends = [np.full(len(load.sku), end, dtype=np.int64) for end in lane]
            when = np.full(len(load.sku), due, dtype=np.int64)
            block = np.stack([*ends, load.sku, quantity, when], axis=1)
            rows.append(block[quantity > 0])
        return Opening(
            book,
            physical,
            np.concatenate(rows),
            self.state.panel.history(),
            ages.known(),
            np.concatenate(aged),
        )
