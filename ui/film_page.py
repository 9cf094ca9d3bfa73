"""The page of a film: one file with its data in it, which a browser opens without a server."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def write_page(folder: Path) -> Path:
    """Write ``day.html`` beside the ``day.json`` of `folder`; returns where."""
    data = (folder / "day.json").read_text(encoding="utf-8")
    template = resources.files("ui.pages").joinpath("static/film.html").read_text("utf-8")
    # Inside a script element nothing but "</" could end the data.
    page = template.replace("{{FILM}}", data.replace("</", "<\\/"))
    out = folder / "day.html"
    out.write_text(page, encoding="utf-8")
    return out
