"""``db``, ``check-ledger``, ``plan``, ``serve`` and ``emulate``: the operational side."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from policies.domain.errors import InvalidInput
from ui.commands.answer import Json, Seed, answer, check_failed, guarded

Db = Annotated[str, typer.Option("--db", envvar="STORETWIN_DB", help="Database URL (SQLAlchemy).")]
DEFAULT_DB = "sqlite:///var/storetwin.db"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="The service's database.", no_args_is_help=True)
    group.command("upgrade")(guarded(upgrade))
    group.command("downgrade")(guarded(downgrade))
    group.command("backup")(guarded(backup))
    group.command("restore")(guarded(restore))
    group.command("day-facts")(guarded(day_facts))
    group.command("prune")(guarded(prune))
    app.add_typer(group, name="db")
    app.command("check-ledger")(guarded(check_ledger))
    app.command()(guarded(plan))
    app.command()(guarded(serve))
    app.command()(guarded(emulate))


def upgrade(db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """Bring the database to the newest schema.

    Example: storetwin db upgrade --db sqlite:///var/storetwin.db
    """
    from ops_api.migrations.run import upgrade as work

    work(db)
    answer({"db": db, "schema": "head"}, as_json=as_json)


def downgrade(
    db: Db = DEFAULT_DB,
    to: Annotated[str, typer.Option(help="Revision, or base.")] = "-1",
    as_json: Json = False,
) -> None:
    """Take the database back by one schema version.

    Example: storetwin db downgrade --db sqlite:///var/storetwin.db --to base
    """
    from ops_api.migrations.run import downgrade as work

    work(db, to)
    answer({"db": db, "schema": to}, as_json=as_json)


def backup(
    out: Annotated[Path, typer.Option("--out", help="New folder for the backup.")],
    db: Db = DEFAULT_DB,
    as_json: Json = False,
) -> None:
    """Copy the database, in use or not, into a folder with a manifest.

    Example: storetwin db backup --db sqlite:///var/storetwin.db --out backups/monday
    """
    from ops_api.backup import back_up
    from ops_api.clock import system_clock

    made = back_up(db, out, system_clock())
    answer({"folder": out, **asdict(made)}, as_json=as_json)


def restore(
    source: Annotated[Path, typer.Option("--from", help="Folder that backup wrote.")],
    db: Db = DEFAULT_DB,
    replace: Annotated[
        bool, typer.Option("--replace", help="Destroy what the database holds now.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty database and check that its ledger is the same.

    Example: storetwin db restore --db sqlite:///new.db --from backups/monday
    """
    from ops_api.backup import restore as work

    answer(
        {"db": _without_password(db), **asdict(work(db, source, replace=replace))}, as_json=as_json
    )


def day_facts(
    db: Db = DEFAULT_DB,
    as_of: Annotated[str, typer.Option("--as-of", help="Aware time, ISO 8601.")] = "",
    as_json: Json = False,
) -> None:
    """Bring the key figures' facts of the days that are over up to date.

    Pages do so themselves; nightly, they find the work done. Interrupted, it goes on where it
    stood. Example: storetwin db day-facts --as-of 2017-11-26T22:30:00-05:00
    """
    from ops_api.database import make_engine, reading
    from ops_api.masterdata.service import network_of
    from ops_api.planning.day_book import DayBook

    moment = _moment(as_of, "--as-of")
    engine = make_engine(db)
    try:
        with reading(engine) as connection:
            network = network_of(connection)
            book = DayBook(network)
            first, days = book.ledger_days(connection, network.seconds(moment))
    finally:
        engine.dispose()
    answer({"first_day": first, "days": len(days), "days_read": book.days_read}, as_json=as_json)


def prune(
    db: Db = DEFAULT_DB,
    as_of: Annotated[str, typer.Option("--as-of", help="Aware time, ISO 8601.")] = "",
    messages: Annotated[int, typer.Option(help="Days of sent webhook messages.")] = 30,
    keys: Annotated[int, typer.Option(help="Days of answers to idempotency keys.")] = 90,
    files: Annotated[int, typer.Option(help="Days of workbooks sent in.")] = 365,
    as_json: Json = False,
) -> None:
    """Remove what is only kept for a while; facts and the audit trail stay.

    May run while the service works; interrupted, it goes on where it stood.
    Example: storetwin db prune --as-of 2017-11-26T22:30:00-05:00
    """
    from ops_api.clock import epoch
    from ops_api.database import make_engine
    from ops_api.retention import Retention
    from ops_api.retention import prune as work

    moment = _moment(as_of, "--as-of")
    engine = make_engine(db)
    try:
        removed = work(engine, Retention(messages, keys, files), epoch(moment))
    finally:
        engine.dispose()
    answer({"removed": removed}, as_json=as_json)


