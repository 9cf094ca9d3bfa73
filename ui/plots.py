"""The charts that dashboards and notebooks share; each answers one question."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import holoviews as hv
import hvplot.pandas  # noqa: F401  (registers DataFrame.hvplot)
import numpy as np
import numpy.typing as npt
import pandas as pd
from bokeh.models import DatetimeTickFormatter, FixedTicker

from ui.judgement import Verdict
from ui.theme import FONT_STACK, Tokens

Floats = npt.NDArray[np.float64]
MARKERS = {
    Verdict.WORSE: "inverted_triangle",
    Verdict.INSIDE: "circle",
    Verdict.BETTER: "triangle",
    Verdict.UNJUDGED: "circle",
}


def load_backend() -> None:
    """Bind HoloViews to Bokeh; called once by whoever serves or shows plots."""
    hv.extension("bokeh", logo=False)


def dress(colours: Tokens, day_format: str = "", month_format: str = "") -> Any:
    """A HoloViews hook that paints a Bokeh figure in the theme's tokens.

    Parameters
    ----------
    colours : Tokens
    day_format, month_format : str, strftime forms of a time axis; "" leaves it alone
    """

    def hook(plot: Any, _: Any) -> None:
        figure = plot.state
        if day_format:
            figure.xaxis[0].formatter = DatetimeTickFormatter(
                days=day_format, months=month_format, years=month_format
            )
        figure.background_fill_color = figure.border_fill_color = colours.card
        figure.background_fill_alpha = figure.border_fill_alpha = 1.0
        figure.outline_line_color = None
        figure.toolbar.logo = None
        figure.toolbar.autohide = True
        for axis in figure.axis:
            axis.axis_line_color = axis.major_tick_line_color = colours.line
            axis.minor_tick_line_color = None
            axis.major_label_text_color = axis.axis_label_text_color = colours.muted
            axis.major_label_text_font = axis.axis_label_text_font = FONT_STACK
            axis.major_label_text_font_size = axis.axis_label_text_font_size = "12px"
            axis.axis_label_text_font_style = "normal"
        for grid in figure.grid:
            grid.grid_line_color = colours.line
        figure.xgrid.grid_line_color = None
        for legend in figure.legend:
            legend.background_fill_alpha = 0.0
            legend.border_line_color = None
            legend.label_text_color = colours.text
            legend.label_text_font = FONT_STACK
            legend.label_text_font_size = "13px"
            legend.spacing, legend.padding = 16, 0
        for bar in [*figure.right, *figure.left]:
            if bar.__class__.__name__ == "ColorBar":
                bar.background_fill_alpha = 0.0
                bar.major_label_text_color = bar.title_text_color = colours.muted
                bar.major_label_text_font = bar.title_text_font = FONT_STACK
                bar.major_label_text_font_size = bar.title_text_font_size = "12px"
                bar.bar_line_color = None

    return hook


@dataclass(frozen=True)
class BandWords:
    """What the legend of a band chart says."""

    band: str
    median: str
    actual: str
    value: str
    day: str
    history: str = ""
    day_format: str = ""
    month_format: str = ""


@dataclass(frozen=True)
class BandMarks:
    """What stands on the time axis beside the figures; dates, None = absent."""

    promoted: dt.date | None = None
    pilot: tuple[dt.date, dt.date] | None = None
    simulated_until: dt.date | None = None


def promise_band(
    actual: pd.Series,
    promise: pd.DataFrame,
    words: BandWords,
    colours: Tokens,
    marks: BandMarks | None = None,
    *,
    legend: bool = True,
    height: int = 280,
) -> hv.Overlay:
    """Is reality doing what the twin promised?

    Parameters
    ----------
    actual : Series of float over dates, in the unit shown
    promise : DataFrame over dates with columns low, median, high; may be empty
    words : BandWords
    colours : Tokens
    marks : BandMarks, optional
    legend : bool, off where the page writes its own, which wraps on a phone
    height : int, pixels

    Returns
    -------
    Overlay: band, dashed median, solid actual, a rule at the promotion
    """
    here = marks or BandMarks()
    layers: list[Any] = []
    if here.pilot is not None:
        layers.append(hv.VSpan(*map(pd.Timestamp, here.pilot)).opts(color=colours.muted, alpha=0.1))
    if len(promise):
        frame = promise.rename_axis("day")
        layers.append(
            frame.hvplot.area(
                y="low",
                y2="high",
                label=words.band,
                color=colours.band,
                line_alpha=0.0,
                alpha=0.85,
                responsive=True,
                height=height,
                hover=False,
            )
        )
        layers.append(
            _line(frame["median"], words.median, words, colours.twin, height, line_dash="dashed")
        )
    past, present = _split(actual, here.simulated_until)
    if len(past):
        layers.append(
            _line(past, words.history, words, colours.actual, height, line_width=1, alpha=0.55)
        )
    if len(present):
        layers.append(_line(present, words.actual, words, colours.actual, height, line_width=2.5))
    if here.promoted is not None:
        layers.append(
            hv.VLine(pd.Timestamp(here.promoted)).opts(
                color=colours.muted, line_dash="dotted", line_width=1.5
            )
        )
    return hv.Overlay(layers).opts(
        hv.opts.Overlay(
            show_legend=legend,
            legend_position="top",
            hooks=[dress(colours, words.day_format, words.month_format)],
            xlabel="",
            ylabel=words.value,
            responsive=True,
            height=height,
            toolbar=None,
            default_tools=[],
        )
    )


def _split(actual: pd.Series, until: dt.date | None) -> tuple[pd.Series, pd.Series]:
    if until is None:
        return actual.iloc[:0], actual
    edge = pd.Timestamp(until)
    # The two lines share the edge day, so that no gap shows between them.
    return actual[actual.index <= edge], actual[actual.index >= edge]


def _line(
    series: pd.Series, label: str, words: BandWords, colour: str, height: int, **style: Any
) -> Any:
    named = pd.DataFrame({words.value: series.to_numpy()}, index=series.index)
    return named.rename_axis("day").hvplot.line(
        y=words.value, label=label, color=colour, responsive=True, height=height, **style
    )


def store_map(
    stores: pd.DataFrame,
    axis_words: tuple[str, str],
    colours: Tokens,
    *,
    warehouses: pd.DataFrame | None = None,
    limit: float = 1.0,
    height: int = 320,
) -> hv.Overlay:
    """Where is it worse? Each store a mark, shaped by verdict, coloured by gap.

    Parameters
    ----------
    stores : DataFrame with columns longitude, latitude, gap, verdict (Verdict), label
    axis_words : (longitude, latitude) axis labels
    colours : Tokens
    warehouses : DataFrame with longitude, latitude, label, optional
    limit : float, gap (better positive) at the ends of the palette
    height : int, pixels

    Returns
    -------
    Overlay of points over a graticule; no tiles, no outside request
    """
    layers: list[Any] = []
    for verdict in (Verdict.UNJUDGED, Verdict.INSIDE, Verdict.BETTER, Verdict.WORSE):
        rows = stores[stores["verdict"] == verdict]
        if rows.empty:
            continue
        points = hv.Points(
            rows[["longitude", "latitude", "gap", "label"]],
            kdims=["longitude", "latitude"],
            vdims=["gap", "label"],
            label=verdict.value,
        )
        layers.append(
            points.opts(
                color="gap",
                cmap=palette(colours),
                clim=(-limit, limit),
                marker=MARKERS[verdict],
                size=11 if verdict in {Verdict.WORSE, Verdict.BETTER} else 8,
                line_color=colours.muted,
                line_width=0.8,
                tools=["hover"],
                hover_tooltips=[("", "@label")],
            )
        )
    if warehouses is not None and len(warehouses):
        layers.append(
            hv.Points(
                warehouses[["longitude", "latitude", "label"]],
                kdims=["longitude", "latitude"],
                vdims=["label"],
            ).opts(
                color=colours.text,
                marker="square",
                size=11,
                tools=["hover"],
                hover_tooltips=[("", "@label")],
            )
        )
    return hv.Overlay(layers).opts(
        hv.opts.Overlay(
            hooks=[dress(colours), _graticule(colours)],
            xlabel=axis_words[0],
            ylabel=axis_words[1],
            show_legend=False,
            responsive=True,
            height=height,
            padding=0.08,
            toolbar=None,
            default_tools=[],
        )
    )


def _graticule(colours: Tokens) -> Any:
    def hook(plot: Any, _: Any) -> None:
        figure = plot.state
        figure.xgrid.grid_line_color = figure.ygrid.grid_line_color = colours.line
        figure.xaxis[0].axis_label = figure.xaxis[0].axis_label or ""
        # Degrees of longitude are shorter than degrees of latitude away from the equator.
        figure.match_aspect = False

    return hook


def no_grid(plot: Any, _: Any) -> None:
    """A HoloViews hook for a plot that is only a sentence."""
    plot.state.xgrid.grid_line_color = plot.state.ygrid.grid_line_color = None


def palette(colours: Tokens, steps: int = 128) -> list[str]:
    """Worse → no gap → better as `steps` hex colours; each theme has its own."""
    stops = [tuple(int(stop[i : i + 2], 16) for i in (1, 3, 5)) for stop in colours.diverging]
    at = np.linspace(0.0, 2.0, steps)
    channels = [np.interp(at, [0.0, 1.0, 2.0], [stop[c] for stop in stops]) for c in range(3)]
    return [
        f"#{round(r):02x}{round(g):02x}{round(b):02x}" for r, g, b in zip(*channels, strict=True)
    ]


def gap_image(
    gaps: Floats,
    column_starts: npt.NDArray[np.datetime64],
    axis_words: tuple[str, str],
    colours: Tokens,
    *,
    limit: float,
    formats: tuple[str, str] = ("", ""),
    height: int = 320,
) -> hv.Image:
    """Since when? Store × time, worst store on top.

    Parameters
    ----------
    gaps : (S, W) float64, better positive, rows sorted worst first
    column_starts : (W,) datetime64[D], evenly spaced days or weeks
    axis_words : labels of time and stores
    colours : Tokens
    limit : float, gap at the ends of the palette
    formats : strftime forms of days and months
    height : int, pixels
    """
    stores, _ = gaps.shape
    starts = column_starts.astype("datetime64[ns]")
    step = starts[1] - starts[0] if len(starts) > 1 else np.timedelta64(1, "D")
    bounds = (starts[0], 0.0, starts[-1] + step, float(stores))
    image = hv.Image(gaps, bounds=bounds, kdims=["time", "store"], vdims=["gap"])
    return image.opts(
        clabel="",
        cmap=palette(colours),
        clim=(-limit, limit),
        colorbar=True,
        colorbar_opts={"width": 10, "padding": 4},
        hooks=[dress(colours, *formats), _column_ticks(starts)],
        xlabel=axis_words[0],
        ylabel=axis_words[1],
        yticks=0,
        yaxis="left",
        responsive=True,
        height=height,
        toolbar=None,
        default_tools=[],
    )


def _column_ticks(starts: npt.NDArray[np.datetime64], most: int = 8) -> Any:
    """A hook that ticks the first day of every column, or of every n-th."""
    every = -(-len(starts) // most)
    ticks = starts[::every].astype("datetime64[ms]").astype(np.int64).tolist()

    def hook(plot: Any, _: Any) -> None:
        plot.state.xaxis[0].ticker = FixedTicker(ticks=ticks)

    return hook
