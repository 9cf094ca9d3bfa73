"""Runs Alembic from the installed package, without a configuration file."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ops_api.database import make_engine


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["url"] = url
    config.attributes["configure_logger"] = False
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`."""
    _make_folder(url)
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Take the database at `url` back to `revision`; data of dropped tables is lost."""
    command.downgrade(_config(url), revision)


def current(url: str) -> str | None:
    """Revision of the database at `url`; None where it has none."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def knows(url: str, revision: str) -> bool:
    """Whether the installed migrations include `revision`."""
    scripts = ScriptDirectory.from_config(_config(url))
    return revision in {script.revision for script in scripts.walk_revisions()}


def _make_folder(url: str) -> None:
    path = url.removeprefix("sqlite:///")
    if path != url and path and ":memory:" not in path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
