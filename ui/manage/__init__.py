"""The store manager's and warehouse keeper's page: today's cards, server-rendered."""

from __future__ import annotations

from ui.manage.cards import Desk
from ui.manage.routes import make_blueprint

__all__ = ["Desk", "make_blueprint"]
