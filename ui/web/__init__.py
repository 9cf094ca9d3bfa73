"""Server-rendered pages: log-in, home, refusals, and the assets every page shares."""

from __future__ import annotations

from ui.web.pages import DemoUser, Gate, make_blueprint

__all__ = ["DemoUser", "Gate", "make_blueprint"]
