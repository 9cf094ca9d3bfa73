"""Tiles: one KPI a tile, as one HTML pane with inline SVG sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from policies.domain.kpis import Kpi
from ui.i18n import Words
from ui.judgement import MIN_RUNS, Judgement, Verdict
from ui.numerals import difference, figure, spread, telling_digits

Floats = npt.NDArray[np.float64]
_WIDTH, _HEIGHT = 200, 36

TILE_CSS = """
:host { width: 100%; }
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(186px, 1fr));
  font-family: var(--font); }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px 8px; color: var(--text); min-width: 0; }
.tile .name { font-size: 13px; color: var(--muted); line-height: 1.3; }
.tile .value { font-size: 26px; font-weight: 700; line-height: 1.25; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.tile .value small { font-size: 15px; font-weight: 600; color: var(--muted); }
.tile .value.none { font-size: 15px; white-space: normal; padding: 7px 0 6px; font-weight: 600; }
.tile .verdict { font-size: 13px; font-weight: 600; line-height: 1.4; }
.tile .twin { font-size: 12px; color: var(--muted); line-height: 1.4; }
.worse { color: var(--worse); } .better { color: var(--better); }
.inside, .unjudged { color: var(--muted); }
.tile svg { display: block; width: 100%; height: 36px; margin-top: 6px; overflow: visible; }
.tile svg path { fill: none; vector-effect: non-scaling-stroke; stroke-linecap: round; }
.tile svg .a { stroke: var(--actual); stroke-width: 2; }
.tile svg .t { stroke: var(--twin); stroke-width: 1.5; stroke-dasharray: 4 3; }
.tile svg .b { fill: var(--band); stroke: none; }
"""


@dataclass(frozen=True)
class Tile:
    """What one tile shows.

    Attributes
    ----------
    kpi : Kpi
    judgement : Judgement
    actual : (D,) float64, daily figure for the sparkline
    promise : (3, D) float64, daily P10, P50, P90; NaN where there is none
    """

    kpi: Kpi
    judgement: Judgement
    actual: Floats
    promise: Floats


def verdict_words(judgement: Judgement, say: Words) -> str:
    """The judgement as a person reads it, with the reason where there is none."""
    if not judgement.has_history:
        return say("judge.not_enough_history", have=judgement.have_days, need=judgement.need_days)
    if judgement.verdict is not Verdict.UNJUDGED:
        return say(f"judge.{judgement.verdict.value}")
    if not np.isfinite(judgement.value):
        return say("judge.no_data")
    if judgement.runs == 0:
        return say("judge.no_promise")
    return say("judge.few_runs", runs=judgement.runs, need=MIN_RUNS)


def tiles_html(tiles: Sequence[Tile], say: Words, currency: str = "") -> str:
    """All tiles as one piece of HTML."""
    return f'<div class="tiles">{"".join(_tile(tile, say, currency) for tile in tiles)}</div>'


def _tile(tile: Tile, say: Words, currency: str) -> str:
    kpi, found = tile.kpi, tile.judgement
    name = say(f"kpi.{kpi.name}")
    question = say(f"kpi_question.{kpi.name}")
    words = verdict_words(found, say)
    head = f'<div class="name" title="{escape(question)}">{escape(name)}</div>'
    if not found.has_history:
        body = f'<div class="value none">{escape(words)}</div>'
        return f'<section class="tile" data-kpi="{kpi.name}">{head}{body}</section>'
    shown = found.verdict in {Verdict.WORSE, Verdict.BETTER}
    edge = found.low if found.value < found.low else found.high
    digits = telling_digits(found.value, (edge, found.median), kpi.unit) if shown else None
    value = figure(found.value, kpi.unit, say, currency, digits=digits)
    gap = f"{difference(found.gap, kpi.unit, say, currency, digits=digits)} " if shown else ""
    between = spread(found.low, found.high, kpi.unit, say, digits=digits)
    band = say("judge.twin_value", value=between) if between else ""
    return (
        f'<section class="tile" data-kpi="{kpi.name}" data-verdict="{found.verdict.value}">{head}'
        f'<div class="value">{_small_unit(value)}</div>'
        f'<div class="verdict {found.verdict.value}">'
        f"{found.verdict.arrow} {escape(gap + words)}</div>"
        f'<div class="twin">{escape(band) or "&nbsp;"}</div>'
        f"{sparkline(tile.actual, tile.promise)}</section>"
    )


def _small_unit(value: str) -> str:
    digits, _, unit = value.partition(" ")
    return f"{escape(digits)} <small>{escape(unit)}</small>" if unit else escape(digits)


def sparkline(actual: Floats, promise: Floats) -> str:
    """Inline SVG: band, dashed median, solid actual; empty without figures.

    Parameters
    ----------
    actual : (D,) float64
    promise : (3, D) float64
    """
    together = np.concatenate([actual, promise.ravel()])
    known = together[np.isfinite(together)]
    if known.size < 2 or len(actual) < 2:
        return ""
    low, high = float(known.min()), float(known.max())
    span = high - low or 1.0

    def place(line: Floats) -> list[tuple[float, float] | None]:
        at = np.linspace(0, _WIDTH, len(line))
        up = _HEIGHT - 2 - (line - low) / span * (_HEIGHT - 4)
        return [
            (float(x), float(y)) if np.isfinite(y) else None for x, y in zip(at, up, strict=True)
        ]

    bottom = [point for point in place(promise[0]) if point]
    top = [point for point in place(promise[2]) if point]
    band = ""
    if top:
        around = " L".join(f"{x:.1f} {y:.1f}" for x, y in [*top, *reversed(bottom)])
        band = f'<path class="b" d="M{around} Z"/>'
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'{band}<path class="t" d="{_path(place(promise[1]))}"/>'
        f'<path class="a" d="{_path(place(actual))}"/></svg>'
    )


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    out = []
    for i, point in enumerate(points):
        if point is None:
            continue
        before = i > 0 and points[i - 1] is not None
        after = i + 1 < len(points) and points[i + 1] is not None
        out.append(f"{'L' if before else 'M'}{point[0]:.1f} {point[1]:.1f}")
        if not before and not after:
            # A day between two without a figure is a dot.
            out.append("h0.01")
    return " ".join(out)
