"""``scenario``, ``run``, ``compare``, ``verify`` and ``bench``: asking the twin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ui.commands import bench as service_bench
from ui.commands.answer import Json, Out, answer, check_failed, guarded


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Show, check or compare scenario files.", no_args_is_help=True)
    group.command("show")(guarded(show))
    group.command("check")(guarded(check))
    group.command("diff")(guarded(diff))
    app.add_typer(group, name="scenario")
    app.command()(guarded(run))
    app.command()(guarded(compare))
    app.command()(guarded(verify))
    bench = typer.Typer(help="Benchmarks.", no_args_is_help=True)
    bench.command("replay")(guarded(bench_replay))
    bench.command("decide")(guarded(bench_decide))
    service_bench.register(bench)
    app.add_typer(bench, name="bench")


def show(scenario: str, as_json: Json = False) -> None:
    """Print a scenario as it resolves, with its hash.

    Example: storetwin scenario show base
    """
    from scenarios.commands import scenario_show

    answer(scenario_show(scenario), as_json=as_json)


def check(scenario: str, as_json: Json = False) -> None:
    """Say whether a scenario file can be simulated.

    Example: storetwin scenario check my-scenario.toml
    """
    from scenarios.commands import scenario_check

    answer(scenario_check(scenario), as_json=as_json)


def diff(first: str, second: str, as_json: Json = False) -> None:
    """List what differs between two scenarios.

    Example: storetwin scenario diff base daily-review
    """
    from scenarios.commands import scenario_diff

    answer(scenario_diff(first, second), as_json=as_json)


def run(
    scenario: str,
    out: Out = Path("var/runs/latest"),
    replications: Annotated[int | None, typer.Option(help="Seeds of the run.")] = None,
    workers: Annotated[int, typer.Option(help="Worker processes.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Master seed.")] = None,
    checkpoint_days: Annotated[
        int, typer.Option(help="Simulated days between checkpoints; 0 = none.")
    ] = 28,
    dask: Annotated[
        str, typer.Option(help="Address of a Dask scheduler, in place of --workers.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Simulate a scenario. Cut off and started again, it goes on where it was.

    Example: storetwin run tiny --replications 5 --workers 2 --out var/runs/tiny
    """
    from scenarios.commands import run_command

    result = run_command(
        scenario,
        out=out,
        replications=replications,
        workers=workers,
        seed=seed,
        checkpoint_days=checkpoint_days,
        dask=dask,
    )
    answer(result, as_json=as_json)


def compare(runs: list[Path], as_json: Json = False) -> None:
    """Paired differences of two or more runs, with intervals and a verdict in words.

    Example: storetwin compare var/runs/a var/runs/b
    """
    from scenarios.commands import compare_command

    answer(compare_command(runs), as_json=as_json)


def verify(
    table: Annotated[Path, typer.Argument(help="A reference table (CSV).")],
    kind: Annotated[
        str | None, typer.Option(help="lost_sales, ss, perishable, serial, queue or crane.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Master seed.")] = 1,
    exact: Annotated[
        bool, typer.Option("--exact", help="Every row by its exact routine, nothing simulated.")
    ] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="The tuner's capped base stock of every store.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run each row of a reference table through the full twin, or by exact routines.

    Exit status 1 if a row lies outside its interval, an exact value off its reference, or
    a tuned policy more than 0.3 % above the table's best.
    Examples: storetwin verify lost_sales.csv --json;
    storetwin verify ss.csv --exact; storetwin verify lost_sales.csv --tune;
    storetwin verify queue.csv (lanes, load, patience against Erlang C and A);
    storetwin verify crane.csv (racks against Bozer & White's cycle times)
    """
    from scenarios.verify import verify_table

    tell = None
    if not as_json and sys.stderr.isatty():

        def tell(done: int, whole: int) -> None:
            typer.echo(f"\r{done} of {whole} rows", err=True, nl=False)

    by = "tuner" if tune else "exact" if exact else "twin"
    result = verify_table(table, kind=kind, seed=seed, progress=tell, by=by)
    answer(result, as_json=as_json)
    judged = [row.get("inside") for row in result["rows"] + result["exact"]]
    judged += [(one["above_share"] or 0.0) <= 0.003 for one in result.get("tuned", [])]
    if any(one is False for one in judged):
        raise check_failed()


def bench_replay(
    stores: Annotated[int, typer.Option(help="Generated stores.")] = 800,
    skus: Annotated[int, typer.Option(help="SKUs.")] = 5_000,
    days: Annotated[int, typer.Option(help="Days.")] = 28,
    lines_per_store_day: Annotated[int, typer.Option(help="Receipt lines.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Master seed.")] = 1,
    data: Annotated[Path | None, typer.Option(help="A chain made before by generate.")] = None,
    by_stores: Annotated[
        bool, typer.Option("--by-stores", help="Cost of a line from 50 stores up to --stores.")
    ] = False,
    ratios: Annotated[
        bool, typer.Option("--ratios", help="Compare with one SimPy event per line.")
    ] = False,
    plain: Annotated[
        bool | None,
        typer.Option(
            "--plain/--everything",
            help="Without or with perishables, counts and latent errors; "
            "by default without up to 56 days, with them beyond.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Receipt lines per second of the whole twin.

    Reviews, picking, docks, trucks, receiving and shelving. With --everything also counts,
    shrink, mis-scans, wrong receipts, and a tenth of the SKUs perishable with customers who
    take the youngest.

    A history of more than 56 days is made in stretches of 28, so that it never stands in
    memory as a whole; making it is not counted.

    Example: storetwin bench replay --stores 50 --json
    """
    from scenarios.benchmarks import replay_by_stores, replay_generated, with_ratios
    from scenarios.history.generate import load_generated
    from twin.bench import bench_replay as measure

    size = {"skus": skus, "days": days, "lines_per_store_day": lines_per_store_day, "seed": seed}
    is_plain = days <= 56 if plain is None else plain
    if by_stores:
        result = replay_by_stores(stores, **size, is_plain=is_plain)
    elif data is not None:
        result = measure(*load_generated(data), is_plain=is_plain)
    else:
        result = replay_generated(stores, **size, is_plain=is_plain)
    result |= {"is_plain": is_plain}
    answer(with_ratios(result) if ratios else result, as_json=as_json)


def bench_decide(
    stores: Annotated[int, typer.Option(help="Generated stores.")] = 800,
    skus: Annotated[int, typer.Option(help="SKUs.")] = 5_000,
    policy: Annotated[str, typer.Option(help="A registered policy.")] = "capped-base-stock",
    allocation: Annotated[str, typer.Option(help="How scarce stock is shared.")] = "fair-share",
    seed: Annotated[int, typer.Option(help="Master seed.")] = 1,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Also a half and a quarter of the stores.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Seconds and memory of one full nightly decision, phase by phase.

    Example: storetwin bench decide --stores 100 --skus 1000 --scaling --json
    """
    from scenarios.bench_decide import bench_decide as measure

    result = measure(
        stores=stores,
        skus=skus,
        policy=policy,
        allocation=allocation,
        seed=seed,
        scaling=scaling,
    )
    answer(result, as_json=as_json)
