"""``film``: a day of a simulated chain as data to animate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.answer import Json, Out, answer, guarded


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(guarded(film))


def film(
    scenario: str,
    day: Annotated[int, typer.Option(help="0 = the scenario's first day.")] = 7,
    out: Out = Path("var/film"),
    replication: Annotated[int, typer.Option(help="Which seed of the run.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Master seed.")] = None,
    as_json: Json = False,
) -> None:
    """Write a day's trucks, stock and events as data that a page can animate.

    Example: storetwin film tiny --day 10 --out var/film
    """
    from scenarios.film import film_command
    from ui.film_page import write_page

    found = film_command(scenario, day=day, out=out, replication=replication, seed=seed)
    found["page"] = str(write_page(out))
    answer(found, as_json=as_json)
