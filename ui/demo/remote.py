"""A service with a demo clock in one process, and the emulator that moves it in another."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, request

from policies.domain.errors import InvalidInput
from scenarios.emulation.clock import DEMO_TIME, CarriedClock, DemoClock
from scenarios.emulation.wire import Wire
from scenarios.worlds import load_opening
from ui.demo.live import TOKENS, reality_of
from ui.demo.plan import PLANS, DemoPlan, demo_plan

DROP_SHARE = 0.1
"""Share of replies that go astray with ``--faults``."""


def obey_demo_time(app: Flask, clock: DemoClock) -> None:
    """Let requests carry the emulated time; only a service on a demo clock is told so."""

    @app.before_request
    def _go_on() -> None:
        text = request.headers.get(DEMO_TIME)
        if not text:
            return
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise _no_time(text) from None
        if moment.tzinfo is None:
            raise _no_time(text)
        clock.set(moment)


def _no_time(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text[:40]!r} is no aware time", field=DEMO_TIME, remedy="write ISO 8601 with a zone"
    )


def emulate_weeks(
    url: str, first: int, last: int, *, seed: int, faults: bool, home: Path
) -> dict[str, Any]:
    """Let the reference model live some weeks against the service at `url`.

    Parameters
    ----------
    url : str, a service on a copy of the demo's opened database, with a demo clock
    first, last : int, weeks; the first is the one the service was opened for
    seed : int, of the events and of who is late
    faults : bool, lose one reply in ten as well
    home : Path, the demo's folder of this chain

    Returns
    -------
    dict
        ``posted``, ``effective``, ``duplicates``, ``late``, ``refused``, and more.

    Raises
    ------
    InvalidInput
        The folder is no demo's, or the weeks are not those that were opened.
    """
    plan = _plan_of(home, first, last)
    service = home / "service"
    for needed in (service / TOKENS, home / "replay" / "final", home / "chain" / "files"):
        if not needed.exists():
            raise InvalidInput(
                f"{needed} is missing",
                field="--home",
                remedy="run storetwin demo first, and name its folder of this chain",
            )
    clock = CarriedClock()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(6_113,)))
    wire = Wire(
        url,
        json.loads((service / TOKENS).read_text()),
        clock,
        (lambda _: bool(rng.random() < DROP_SHARE)) if faults else None,
        clock.headers,
    )

    def night(at: dt.datetime) -> dict[str, Any]:
        done = wire.plan("boss", at)
        return {key: done[key] for key in ("proposals", "routes", "seconds")}

    opening = load_opening(home / "replay" / "final")
    chain = home / "chain" / "files"
    reality = reality_of(
        plan, chain, opening, wire, service, night, lambda _done, _whole: None, seed=seed
    )
    return vars(reality.run())


def _plan_of(home: Path, first: int, last: int) -> DemoPlan:
    if home.name not in PLANS:
        raise InvalidInput(
            f"{home} is no demo's folder of a chain",
            field="--home",
            remedy=f"a folder called {', '.join(PLANS)}, as var/demo/cj",
        )
    plan = demo_plan(home.name)
    opened, ends = plan.live_weeks
    if first != opened or not first <= last <= ends:
        raise InvalidInput(
            f"weeks {first}-{last} were not opened for an emulated reality",
            field="--weeks",
            remedy=f"begin with week {opened}, end with week {ends} at the latest",
        )
    return dataclasses.replace(plan, live_weeks=(first, last))
