"""An event calendar that a planner edits: a CSV or TOML file laid over a panel's own plan.

CSV columns (or keys of ``[[event]]`` in TOML): kind, first, last, store, category, factor,
expires, name. Kinds: ``festival`` (first = its day; moves), ``holiday``, ``working`` (a
weekend day that is worked), ``closed``, and ``override``: a planner's factor on the
forecast, which ends by itself on ``expires``. Empty store or category = all.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.forecasting.series import Floats, SeriesPanel
from scenarios.history.day_plan import days_from

KINDS = ("festival", "holiday", "working", "closed", "override")
_MOST_FACTOR = 20.0


@dataclass(frozen=True)
class Event:
    """One line of the calendar.

    Attributes
    ----------
    kind : one of KINDS
    first, last : days, both included
    store, category : names; empty = all
    factor : float ≥ 0, of an override
    expires : last day on which an override may still be issued, or None
    name : str, for people
    """

    kind: str
    first: dt.date
    last: dt.date
    store: str = ""
    category: str = ""
    factor: float = 1.0
    expires: dt.date | None = None
    name: str = ""


def read_events(path: Path) -> tuple[Event, ...]:
    """The events of a ``.csv`` or ``.toml`` file.

    Raises
    ------
    InvalidInput
        With file, row and field, for a kind, date or factor that can't be.
    """
    text = path.read_text(encoding="utf-8-sig")
    rows: list[dict[str, Any]]
    if path.suffix.lower() == ".toml":
        try:
            rows = tomllib.loads(text).get("event", [])
        except tomllib.TOMLDecodeError as error:
            raise InvalidInput(f"{path.name}: {error}", field="events") from None
    else:
        rows = list(csv.DictReader(text.splitlines()))
    return tuple(_event(row, number, path) for number, row in enumerate(rows, start=1))


def laid_over(
    panel: SeriesPanel,
    events: tuple[Event, ...],
    start: dt.date,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> SeriesPanel:
    """The panel with the calendar's holidays, festivals, worked and closed days.

    Parameters
    ----------
    panel : SeriesPanel
    events : of :func:`read_events`
    start : date of the panel's first day
    names : (each series' store, each series' category)
    """
    planned = panel.promotion.shape[1]
    holiday = panel.holiday.copy()
    weekday = panel.weekdays(0, planned).copy()
    closed = np.zeros(panel.promotion.shape, dtype=np.bool_)
    if panel.closed is not None:
        closed |= panel.closed
    festivals = []
    for event in events:
        days = _days(event, start, planned)
        if event.kind == "festival":
            festivals.append(event.first)
        elif event.kind == "holiday":
            holiday[days] = True
        elif event.kind == "working":
            holiday[days] = False
            weekday[days] = np.where(weekday[days] == 5, 4, np.where(weekday[days] == 6, 0, 2))
        elif event.kind == "closed":
            closed[np.ix_(_mine(event, names), days)] = True
    festival = panel.festival
    if festivals:
        told = days_from(tuple(festivals), start, planned)
        known = told if festival is None else festival
        festival = np.where(np.abs(told) <= np.abs(known), told, known).astype(np.int16)
    shut = closed[:, : panel.shape[1]]
    return dataclasses.replace(
        panel,
        holiday=holiday,
        weekday=weekday,
        closed=closed if closed.any() else None,
        festival=festival,
        in_stock=np.where(shut, np.float32(0.0), panel.in_stock),
    )


def overrides(
    events: tuple[Event, ...],
    origin: dt.date,
    horizon: int,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> Floats:
    """(S, H) a planner's factor on the days from `origin` on; 1 where none holds.

    An override that has expired by `origin` is passed over; of several the last wins.
    """
    out = np.ones((len(names[0]), horizon))
    for event in events:
        if event.kind != "override" or (event.expires and event.expires < origin):
            continue
        out[np.ix_(_mine(event, names), _days(event, origin, horizon))] = event.factor
    return out


def _days(event: Event, start: dt.date, planned: int) -> npt.NDArray[np.intp]:
    first, last = (event.first - start).days, (event.last - start).days
    return np.arange(max(first, 0), min(last + 1, planned))


def _mine(event: Event, names: tuple[tuple[str, ...], tuple[str, ...]]) -> npt.NDArray[np.intp]:
    stores, categories = names
    fits = [
        (not event.store or store == event.store)
        and (not event.category or category == event.category)
        for store, category in zip(stores, categories, strict=True)
    ]
    return np.flatnonzero(fits)


def _event(row: dict[str, Any], number: int, path: Path) -> Event:
    def text(name: str) -> str:
        return str(row.get(name) or "").strip()

    def date(name: str, otherwise: dt.date | None) -> dt.date | None:
        told = row.get(name)
        if isinstance(told, dt.date):
            return told
        if not text(name):
            return otherwise
        try:
            return dt.date.fromisoformat(text(name))
        except ValueError:
            raise refusal(name, "a date as 2026-02-17") from None

    def refusal(name: str, remedy: str) -> InvalidInput:
        said = f"{path.name}: {name} is {text(name)!r}"
        return InvalidInput(said, field=name, row=number, remedy=f"give {remedy}")

    kind = text("kind")
    if kind not in KINDS:
        raise refusal("kind", f"one of {', '.join(KINDS)}")
    first = date("first", None)
    if first is None:
        raise refusal("first", "a date as 2026-02-17")
    last = date("last", first)
    assert last is not None
    if last < first:
        raise refusal("last", "a day not before the first")
    factor = 1.0
    if kind == "override":
        try:
            factor = float(text("factor"))
        except ValueError:
            raise refusal("factor", "a number, 1.2 for a fifth more") from None
        if not 0 <= factor <= _MOST_FACTOR:
            raise refusal("factor", f"a number from 0 to {_MOST_FACTOR:g}")
        if date("expires", None) is None:
            raise refusal("expires", "the last day on which the override may still be issued")
    return Event(
        kind, first, last, text("store"), text("category"), factor, date("expires", None),
        text("name"),
    )  # fmt: skip
