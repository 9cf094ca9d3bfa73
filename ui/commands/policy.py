"""``tune``, ``promote`` and ``route``: finding and checking policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policies.domain.errors import InvalidInput
from ui.commands.answer import Json, Out, Seed, answer, check_failed, guarded


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(guarded(tune))
    app.command()(guarded(promote))
    app.command()(guarded(route))


def tune(study: Path, out: Out = Path("var/studies/latest"), as_json: Json = False) -> None:
    """Search a bundle's parameters in the twin.

    Example: storetwin tune study.toml --out var/studies/first
    """
    from scenarios.commands import tune_command

    answer(tune_command(study, out=out), as_json=as_json)


def promote(study: Path, out: Out = Path("var/release.json"), as_json: Json = False) -> None:
    """Pass a tuned bundle through the evidence gate; write a release if it allows.

    Exit status 1 if the gate refuses. Example: storetwin promote study.toml --out release.json
    """
    from scenarios.commands import promote_command

    result = promote_command(study, out=out)
    answer(result, as_json=as_json)
    if not result["gate"]["promoted"]:
        raise check_failed()


def route(
    file: Annotated[Path, typer.Argument(help="A VRPLIB or Solomon file.")],
    engine: Annotated[str, typer.Option(help="ortools, pyvrp or savings.")] = "ortools",
    seconds: Annotated[float, typer.Option(help="Time to search.")] = 10.0,
    seed: Seed = 1,
    scale: Annotated[int | None, typer.Option(help="Units per unit of distance.")] = None,
    as_json: Json = False,
) -> None:
    """Solve a routing file and check the plan with the independent validator.

    Example: storetwin route X-n101-k25.vrp --engine ortools --seconds 10 --json
    """
    from policies.routing.files import route_file

    if not file.exists():
        raise InvalidInput(f"no file {file}", field="file", remedy="check the path")
    result = route_file(file, engine=engine, seconds=seconds, seed=seed, scale=scale)
    answer(result, as_json=as_json)
    if not result["feasible"]:
        raise check_failed()
