"""``db``, ``check-ledger``, ``plan`` and ``serve``: the operational side."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from policies.domain.errors import InvalidInput
from ui.commands.answer import Json, answer, check_failed, guarded

Db = Annotated[str, typer.Option("--db", envvar="STORETWIN_DB", help="Database URL (SQLAlchemy).")]
DEFAULT_DB = "sqlite:///var/storetwin.db"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="The service's database.", no_args_is_help=True)
    group.command("upgrade")(guarded(upgrade))
    group.command("downgrade")(guarded(downgrade))
    app.add_typer(group, name="db")
    app.command("check-ledger")(guarded(check_ledger))
    app.command()(guarded(plan))
    app.command()(guarded(serve))


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


def check_ledger(db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """Check the invariants I1 to I11 on every row.

    Exit status 1 if one is violated. Example: storetwin check-ledger --db sqlite:///x.db --json
    """
    from ops_api.database import make_engine
    from ops_api.ledger.health import check_ledger as check

    result = check(make_engine(db))
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

    try:
        moment = dt.datetime.fromisoformat(as_of)
    except ValueError:
        raise InvalidInput(
            f"{as_of!r} is no time", field="--as-of", remedy="write 2017-11-26T22:30:00-05:00"
        ) from None
    if moment.tzinfo is None:
        raise InvalidInput("the time has no zone", field="--as-of", remedy="add the UTC offset")
    answer(work(make_engine(db), moment), as_json=as_json)


def serve(
    db: Db = DEFAULT_DB,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve API, phone app and dashboards on one port.

    Example: storetwin serve --db sqlite:///var/storetwin.db --port 8080
    """
    from ops_api import create_app
    from ui.serve import Serving, kept_secret, make_server, run

    secret = kept_secret(Path("var/secret"))
    local = host in ("127.0.0.1", "localhost", "::1")
    # Beyond this machine cookies travel over TLS only, behind a proxy.
    app = create_app({"DATABASE_URL": db, "SECRET_KEY": secret, "COOKIE_SECURE": not local})
    server = make_server(app, Serving(), port, host)
    typer.echo(f"storetwin is at http://{host}:{server.port}")
    run(server)
