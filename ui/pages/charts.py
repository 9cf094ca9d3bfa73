"""What the executive page draws, made from figures for one visit."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from html import escape

import holoviews as hv
import numpy as np
import pandas as pd

from ui import plots
from ui.comparison import Comparison
from ui.judgement import Verdict, verdict
from ui.numerals import difference, scaled
from ui.pages.figures import Figures
from ui.shell import Visit, legend_html
from ui.tiles import Tile

CHART_DAYS = 120
SPARK_DAYS = 56


_NUMBERS = {"actual": "actual", "twin": "twin", "low": "low", "high": "high", "gap": "difference"}


@dataclass
class Charts:
    """Charts, frames and their words.

    Attributes
    ----------
    figures : Figures
    visit : Visit, language and theme
    """

    figures: Figures
    visit: Visit

    def tile(self, found: Comparison) -> Tile:
        """One KPI's tile: judgement and daily sparkline."""
        last = found.actual.last_day
        first = max(last - SPARK_DAYS + 1, found.actual.first_day)
        actual = found.actual.daily()[0][first - found.actual.first_day :]
        promise = np.full((3, len(actual)), np.nan)
        band = found.daily_band()
        if band is not None and found.twin is not None:
            at = found.twin.first_day - first + np.arange(band.shape[1])
            inside = (at >= 0) & (at < len(actual))
            promise[:, at[inside]] = band[:, inside]
        return Tile(found.kpi, found.judged(), actual, promise)

    def band(self, found: Comparison, location: int | None) -> hv.Overlay:
        """Band chart of the whole chain, or of one store (position among the stores)."""
        say, situation, unit = self.visit.say, self.figures.situation, found.kpi.unit
        last = max(found.actual.last_day, found.twin.last_day if found.twin else 0)
        first = max(found.actual.first_day, last - CHART_DAYS + 1)
        actual = self._series(found.actual.daily(location)[0], found.actual.first_day, first, unit)
        promise = pd.DataFrame({"low": [], "median": [], "high": []})
        band = found.daily_band(location)
        if band is not None and found.twin is not None:
            promise = pd.DataFrame(
                {
                    name: self._series(row, found.twin.first_day, first, unit)
                    for name, row in zip(("low", "median", "high"), band, strict=True)
                }
            )
        words = plots.BandWords(
            say("executive.legend_band"),
            say("executive.legend_median"),
            say("executive.legend_actual"),
            self._axis_words(found),
            say("executive.axis_day"),
            say("executive.legend_history"),
            *self._formats(),
        )
        marks = plots.BandMarks(
            self._date(situation.promoted_day if situation.release else None, first),
            None
            if situation.pilot_days is None
            else (self.date(situation.pilot_days[0]), self.date(situation.pilot_days[1])),
            self._date(situation.simulated_until_day, first),
        )
        return plots.promise_band(actual, promise, words, self.visit.colours, marks, legend=False)

    def _series(self, row: np.ndarray, starts: int, first: int, unit: str) -> pd.Series:
        skip = max(first - starts, 0)
        kept = np.array([scaled(value, unit) for value in row[skip:]])
        days = pd.date_range(self.date(starts + skip), periods=len(kept), freq="D")
        return pd.Series(kept, index=days)

    def stores(self, found: Comparison) -> pd.DataFrame:
        """One row a store, worst gap first; `gap` is positive where reality is better."""
        places, say, unit = self.figures.places, self.visit.say, found.kpi.unit
        stores = places.stores
        actual, band = found.store_gaps()
        gap = actual - band[1]
        said = [
            verdict(value, low, high, found.kpi.direction)
            for value, low, high in zip(actual, band[0], band[2], strict=True)
        ]
        frame = pd.DataFrame(
            {
                "at": np.arange(len(stores)),
                "store": [places.ids[i] for i in stores],
                "region": [places.regions[i] for i in stores],
                "longitude": places.longitude[stores],
                "latitude": places.latitude[stores],
                "actual": actual,
                "twin": band[1],
                "low": band[0],
                "high": band[2],
                "difference": gap,
                # Oriented: positive is better, whatever the KPI's direction.
                "gap": np.nan_to_num(gap * found.kpi.direction),
                "verdict": said,
            }
        )
        frame["label"] = [
            f"{places.ids[stores[i]]} · {difference(gap[i], unit, say)} · "
            f"{say('judge.' + said[i].value)}"
            for i in range(len(stores))
        ]
        return frame.sort_values("gap", kind="stable").reset_index(drop=True)

    def map(self, frame: pd.DataFrame) -> hv.Overlay:
        """Map of the stores of :meth:`stores`, with the warehouses."""
        say, places = self.visit.say, self.figures.places
        others = np.flatnonzero(~places.is_store)
        warehouses = pd.DataFrame(
            {
                "longitude": places.longitude[others],
                "latitude": places.latitude[others],
                "label": [places.names[i] for i in others],
            }
        )
        return plots.store_map(
            frame,
            (say("executive.axis_longitude"), say("executive.axis_latitude")),
            self.visit.colours,
            warehouses=warehouses,
            limit=_limit(
                frame["gap"].to_numpy(), float((frame["high"] - frame["low"]).median()) / 2
            ),
        )

    def map_legend(self, frame: pd.DataFrame) -> str:
        """Legend of the map, with counts."""
        say, colours = self.visit.say, self.visit.colours
        counts = frame["verdict"].value_counts()
        inks = {Verdict.WORSE: colours.worse, Verdict.BETTER: colours.better}
        items = [
            (
                said.arrow,
                inks.get(said, colours.muted),
                say(f"executive.map_{said.value}", count=int(counts.get(said, 0))),
            )
            for said in (Verdict.WORSE, Verdict.INSIDE, Verdict.BETTER)
        ]
        others = int((~self.figures.places.is_store).sum())
        items.append(("■", colours.text, say("executive.map_warehouse", count=others)))
        return legend_html(items)

    def band_legend(self) -> str:
        """Legend of the band chart."""
        say, colours, situation = self.visit.say, self.visit.colours, self.figures.situation
        items = [
            ("area", colours.band, say("executive.legend_band")),
            ("dash", colours.twin, say("executive.legend_median")),
            ("line", colours.actual, say("executive.legend_actual")),
        ]
        if situation.simulated_until_day is not None:
            items.append(("thin", colours.actual, say("executive.legend_history")))
        if situation.promoted_day is not None and situation.release:
            text = say("executive.promoted_on", release=situation.release)
            items.append(("rule", colours.muted, text))
        if situation.pilot_days is not None:
            items.append(("area", colours.line, say("executive.pilot")))
        return legend_html(items)

    def image(self, found: Comparison) -> hv.Image | hv.Text:
        """Store × time image of the gap, worst store of the newest columns on top."""
        start, step, gaps = found.gaps_over_time()
        say = self.visit.say
        oriented = np.array(gaps * found.kpi.direction)
        if oriented.shape[0] == 0:
            return hv.Text(0.5, 0.5, say("judge.no_promise")).opts(
                xaxis=None,
                yaxis=None,
                text_color=self.visit.colours.muted,
                hooks=[plots.dress(self.visit.colours), plots.no_grid],
            )
        order = np.argsort(np.nan_to_num(oriented[-4:]).mean(axis=0), kind="stable")
        unit = found.kpi.unit
        shown = np.array([[scaled(v, unit) for v in row] for row in oriented.T[order]])
        columns = np.array(
            [self.date(start + step * column) for column in range(oriented.shape[0])],
            dtype="datetime64[D]",
        )
        axis = (
            say("executive.axis_week" if step > 1 else "executive.axis_day"),
            say("executive.axis_stores", count=oriented.shape[1]),
        )
        limit = _limit(shown, scaled(_half_band(found), unit))
        return plots.gap_image(
            shown, columns, axis, self.visit.colours, limit=limit, formats=self._formats()
        )

    def table(self, frame: pd.DataFrame, found: Comparison) -> pd.DataFrame:
        """The table's columns; figures stay numbers, in the unit shown, so that they sort."""
        say, unit = self.visit.say, found.kpi.unit
        shown = {
            name: [scaled(value, unit) for value in frame[column]]
            for name, column in _NUMBERS.items()
        }
        said = [f"{one.arrow} {say('judge.' + one.value)}" for one in frame["verdict"]]
        names = {"store": frame["store"], "region": frame["region"]}
        return pd.DataFrame({**names, **shown, "verdict": said})

    def titles(self, found: Comparison) -> dict[str, str]:
        """Column titles, numbers with their unit."""
        say = self.visit.say
        unit = {"share": "%"}.get(found.kpi.unit, "")
        out = {name: say(f"executive.column_{name}") for name in ("store", "region", "verdict")}
        for name in _NUMBERS:
            text = say(f"executive.column_{name}")
            own = self._gap_unit(found) if name == "gap" else unit
            out[name] = f"{text}, {own}" if own else text
        return out

    def date(self, day: int) -> dt.date:
        """Calendar date of a day number."""
        return self.figures.situation.start_date + dt.timedelta(days=int(day))

    def _date(self, day: int | None, first: int) -> dt.date | None:
        return None if day is None or day < first else self.date(day)

    def promise_words(self, found: Comparison) -> str:
        """Question behind the band chart."""
        say = self.visit.say
        text = say(
            "executive.keeping_promise_sub",
            kpi=say(f"kpi_question.{found.kpi.name}"),
            scope=say("executive.whole_chain"),
        )
        return f"<p>{escape(text)}</p>"

    def _formats(self) -> tuple[str, str]:
        return self.visit.say("table.day_format"), self.visit.say("table.month_format")

    def since_words(self, found: Comparison) -> str:
        """Subtitle of the store × week image."""
        text = self.visit.say("executive.since_when_sub", unit=self._gap_unit(found))
        return f"<p>{escape(text)}</p>"

    def _axis_words(self, found: Comparison) -> str:
        name = self.visit.say(f"kpi.{found.kpi.name}")
        return f"{name}, %" if found.kpi.unit == "share" else name

    def _gap_unit(self, found: Comparison) -> str:
        say = self.visit.say
        unit = "points" if found.kpi.unit == "share" else found.kpi.unit
        return say(f"unit.{unit}", number="", currency="").strip()


def _limit(values: np.ndarray, floor: float) -> float:
    """The gap at the ends of a palette: nearly the largest, and never a mere hair."""
    known = np.abs(values[np.isfinite(values)])
    largest = float(np.quantile(known, 0.98)) if known.size else 0.0
    return max(largest, floor) or 1.0


def _half_band(found: Comparison) -> float:
    """Half the width of a store's band in the middle of all stores."""
    low, _, high = found.store_gaps()[1]
    widths = (high - low)[np.isfinite(high - low)]
    return float(np.median(widths)) / 2 if widths.size else 0.0
