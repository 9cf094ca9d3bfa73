"""The operational service: ``create_app()`` and the ledger behind it."""

from ops_api.settings import Settings
from ops_api.web.application import create_app

__all__ = ["Settings", "create_app"]