def check_ledger(
    db: Db = DEFAULT_DB,
    incremental: Annotated[
        bool,
        typer.Option(
            "--incremental/--full", help="Only rows since the last check that found all sound."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the invariants I1 to I11 on every row, and keep where a sound check ended.

    Only the full check finds an edit of a row that an earlier check has passed. Exit status 1
    if one is violated. Example: storetwin check-ledger --db sqlite:///x.db --json
    """
    from ops_api.database import make_engine
    from ops_api.ledger.health import check_ledger as check

    engine = make_engine(db)
    try:
        result = check(engine, incremental=incremental, keeps=True)
    finally:
        engine.dispose()
    answer(result, as_json=as_json)
    if any(result["violations"].values()):
        raise check_failed()


def plan(
    db: Db = DEFAULT_DB,
    as_of: Annotated[str, typer.Option("--as-of", help="Aware time, ISO 8601.")] = "",
    as_json: Json = False,
) -> None:
    """Run the nightly planner: active releases, view, proposals, routes.

    Example: storetwin plan --db sqlite:///var/storetwin.db --as-of 2017-11-26T22:30:00-05:00
    """
    from ops_api.database import make_engine
    from ops_api.planning.planner import plan as work

    moment = _moment(as_of, "--as-of")
    answer(work(make_engine(db), moment), as_json=as_json)


def serve(
    db: Db = DEFAULT_DB,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    demo_time: Annotated[
        str, typer.Option("--demo-time", help="Start a demo clock here; an emulator moves it.")
    ] = "",
    auto_approve_cents: Annotated[
        int, typer.Option(min=0, help="Proposals worth less need no person.")
    ] = 0,
) -> None:
    """Serve API, phone app and dashboards on one port.

    Example: storetwin serve --db sqlite:///var/storetwin.db --port 8080
    """
    from ops_api import create_app
    from ops_api.clock import system_clock
    from ops_api.environment import from_environment
    from ops_api.planning.worker import NeedsWorker
    from ops_api.webhooks.relay import Relay
    from scenarios.emulation.clock import DemoClock
    from ui.demo.remote import obey_demo_time
    from ui.serve import Serving, kept_secret, make_server, run

    kept = from_environment(os.environ)
    if "SECRET_KEY" not in kept:
        kept["SECRET_KEY"] = kept_secret(Path("var/secret"))
    secret = str(kept["SECRET_KEY"])
    local = host in ("127.0.0.1", "localhost", "::1")
    clock = DemoClock(_moment(demo_time, "--demo-time")) if demo_time else system_clock
    if isinstance(clock, DemoClock) and not local:
        raise InvalidInput(
            "a demo clock is moved by whoever calls",
            field="--demo-time",
            remedy="serve it on 127.0.0.1 only",
        )
    # Beyond this machine cookies travel over TLS only, behind a proxy.
    chosen: dict[str, object] = {"DATABASE_URL": db} if db != DEFAULT_DB else {}
    if auto_approve_cents:
        chosen["AUTO_APPROVE_CENTS"] = auto_approve_cents
    base = {"DATABASE_URL": db, "COOKIE_SECURE": not local}
    app = create_app({**base, **kept, **chosen, "CLOCK": clock})
    if isinstance(clock, DemoClock):
        obey_demo_time(app, clock)
    server = make_server(app, Serving(), port, host)
    typer.echo(f"storetwin is at http://{host}:{server.port}")
    engine = app.extensions["storetwin"].engine
    workers = (NeedsWorker(engine, clock), Relay(engine, clock, secret))

    def ready() -> None:
        for worker in workers:
            worker.start()

    run(server, ready=ready)


def emulate(
    url: Annotated[str, typer.Option(help="Address of a service on a demo clock.")],
    weeks: Annotated[str, typer.Option(help="First and last week, as 47-48.")] = "47-48",
    seed: Seed = 1,
    faults: Annotated[bool, typer.Option("--faults", help="Lose replies too.")] = False,
    home: Annotated[Path, typer.Option(help="The demo's folder of the chain.")] = Path(
        "var/demo/cj"
    ),
    as_json: Json = False,
) -> None:
    """Post emulated tills, phones and trucks to a running service.

    The service runs on a copy of the demo's opened database, var/demo/cj/service/storetwin.db:
    storetwin serve --db sqlite:///copy.db --demo-time 2017-11-19T00:00:00-05:00
    --auto-approve-cents 1000000000

    Example: storetwin emulate --url http://127.0.0.1:8080 --weeks 47-48 --seed 1
    """
    from ui.demo.remote import emulate_weeks

    first, _, last = weeks.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise InvalidInput(f"{weeks!r} is no range of weeks", field="--weeks", remedy="write 47-48")
    result = emulate_weeks(url, int(first), int(last), seed=seed, faults=faults, home=home)
    answer(result, as_json=as_json)


def _without_password(db: str) -> str:
    from sqlalchemy import make_url

    return make_url(db).render_as_string()


def _moment(text: str, name: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no time", field=name, remedy="write 2017-11-26T22:30:00-05:00"
        ) from None
    if moment.tzinfo is None:
        raise InvalidInput("the time has no zone", field=name, remedy="add the UTC offset")
    return moment
