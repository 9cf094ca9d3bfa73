"""The executive page: is reality doing what the twin promised?"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
from bokeh.models.widgets.tables import NumberFormatter

from ui.i18n import Words
from ui.numerals import NOTHING
from ui.pages.charts import Charts
from ui.pages.figures import TILE_KPIS, Figures
from ui.pages.why import WHY_CSS, why_html
from ui.shell import (
    BAR_CSS,
    HEAD_CSS,
    LEGEND_CSS,
    Visit,
    bar_html,
    card,
    html_pane,
    label_pane,
    labels_html,
    page,
)
from ui.sources import Source
from ui.tiles import TILE_CSS, tiles_html

REFRESH_MS = 15_000
LIST_CSS = """
ul { margin: 4px 0 2px; padding-left: 18px; font: 400 14px/1.6 var(--font); color: var(--text); }
"""


def executive(source: Source, visit: Visit) -> pmui.Page:
    """The page of `source` for one visit."""
    board = _Board(Figures.of(source), visit)
    bar = html_pane(board.bar(), BAR_CSS)
    made = page(visit, visit.say("executive.title"), bar, *board.cards())

    def refresh() -> None:
        fresh = Figures.of(source)
        if fresh.situation.version != board.figures.situation.version:
            board.take(fresh)
        board.figures = fresh
        bar.object = board.bar()

    if pn.state.curdoc is not None:
        pn.state.add_periodic_callback(refresh, period=REFRESH_MS)
    return made


@dataclass
class _Board:
    """The panes of one visit and what they show."""

    figures: Figures
    visit: Visit

    def __post_init__(self) -> None:
        say = self.visit.say
        names = {say(f"kpi.{name}"): name for name in TILE_KPIS}
        self.chosen = pmui.Select(
            label=say("executive.choose_kpi"),
            options=names,
            value=TILE_KPIS[0],
            width=260,
            size="small",
        )
        self.store: int | None = None
        self.tiles = html_pane("", TILE_CSS)
        self.labels = label_pane("")
        self.told = html_pane("", LIST_CSS)
        self.band_words = html_pane("", HEAD_CSS, LEGEND_CSS)
        self.why = html_pane("", HEAD_CSS, WHY_CSS)
        self.map_legend = html_pane("", LEGEND_CSS)
        self.since_words = html_pane("", HEAD_CSS)
        self.band = _plot_pane()
        self.map = _plot_pane()
        self.image = _plot_pane()
        self.one = pn.Column(sizing_mode="stretch_width")
        self.table = self._table()
        self.chosen.param.watch(lambda _: self.show_kpi(), "value")
        self.take(self.figures)

    # Panes ------------------------------------------------------------------

    def cards(self) -> list[pn.viewable.Viewable]:
        """The cards in reading order."""
        say = self.visit.say
        halves = pn.FlexBox(
            self._half(
                say("executive.where_worse"),
                self._window_words("where_worse"),
                self.map_legend,
                self.map,
            ),
            self._half(say("executive.since_when"), "", self.since_words, self.image),
            sizing_mode="stretch_width",
            gap="12px",
        )
        return [
            self.labels,
            card(say("executive.are_we_well"), self._well_words(), self.tiles),
            card(say("executive.keeping_promise"), "", self.band_words, self.chosen, self.band),
            card(say("why.title"), say("why.sub"), self.why),
            halves,
            card(
                say("executive.which_stores"),
                say("executive.which_stores_sub"),
                self.table,
                self.one,
            ),
            card(say("executive.not_told"), self._told_words(), self.told),
        ]

    def _half(self, title: str, subtitle: str, *panes: pn.viewable.Viewable) -> pn.Column:
        half = card(title, subtitle, *panes)
        half.styles = {"flex": "1 1 440px", "min-width": "min(440px, 100%)"}
        return half

    def _table(self) -> pn.widgets.Tabulator:
        figures = ("actual", "twin", "low", "high")
        table = pn.widgets.Tabulator(
            pd.DataFrame(),
            pagination="remote",
            page_size=10,
            show_index=False,
            disabled=True,
            selectable=False,
            sizing_mode="stretch_width",
            layout="fit_columns",
            theme="midnight" if self.visit.colours.name == "dark" else "simple",
            stylesheets=[_table_css()],
            text_align=dict.fromkeys((*figures, "gap"), "right"),
            header_align=dict.fromkeys((*figures, "gap"), "right"),
            formatters={
                **{name: NumberFormatter(format="0.0", nan_format=NOTHING) for name in figures},
                "gap": NumberFormatter(format="+0.00", nan_format=NOTHING),
            },
            configuration=_pager_words(self.visit.say),
        )
        table.on_click(self._open_row)
        return table

    # Filling ----------------------------------------------------------------

    def take(self, figures: Figures) -> None:
        """Show `figures`: every pane that depends on the data."""
        self.figures = figures
        self.charts = Charts(figures, self.visit)
        situation, say = figures.situation, self.visit.say
        self.labels.object = labels_html(
            self.visit, situation, coordinates_assigned=figures.places.coordinates_assigned
        )
        tiles = [
            self.charts.tile(figures.comparison(name)) for name in TILE_KPIS if figures.has_actual
        ]
        self.tiles.object = (
            tiles_html(tiles, say, situation.currency)
            if tiles
            else f"<p>{escape(say('executive.no_data'))}</p>"
        )
        self.told.object = self._told_html()
        self.why.object = (
            why_html(figures.causes(), say, situation.start_date) if figures.has_actual else ""
        )
        self.show_kpi()

    def show_kpi(self) -> None:
        """Redraw what depends on the chosen KPI."""
        if not self.figures.has_actual:
            return
        found = self.figures.comparison(str(self.chosen.value))
        self.band_words.object = self.charts.promise_words(found) + self.charts.band_legend()
        self.since_words.object = self.charts.since_words(found)
        self.band.object = self.charts.band(found, None)
        frame = self.charts.stores(found)
        self.map_legend.object = self.charts.map_legend(frame)
        self.map.object = self.charts.map(frame)
        self.image.object = self.charts.image(found)
        self.table.value = self.charts.table(frame, found)
        self.table.titles = self.charts.titles(found)
        if self.store is not None:
            self._show_store(self.store)

    def bar(self) -> str:
        """The header's right side."""
        return bar_html(self.visit, self.figures.situation)

    def _open_row(self, event: pn.models.tabulator.CellClickEvent) -> None:
        name = self.table.value["store"].iloc[int(event.row)]
        places = self.figures.places
        self._show_store([places.ids[i] for i in places.stores].index(name))

    def _show_store(self, position: int) -> None:
        self.store = position
        found = self.figures.comparison(str(self.chosen.value))
        name = self.figures.places.ids[self.figures.places.stores[position]]
        title = self.visit.say("executive.one_store", store=name)
        pane = _plot_pane()
        pane.object = self.charts.band(found, position)
        begin = self.figures.situation.start_date
        words = why_html(self.figures.causes(position), self.visit.say, begin)
        why = html_pane(words, WHY_CSS)
        self.one.objects = [html_pane(f"<h3>{escape(title)}</h3>", _H3_CSS), pane, why]

    # Words ------------------------------------------------------------------

    def _well_words(self) -> str:
        say = self.visit.say
        window = self.figures.window
        if window is None:
            return say("judge.no_promise")
        return say(
            "executive.are_we_well_sub",
            days=window[1] - window[0] + 1,
            first=self.charts.date(window[0]),
            last=self.charts.date(window[1]),
            runs=self.figures.runs,
        )

    def _window_words(self, key: str) -> str:
        window = self.figures.window
        days = 0 if window is None else window[1] - window[0] + 1
        return self.visit.say(f"executive.{key}_sub", days=days)

    def _told_words(self) -> str:
        emulated = self.figures.situation.is_emulated
        return self.visit.say("executive.not_told_sub" if emulated else "executive.not_told_none")

    def _told_html(self) -> str:
        say = self.visit.say
        items = [
            say(
                "executive.not_told_item",
                what=say(f"friction.{item.name}"),
                reality=_friction(item.name, item.reality),
                twin=_friction(item.name, item.twin),
            )
            for item in self.figures.situation.not_told
        ]
        return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else ""


