"""``bench api``: the service under load."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.commands.answer import Json, Seed, answer, check_failed, guarded


def register(group: typer.Typer) -> None:
    """Add the command to the group ``bench``."""
    group.command("api")(guarded(bench_api))


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
