"""``backtest``: what the forecast models would have said of days that are known by now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.answer import Json, answer, guarded, screen


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(guarded(backtest))


def backtest(
    history: Annotated[Path, typer.Argument(help="Folder that storetwin import wrote.")],
    horizon: Annotated[int, typer.Option(help="Days ahead.")] = 28,
    origins: Annotated[int, typer.Option(help="Origins, 14 days apart.")] = 3,
    series: Annotated[int, typer.Option(help="Series, those that sold most.")] = 2000,
    level: Annotated[str, typer.Option(help="store-sku or store-category.")] = "store-sku",
    models: Annotated[str, typer.Option(help="Names, with commas; empty = all.")] = "",
    until: Annotated[int, typer.Option(help="Last week that is looked at.")] = 40,
    events: Annotated[
        Path | None, typer.Option(help="Calendar of events to lay over, .csv or .toml.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rolling-origin test of the forecast models, beside the seasonal naive.

    Weeks after --until stay unread, for the gate and the final test. Example: storetwin
    backtest var/history --horizon 28 --origins 3 --level store-category --json
    """
    from scenarios.backtest import MODELS, Backtest, for_people
    from scenarios.backtest import backtest as run
    from scenarios.event_calendar import read_events
    from scenarios.history.importer import open_history
    from scenarios.history.splits import last_day

    names = tuple(name.strip() for name in models.split(",") if name.strip())
    ask = Backtest(
        horizon=horizon,
        origins=origins,
        series=series,
        level=level,
        until=last_day(until) + 1,
        models=names or tuple(MODELS),
        events=read_events(events) if events else (),
    )
    result = run(open_history(history), ask, lambda said: screen.print(said, style="dim"))
    answer(result if as_json else for_people(result), as_json=as_json)
