"""Configuration from the environment, and the application that a WSGI server imports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from flask import Flask

from ops_api.settings import Settings
from ops_api.web.application import create_app
from policies.domain.errors import InvalidInput

PREFIX = "STORETWIN_"
IN_CODE = frozenset({"clock", "testing", "check_answers", "stock_listeners"})
"""Settings that a program hands over and no environment can."""
NOT_SETTINGS = frozenset({"STORETWIN_NEED_POSTGRES", "STORETWIN_AXE"})
"""Variables of our own tests."""
_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings of the variables ``STORETWIN_<NAME>``; a list is separated by commas.

    ``STORETWIN_SECRET_KEY_FILE`` names a file that holds the secret key, and
    ``STORETWIN_OIDC_CLIENT_SECRET_FILE`` one with the identity provider's.

    Raises
    ------
    InvalidInput
        A variable names no setting, or its value is not of the setting's kind.
    """
    known = {item.name.upper(): item.default for item in fields(Settings)}
    out: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        name = variable.removeprefix(PREFIX)
        if name == "DB":
            # The command line's short name.
            out.setdefault("DATABASE_URL", text)
        elif name in {"SECRET_KEY_FILE", "OIDC_CLIENT_SECRET_FILE"}:
            out[name.removesuffix("_FILE")] = Path(text).read_text(encoding="utf-8").strip()
        elif name not in known or name.lower() in IN_CODE:
            raise InvalidInput(
                f"no setting {name[:60]!r}",
                field=variable[:80],
                remedy="docs/deployment.md lists the variables",
            )
        else:
            out[name] = _value(variable, text, known[name])
    return out


def service() -> Flask:
    """The service as the environment says, for ``gunicorn 'ops_api.environment:service()'``."""
    return create_app(from_environment(os.environ))


def _value(variable: str, text: str, default: object) -> object:
    """A variable's text as a value of the kind of the setting's default."""
    if isinstance(default, bool):
        if text.lower() not in _WORDS:
            raise InvalidInput(f"{text[:40]!r} is neither true nor false", field=variable)
        return _WORDS[text.lower()]
    if isinstance(default, int):
        if not text.lstrip("-").isdecimal():
            raise InvalidInput(f"{text[:40]!r} is no whole number", field=variable)
        return int(text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
