"""Schema versions: ``upgrade(url)`` and ``downgrade(url)``."""

from ops_api.migrations.run import current, downgrade, upgrade

__all__ = ["current", "downgrade", "upgrade"]
