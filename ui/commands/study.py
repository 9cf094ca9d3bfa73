"""``study …``: what a method is worth on recorded data, with its truth or its model told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.answer import Json, Seed, answer, guarded

Folder = Annotated[Path, typer.Argument(help="Folder that storetwin import wrote.")]


def register(app: typer.Typer) -> None:
    """Add the group ``study`` to `app`."""
    group = typer.Typer(
        help="What a method is worth on recorded data.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("unconstrain")(guarded(unconstrain))
    app.add_typer(group, name="study")


def unconstrain(
    history: Folder,
    lost: Annotated[float, typer.Option(help="Share of the units that is cut off.")] = 0.13,
    cut: Annotated[str, typer.Option(help="stock, cover or hour: what ends a day.")] = "stock",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Demand restored on days that were cut off, against what really sold.

    Example: storetwin study unconstrain var/fresh --lost 0.13 --json
    """
    from scenarios.history.importer import open_history
    from scenarios.unconstrain_study import unconstrain_study

    result = unconstrain_study(open_history(history), lost=lost, cut=cut, seed=seed)
    if not as_json:
        result["methods"] = [{"method": n, **one} for n, one in result["methods"].items()]
    answer(result, as_json=as_json)
