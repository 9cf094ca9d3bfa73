"""The command ``storetwin``: with ``ui.serve`` the only place that sees every package.

Modules are imported inside the commands, so that ``storetwin --help`` and small commands
do not wait for solvers, compilers and dashboards.
"""

from __future__ import annotations

import typer

from ui.commands import demo, film, forecast, history, policy, service, study, twin

app = typer.Typer(
    name="storetwin",
    help="A digital twin of a retail chain and the operational system of the same chain.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (demo, history, forecast, twin, film, policy, study, service):
    part.register(app)


def main() -> None:
    """Entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
