"""The phone app: a shell, plain modules and a service worker; data comes from the API."""

from __future__ import annotations

from ui.phone.routes import make_blueprint

__all__ = ["make_blueprint"]
