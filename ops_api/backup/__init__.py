"""Backups of the service's database that say what they hold, and restores that check it."""

from ops_api.backup.manifest import Manifest
from ops_api.backup.service import back_up, restore

__all__ = ["Manifest", "back_up", "restore"]
