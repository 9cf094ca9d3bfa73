"""``study …``: what a method is worth on recorded data, with its truth or its model told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands import final_weeks
from ui.commands.answer import Json, Seed, answer, check_failed, guarded

Folder = Annotated[Path, typer.Argument(help="Folder that storetwin import wrote.")]


def register(app: typer.Typer) -> None:
    """Add the group ``study`` to `app`."""
    group = typer.Typer(
        help="What a method is worth on recorded data.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("unconstrain")(guarded(unconstrain))
    group.command("cold-start")(guarded(cold_start))
    group.command("transfers")(guarded(transfers))
    group.command("phantom")(guarded(phantom))
    final_weeks.register(group)
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


def transfers(
    history: Folder,
    covers: Annotated[
        str, typer.Option(help="Donor stock, multiples of sales until closing.")
    ] = "3,5,8",
    decide_hour: Annotated[int, typer.Option(help="Hour at which neighbours are asked.")] = 12,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Stock-out hours that neighbours' stock could have spared: modelled, no stock is recorded.

    Example: storetwin study transfers var/fresh --covers 3,5,8 --json
    """
    from policies.domain.errors import InvalidInput
    from scenarios.history.importer import open_history
    from scenarios.transfer_study import TransferStudy, transfer_study

    try:
        levels = tuple(float(part) for part in covers.split(","))
    except ValueError:
        raise InvalidInput(f"covers is {covers!r}", field="covers", remedy="e.g. 3,5,8") from None
    ask = TransferStudy(covers=levels, decide_hour=decide_hour, seed=seed)
    answer(transfer_study(open_history(history), ask), as_json=as_json)


def cold_start(
    history: Folder,
    folds: Annotated[int, typer.Option(help="Parts that are held back one by one.")] = 5,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Error of series held back, forecast from what other stores and SKUs tell.

    Example: storetwin study cold-start var/fresh --json
    """
    from scenarios.cold_start_study import cold_start_study
    from scenarios.history.importer import open_history

    answer(cold_start_study(open_history(history), folds=folds, seed=seed), as_json=as_json)


def phantom(
    scenario: Annotated[str, typer.Argument(help="Name or file.")] = "phantom-stock",
    counts: Annotated[int, typer.Option(help="Cells to count; 0 = one in fifty.")] = 0,
    replications: Annotated[int, typer.Option(help="Worlds of other errors.")] = 5,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    as_json: Json = False,
) -> None:
    """Phantoms found by proposed counts against random ones, and availability's bias.

    Exit status 1 below three times as many. Example: storetwin study phantom --json
    """
    from scenarios.chains import chain_of
    from scenarios.phantom_study import phantom_study
    from scenarios.scenario import load_scenario

    found = load_scenario(scenario)
    world = found.world(chain_of(found))
    result = phantom_study(
        world, found.policy(), counts=counts, replications=replications, workers=workers
    )
    answer(result, as_json=as_json)
    if result["ratio"] is None or result["ratio"] < 3:
        raise check_failed()
