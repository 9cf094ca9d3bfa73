"""The causes of a gap in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape

from ui.causes import Cause
from ui.i18n import Words
from ui.judgement import Verdict
from ui.numerals import NOTHING, number

_UNITS = {"peak": "units", "demand": "units", "lead": "days", "trucks": "share", "phantom": "share"}
# A class of its own, so that the verdict is never told by the list's order alone.
WHY_CSS = """
ul.why { list-style: none; margin: 4px 0 2px; padding: 0; color: var(--text);
  font: 400 14px/1.5 var(--font); }
ul.why li { padding: 5px 0; border-top: 1px solid var(--line); }
ul.why li:first-child { border-top: none; }
ul.why b { font-weight: 600; margin-right: 8px; white-space: nowrap; }
ul.why .worse b { color: var(--worse); }
ul.why .better b { color: var(--better); }
ul.why .inside b, ul.why .unjudged b { color: var(--muted); }
"""


def why_html(found: Sequence[Cause], say: Words, start: dt.date) -> str:
    """A list with one sentence for each cause; what was not recorded says so.

    Parameters
    ----------
    found : sequence of Cause
    say : Words
    start : date of day number 0
    """
    if not found:
        return f"<p>{escape(say('why.no_promise'))}</p>"
    items = [
        f'<li class="{one.verdict.value}"><b>{one.verdict.arrow} '
        f"{escape(say('why.' + one.verdict.value))}</b>{escape(sentence(one, say, start))}</li>"
        for one in found
    ]
    return f'<ul class="why">{"".join(items)}</ul>'


def sentence(cause: Cause, say: Words, start: dt.date) -> str:
    """One cause in words, its figures beside those of the promise."""
    if cause.verdict is Verdict.UNJUDGED:
        return say(f"why.{cause.name}_unknown")
    name = cause.name
    if name == "peak" and cause.verdict is Verdict.INSIDE:
        name = "peak_same"
    if name == "demand":
        side = "above" if cause.over > 0 else "below"
        name = f"demand_{side}" if cause.verdict is not Verdict.INSIDE else "demand_same"
    return say(
        f"why.{name}",
        day="" if cause.day < 0 else f"{start + dt.timedelta(days=cause.day):%Y-%m-%d}",
        by=number(abs(cause.over), "share"),
        actual=_number(cause, cause.actual),
        promised=_number(cause, cause.median),
        low=_number(cause, cause.low),
        high=_number(cause, cause.high),
    )


def _number(cause: Cause, value: float) -> str:
    unit = _UNITS.get(cause.name)
    if unit is not None:
        return number(value, unit)
    return number(value, "", digits=2) or NOTHING
