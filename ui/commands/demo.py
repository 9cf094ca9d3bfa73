"""``demo``: the whole loop of the README."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ui.commands.answer import Json, answer, check_failed, guarded


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(guarded(demo))


def demo(
    check: Annotated[bool, typer.Option("--check", help="Do not serve at the end.")] = False,
    data: Annotated[str, typer.Option(help="cj, cn or tiny.")] = "cj",
    port: Annotated[int, typer.Option(help="Port of the pages.")] = 8080,
    home: Annotated[Path, typer.Option(help="Folder of everything it makes.")] = Path("var/demo"),
    as_json: Json = False,
) -> None:
    """Import, replay, tune, judge, promote, serve, emulate: resumes from what is there.

    Exit status 1 if the ledger has a violation. Example: storetwin demo --check --data tiny
    """
    from ui.demo.plan import demo_plan
    from ui.demo.run import run_demo

    plan = demo_plan(data)
    home.mkdir(parents=True, exist_ok=True)
    summary = run_demo(plan, home, Console(stderr=True, quiet=as_json))
    if as_json or check:
        answer(summary, as_json=as_json)
    if any(summary["ledger"]["violations"].values()):
        raise check_failed()
    if not check:
        from ui.demo.pages import serve_demo

        serve_demo(plan, home, port, Console(stderr=True))
