"""The service as gunicorn loads it: ``gunicorn "tests.soak.wsgi:make()"``."""

from __future__ import annotations

import os

from flask import Flask

from ops_api import create_app


def make() -> Flask:
    """The application on the database that the environment names; write-offs need nobody."""
    return create_app(
        {
            "DATABASE_URL": os.environ["STORM_DATABASE"],
            "SECRET_KEY": os.environ["STORM_SECRET"],
            "WRITE_OFF_LIMIT_CENTS": 10**9,
            "WRITE_OFF_PHOTO_CENTS": 10**9,
        }
    )
