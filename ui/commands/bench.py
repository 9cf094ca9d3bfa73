"""``bench api``, ``forecast``, ``gate``, ``route``, ``ledger``, ``workers``: sizes and times."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policies.domain.errors import InvalidInput
from ui.commands.answer import Json, Seed, answer, check_failed, guarded, screen


def register(group: typer.Typer) -> None:
    """Add the commands to the group ``bench``."""
    group.command("api")(guarded(bench_api))
    group.command("forecast")(guarded(bench_forecast))
    group.command("gate")(guarded(bench_gate))
    group.command("route")(guarded(bench_route))
    group.command("ledger")(guarded(bench_ledger))
    group.command("workers")(guarded(bench_workers))


def bench_api(
    db: Annotated[str, typer.Option("--db", help="URL of an empty database.")],
    clients: Annotated[int, typer.Option(help="Tills, one connection each.")] = 8,
    batch: Annotated[int, typer.Option(help="Lines a request.")] = 100,
    seconds: Annotated[float, typer.Option(help="How long to send.")] = 10.0,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Sales per second over HTTP, beside a plain driver on the same database.

    Exit status 1 if a line that was answered as recorded is not in the ledger, or the
    ledger's invariants do not hold. Example: storetwin bench api --db sqlite:///bench.db
    --clients 8 --batch 100 --seconds 10 --json
    """
    from ui.bench.api import bench_api as measure

    result = measure(db, clients=clients, batch=batch, seconds=seconds, seed=seed)
    answer(result, as_json=as_json)
    if result["recorded"] != result["created"] or any(result["violations"].values()):
        raise check_failed()


def bench_forecast(
    series: Annotated[int, typer.Option(help="Made-up series.")] = 10_000,
    days: Annotated[int, typer.Option(help="Days of history.")] = 280,
    horizon: Annotated[int, typer.Option(help="Days ahead.")] = 28,
    model: Annotated[str, typer.Option(help="A model of backtest.")] = "boosting",
    spring_festival: Annotated[
        bool, typer.Option("--spring-festival", help="Error about a movable festival instead.")
    ] = False,
    stores: Annotated[int, typer.Option(help="Stores of the festival's chain.")] = 20,
    skus: Annotated[int, typer.Option(help="SKUs of each of its six categories.")] = 10,
    year: Annotated[int, typer.Option(help="Year of its third festival.")] = 2024,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Seconds to train, and series a second of mean and nine quantiles.

    With --spring-festival: the error of days -21 to +14 about the third festival of three
    generated years, with lunar features and without; exit status 1 above 0.8 of the error
    without. Example: storetwin bench forecast --series 20000 --json
    """
    if spring_festival:
        from scenarios.spring_festival import FestivalWorld
        from scenarios.spring_festival import spring_festival as compare

        world = FestivalWorld(stores=stores, skus=skus, festival_year=year, seed=seed)
        result = compare(world, progress=lambda said: screen.print(said, style="dim"))
        answer(result, as_json=as_json)
        if result["ratio"] > 0.8:
            raise check_failed()
        return
    from scenarios.bench_forecast import bench_forecast as measure

    answer(measure(series, days=days, horizon=horizon, model=model, seed=seed), as_json=as_json)


def bench_route(
    stops: Annotated[int, typer.Option(help="Stops of a day.")] = 100,
    days: Annotated[int, typer.Option(help="Made-up days.")] = 3,
    seconds: Annotated[float, typer.Option(help="Search time of an engine and day.")] = 10.0,
    engines: Annotated[str, typer.Option(help="Names, with commas.")] = "savings,ortools",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Cost of each routing engine on the same days, over that of the savings construction.

    Example: storetwin bench route --stops 200 --engines savings,ortools,pyvrp --json
    """
    from scenarios.bench_route import bench_route as measure

    names = tuple(name.strip() for name in engines.split(",") if name.strip())
    result = measure(stops, days=days, seconds=seconds, seed=seed, engines=names)
    answer(result, as_json=as_json)
    if not all(one["feasible"] for one in result["engines"].values()):
        raise check_failed()


def bench_gate(
    trials: Annotated[int, typer.Option(help="Null trials, and as many with a better one.")] = 400,
    worlds: Annotated[int, typer.Option(help="Worlds whose mean is the truth.")] = 300,
    out: Annotated[
        Path | None, typer.Option(help="Folder that keeps finished trials; called again, go on.")
    ] = None,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """How often tuning and gate promote what is no better, and what is 3 % better.

    Coverage of the gate's interval as well. Exit status 1 if false promotion or power fails.
    Example: storetwin bench gate --trials 400 --out var/gate-study --json
    """
    from scenarios.gate_study import bench_gate as measure

    result = measure(trials, worlds=worlds, seed=seed, out=out)
    answer(result, as_json=as_json)
    if not result["holds"]:
        raise check_failed()


def bench_ledger(
    db: Annotated[str, typer.Option("--db", help="URL of an empty PostgreSQL database.")],
    movements: Annotated[int, typer.Option(help="Sales in the ledger.")] = 5_000_000,
    stores: Annotated[int, typer.Option(help="Number of stores.")] = 800,
    skus: Annotated[int, typer.Option(help="Number of SKUs.")] = 5_000,
    days: Annotated[int, typer.Option(help="Days the sales are spread over.")] = 28,
    plan: Annotated[
        bool, typer.Option("--plan/--no-plan", help="Plan a night too, with the ledger in memory.")
    ] = True,
    filled: Annotated[
        bool, typer.Option("--filled", help="Ask what an earlier run of the same sizes filled.")
    ] = False,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Stock at a moment, facts of days, health check and planner on a ledger of millions.

    Give it an empty database. Exit status 1 if the health check finds something.
    Example: storetwin bench ledger --db postgresql+psycopg://HOST/NAME --movements 50000000
    """
    from ui.bench.ledger import bench_ledger as measure

    for name, value, most in (
        ("--movements", movements, 10**9), ("--stores", stores, 10_000), ("--skus", skus, 10**6),
        ("--days", days, 3_650),
    ):  # fmt: skip
        if not 1 <= value <= most:
            raise InvalidInput(f"{name} is {value}", field=name, remedy=f"give 1 to {most}")
    result = measure(
        db, movements=movements, stores=stores, skus=skus, days=days, seed=seed, plans=plan,
        filled=filled,
    )  # fmt: skip
    answer(result, as_json=as_json)
    if result["health"]["full_violations"] or result["health"]["incremental_violations"]:
        raise check_failed()


def bench_workers(
    replications: Annotated[int, typer.Option(help="Replications of each run.")] = 48,
    workers: Annotated[int, typer.Option(help="Processes of the second run.")] = 2,
    rounds: Annotated[int, typer.Option(help="Times each is run; the better counts.")] = 1,
    as_json: Json = False,
) -> None:
    """Replications per hour of several processes over those of one.

    Exit status 1 if the results differ. Example: storetwin bench workers --workers 2 --json
    """
    from ui.bench.workers import bench_workers as measure

    result = measure(replications, workers=workers, rounds=rounds)
    answer(result, as_json=as_json)
    if not result["same_result"]:
        raise check_failed()
