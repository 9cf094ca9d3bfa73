"""Colours, fonts and the CSS that every Panel page shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FONT_STACK = (
    'Inter, system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", '
    '"Noto Sans CJK SC", "Noto Sans SC", sans-serif'
)
"""Inter for Latin; Chinese falls through to the system's own fonts."""


@dataclass(frozen=True)
class Tokens:
    """The named colours of one theme; all CSS hex colours.

    `twin` is always drawn dashed or as a band, `actual` always solid; `better` and
    `worse` never stand without a word and an arrow.
    """

    name: str
    background: str
    card: str
    line: str
    text: str
    muted: str
    bar: str
    primary: str
    twin: str
    band: str
    actual: str
    better: str
    worse: str
    amber: str
    middle: str

    @property
    def diverging(self) -> tuple[str, str, str]:
        """Worse, no gap, better: the stops of a diverging palette."""
        return (self.worse, self.middle, self.better)


LIGHT = Tokens(
    name="light",
    background="#f4f6f8",
    card="#ffffff",
    line="#dfe5ea",
    text="#17212b",
    muted="#5b6875",
    bar="#12384f",
    primary="#12384f",
    twin="#1b6ca8",
    band="#c9dded",
    actual="#b54708",
    better="#12715b",
    worse="#b42318",
    amber="#8a5a00",
    middle="#eef2f5",
)
DARK = Tokens(
    name="dark",
    background="#0e141a",
    card="#161d25",
    line="#2b3743",
    text="#e6edf3",
    muted="#9aa7b4",
    bar="#12384f",
    # The bar's blue is too dark for a control on a dark card.
    primary="#6cb4ee",
    twin="#6cb4ee",
    band="#23405a",
    actual="#ffb454",
    better="#4cc38a",
    worse="#ff8f85",
    amber="#f0c36d",
    middle="#2b3743",
)
THEMES: dict[str, Tokens] = {"light": LIGHT, "dark": DARK}
DEFAULT_THEME = "light"


def tokens(theme: str) -> Tokens:
    """The tokens of `theme`; an unknown name falls back to light."""
    return THEMES.get(theme, THEMES[DEFAULT_THEME])


def css_variables(colours: Tokens) -> str:
    """The tokens as CSS custom properties on ``:root``."""
    names = [name for name in Tokens.__dataclass_fields__ if name != "name"]
    body = "".join(f"--{name}:{getattr(colours, name)};" for name in names)
    return f":root{{{body}--font:{FONT_STACK};color-scheme:{colours.name}}}"


FONT_FACE = (
    "@font-face{font-family:Inter;font-style:normal;font-weight:400 700;font-display:swap;"
    'src:url("/assets/inter.woff2") format("woff2")}'
)

_PAGE_CSS = """
html, body { background: var(--background) !important; color: var(--text);
  font-family: var(--font); font-feature-settings: "tnum"; }
#loader { background: var(--background) !important; }
.spinner { border-color: var(--line) !important; border-top-color: var(--twin) !important; }
"""


def page_css(colours: Tokens) -> str:
    """The CSS of a Panel page's document."""
    return FONT_FACE + css_variables(colours) + _PAGE_CSS


def material(colours: Tokens) -> dict[str, Any]:
    """The Material theme of a page: our colours, our font, no shouting buttons.

    Material buttons upper-case their labels, which would turn "(s, S)" into another
    policy, so the text transform is switched off.
    """
    return {
        "palette": {
            "mode": colours.name,
            "primary": {"main": colours.primary},
            "background": {"default": colours.background, "paper": colours.card},
            "text": {"primary": colours.text, "secondary": colours.muted},
            "divider": colours.line,
        },
        "typography": {"fontFamily": FONT_STACK, "button": {"textTransform": "none"}},
        "shape": {"borderRadius": 8},
        "components": {
            "MuiButton": {"styleOverrides": {"root": {"textTransform": "none"}}},
            "MuiToggleButton": {"styleOverrides": {"root": {"textTransform": "none"}}},
            "MuiAppBar": {
                "styleOverrides": {
                    "root": {
                        "backgroundColor": colours.bar,
                        "backgroundImage": "none",
                        "color": "#ffffff",
                    }
                }
            },
        },
    }
