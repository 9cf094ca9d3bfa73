"""``study final`` and ``study routers``: weeks that are looked at once, and the engine behind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.answer import Json, Seed, answer, check_failed, guarded


def register(group: typer.Typer) -> None:
    """Add the commands to the group ``study``."""
    group.command("final")(guarded(final))
    group.command("routers")(guarded(routers))
    group.command("patterns")(guarded(patterns))


def final(
    study: Path,
    out: Annotated[Path, typer.Option(help="Where the table is written.")] = Path(
        "var/studies/final.json"
    ),
    as_json: Json = False,
) -> None:
    """Run the arms of a file through the twin and compare its pairs on the judged weeks.

    Example: storetwin study final docs/studies/final-weeks.toml --json
    """
    from scenarios.final import load_final, run_final
    from scenarios.whole_files import write_whole

    result = run_final(load_final(study))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, result)
    answer(result, as_json=as_json)


def routers(
    study: Path,
    nights: Annotated[int, typer.Option(help="Sampled evenings, 30 or more.")] = 32,
    out: Annotated[Path, typer.Option(help="Where the table is written.")] = Path(
        "var/studies/routers.json"
    ),
    as_json: Json = False,
) -> None:
    """Plan sampled nights of a file's arms again by the full engine, before the judged weeks.

    Exit status 1 if two arms change places. Example: storetwin study routers final.toml
    """
    from scenarios.final import load_final
    from scenarios.router_bias import router_bias
    from scenarios.whole_files import write_whole

    result = router_bias(load_final(study), nights=nights)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, result)
    answer(result, as_json=as_json)
    if result["reversed"]:
        raise check_failed()


def patterns(
    scenario: str,
    first_week: Annotated[int, typer.Option(help="First week whose demand counts.")] = 2,
    last_week: Annotated[int, typer.Option(help="Last week whose demand counts.")] = 8,
    seconds: Annotated[float, typer.Option(help="CP-SAT's deterministic time a region.")] = 5.0,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Choose each store's weekdays by CP-SAT; the answer is a bundle's ``delivery_patterns``.

    Example: storetwin study patterns tiny --first-week 1 --last-week 2 --json
    """
    from policies.routing.patterns import PatternRules
    from scenarios.patterns import patterns_of
    from scenarios.scenario import load_scenario

    rules = PatternRules(deterministic_s=seconds, seed=seed)
    answer(patterns_of(load_scenario(scenario), first_week, last_week, rules), as_json=as_json)
