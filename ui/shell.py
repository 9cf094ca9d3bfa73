"""What every Panel page has in common: header, labels, language, theme."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

import panel as pn
import panel_material_ui as pmui
from jinja2 import Template
from panel_material_ui.base import BASE_TEMPLATE

from policies.domain.errors import InvalidInput
from ui.access import Person
from ui.i18n import Words
from ui.sources import Situation
from ui.theme import Tokens, material, page_css

CARD_CSS = """
:host { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px; box-sizing: border-box; }
"""
HEAD_CSS = """
h2 { font: 600 16px/1.35 var(--font); margin: 0; color: var(--text); }
p { font: 400 13px/1.45 var(--font); margin: 2px 0 6px; color: var(--muted); }
"""
BAR_CSS = """
:host { width: 100%; }
.bar { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: center; color: #fff;
  font: 400 13px/1.4 var(--font); justify-content: flex-end; }
.bar a, .bar span { color: #fff; white-space: nowrap; }
.bar a { text-decoration: none; padding: 6px 10px; border-radius: 6px;
  background: rgba(255,255,255,.12); }
.bar a:hover, .bar a:focus-visible { background: rgba(255,255,255,.26); }
.bar .quiet { color: #c9d6df; }
@media (max-width: 700px) { .bar .wide { display: none; }
  .bar { gap: 2px 8px; flex-wrap: nowrap; font-size: 12px; }
  .bar .clock { white-space: normal; max-width: 92px; line-height: 1.25; } }
"""
LABEL_CSS = """
.labels { display: flex; flex-wrap: wrap; gap: 6px 8px; font: 600 12px/1.4 var(--font); }
.labels span { border: 1px solid var(--line); background: var(--card); color: var(--amber);
  border-radius: 999px; padding: 3px 10px; }
"""


_SHIPPED_LANG = '<html lang="en"'
_HEAD = '<meta charset="utf-8">'
_MEND = Path(__file__).parent / "pages" / "static" / "accessible.js"


@dataclass(frozen=True)
class Visit:
    """One opening of a page: who, in which language and theme, at which path."""

    person: Person
    say: Words
    colours: Tokens
    path: str


def age_words(situation: Situation, say: Words) -> str:
    """How old the data is, in the chain's own (or the demo's) time."""
    if situation.known_at is None:
        return say("shell.no_data_yet")
    minutes = max(int((situation.now - situation.known_at) / dt.timedelta(minutes=1)), 0)
    if minutes < 120:
        age = say("shell.age_minutes", n=minutes)
    elif minutes < 2 * 24 * 60:
        age = say("shell.age_hours", n=minutes // 60)
    else:
        age = say("shell.age_days", n=minutes // (24 * 60))
    return say("shell.data_age", age=age)


def bar_html(visit: Visit, situation: Situation) -> str:
    """The right side of the header: clock, age, switches, person."""
    say = visit.say
    # A no-break hyphen keeps the date on one line of a narrow phone.
    moment = f"{situation.now:%Y-%m-%d %H:%M}".replace("-", "\u2011")
    clock = say("shell.demo_time", moment=moment) if situation.is_demo else moment
    theme = "light" if visit.colours.name == "dark" else "dark"
    back = escape(visit.path)
    who = f"{visit.person.shown} · {say('role.' + visit.person.role)}"
    return (
        f'<div class="bar"><span class="clock">{escape(clock)}</span>'
        f'<span class="wide quiet">{escape(age_words(situation, say))}</span>'
        f'<span class="wide quiet">{escape(who)}</span>'
        f'<a class="wide" href="/">{say("shell.home")}</a>'
        f'<a href="/prefs?lang={say.other}&amp;next={back}" lang="{say.other}">'
        f"{say('shell.to_' + say.other)}</a>"
        f'<a href="/prefs?theme={theme}&amp;next={back}">{say("shell.to_" + theme)}</a>'
        f'<a class="wide" href="/logout">{say("shell.log_out")}</a></div>'
    )


def labels_html(visit: Visit, situation: Situation, *, coordinates_assigned: bool) -> str:
    """The labels that say what on the page is not the chain's own data."""
    say, texts = visit.say, []
    if situation.is_emulated:
        texts.append(say("shell.emulated_long"))
    if coordinates_assigned:
        texts.append(say("shell.coordinates_assigned"))
    if situation.panel_expansion != 1.0:
        texts.append(say("shell.panel_expansion", factor=f"{situation.panel_expansion:g}"))
    spans = "".join(f"<span>{escape(text)}</span>" for text in texts)
    return f'<div class="labels">{spans}</div>' if spans else ""


def card(title: str, subtitle: str, *content: pn.viewable.Viewable) -> pn.Column:
    """A card whose title is a question."""
    return pn.Column(
        heading(title, subtitle), *content, stylesheets=[CARD_CSS], sizing_mode="stretch_width"
    )


def heading(title: str, subtitle: str = "") -> pn.pane.HTML:
    """Question and subtitle of a card."""
    below = f"<p>{escape(subtitle)}</p>" if subtitle else ""
    return pn.pane.HTML(
        f"<h2>{escape(title)}</h2>{below}",
        stylesheets=[HEAD_CSS],
        sizing_mode="stretch_width",
        margin=0,
    )


LEGEND_CSS = """
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; font: 400 13px/1.6 var(--font);
  color: var(--text); }
.legend span { white-space: nowrap; }
.legend i { font-style: normal; display: inline-block; min-width: 22px; margin-right: 6px;
  text-align: center; }
.legend .line { height: 0; vertical-align: middle; border-top: 2.5px solid; }
.legend .dash { height: 0; vertical-align: middle; border-top: 2px dashed; }
.legend .thin { height: 0; vertical-align: middle; border-top: 1px solid; opacity: .7; }
.legend .rule { min-width: 0; height: 14px; vertical-align: middle; border-left: 2px dotted;
  margin: 0 10px; }
.legend .area { height: 12px; vertical-align: middle; }
"""


def legend_html(items: Sequence[tuple[str, str, str]]) -> str:
    """A legend that wraps: items of (mark, CSS colour, words).

    A mark is "line", "dash", "thin", "area", "rule" or the sign to show.
    """
    drawn = []
    for mark, colour, text in items:
        if mark == "area":
            sign = f'<i class="area" style="background:{colour}"></i>'
        elif mark in {"line", "dash", "thin", "rule"}:
            sign = f'<i class="{mark}" style="border-color:{colour}"></i>'
        else:
            sign = f'<i style="color:{colour}">{mark}</i>'
        drawn.append(f"<span>{sign}{escape(text)}</span>")
    return f'<div class="legend">{"".join(drawn)}</div>'


def page(visit: Visit, title: str, bar: pn.pane.HTML, *main: pn.viewable.Viewable) -> pmui.Page:
    """A Material page in our look, with no sidebar and no outside request."""
    colours = visit.colours
    return pmui.Page(
        title=f"storetwin · {title}",
        header=[bar],
        main=[pn.Column(*main, sizing_mode="stretch_width", styles={"gap": "12px"}, margin=8)],
        theme="dark" if colours.name == "dark" else "default",
        theme_config=material(colours),
        theme_toggle=False,
        sidebar_open=False,
        # A persistent drawer shifts the page by its width even when it is empty.
        sidebar_variant="temporary",
        site_url="/",
        # The indicator has no name for a screen reader.
        busy_indicator=None,
        template=page_template(visit.say),
        raw_css=[page_css(colours)],
        sx=_PAGE_SX,
        meta_viewport="width=device-width, initial-scale=1",
    )


_PAGE_SX = {
    # The page's own box is painted as paper, which would hide the edges of cards.
    "& .main": {"backgroundColor": "var(--background)"},
    "& .title": {"fontSize": {"xs": "15px", "sm": "22px"}, "fontWeight": 700},
}


@cache
def page_template(say: Words) -> Template:
    """The Material base template in the page's language, mended for screen readers.

    The shipped template says ``lang="en"`` whatever the page speaks, and shipped
    components leave out names and roles.

    Raises
    ------
    InvalidInput
        The shipped template no longer has the place that is changed.
    """
    source = Path(str(BASE_TEMPLATE.filename)).read_text(encoding="utf-8")
    for place in (_SHIPPED_LANG, _HEAD):
        if place not in source:
            raise InvalidInput("the base template of Material pages has changed", field=place)
    names = {"table": say("shell.table"), "progress": say("shell.progress")}
    kept = escape(json.dumps(names, ensure_ascii=False))
    mended = (
        f'<script data-words="{kept}">{{% raw %}}{_MEND.read_text("utf-8")}{{% endraw %}}</script>'
    )
    ours = source.replace(_SHIPPED_LANG, f'<html lang="{say.html_lang}"', 1)
    ours = ours.replace(_HEAD, f"{_HEAD}\n{mended}", 1)
    made: Template = BASE_TEMPLATE.environment.from_string(ours)
    return made


def html_pane(html: str, *css: str) -> pn.pane.HTML:
    """A stretching HTML pane with its own style sheets."""
    return pn.pane.HTML(html, stylesheets=list(css), sizing_mode="stretch_width", margin=0)


def label_pane(html: str) -> pn.pane.HTML:
    """The pane of :func:`labels_html`."""
    return html_pane(html, LABEL_CSS)
