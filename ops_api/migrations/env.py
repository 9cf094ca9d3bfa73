"""Alembic's entry: one connection, one transaction per migration run."""

from __future__ import annotations

from alembic import context

from ops_api.database import make_engine
from ops_api.schema import METADATA


def _run() -> None:
    engine = make_engine(context.config.attributes["url"])
    try:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=METADATA,
                transactional_ddl=True,
                render_as_batch=False,
            )
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
    finally:
        engine.dispose()


_run()