_H3_CSS = "h3 { font: 600 15px/1.35 var(--font); margin: 12px 0 4px; color: var(--text); }"


def _friction(name: str, value: float) -> str:
    return f"×{value:.2f}" if name.endswith("_factor") else f"{value * 100:.2f} %"


def _plot_pane() -> pn.pane.HoloViews:
    # Axes link by the name of their dimension across a page unless told not to.
    return pn.pane.HoloViews(
        None, linked_axes=False, sizing_mode="stretch_width", theme=None, margin=0
    )


def _pager_words(say: Words) -> dict[str, Any]:
    names = {"first": "first", "last": "last", "prev": "previous", "next": "next"}
    texts = {name: say(f"table.{key}") for name, key in names.items()}
    titles = {f"{name}_title": text for name, text in texts.items()}
    return {
        "locale": say.language,
        "langs": {say.language: {"pagination": texts | titles}},
        # Below this a phone scrolls sideways instead of cutting every cell.
        "columnDefaults": {"minWidth": 104},
    }


def _table_css() -> str:
    return """
:host, .tabulator { font-family: var(--font); font-size: 14px; }
.tabulator { background: var(--card) !important; border: none !important; }
.tabulator .tabulator-header, .tabulator .tabulator-header .tabulator-col {
  background: var(--card) !important; color: var(--muted) !important;
  border-color: var(--line) !important; }
.tabulator-row, .tabulator-row.tabulator-row-even { background: var(--card) !important;
  color: var(--text) !important; border-color: var(--line) !important; cursor: pointer; }
.tabulator-row:hover { background: var(--background) !important; }
.tabulator-row .tabulator-cell { border-color: var(--line) !important;
  font-variant-numeric: tabular-nums; }
.tabulator-footer { background: var(--card) !important; color: var(--muted) !important;
  border-color: var(--line) !important; }
.tabulator-page { background: var(--card) !important; color: var(--text) !important;
  border-color: var(--line) !important; }
.tabulator-page.active { color: var(--twin) !important; font-weight: 700; }
"""
