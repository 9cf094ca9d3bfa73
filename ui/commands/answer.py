"""How every command answers: JSON alone, or plain lines; errors with field, row and remedy."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from policies.domain.errors import StoretwinError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random stream.")]

screen = Console(stderr=True)


def plain(value: Any) -> Any:
    """`value` with numpy scalars, paths and NaN made fit for JSON (NaN becomes null)."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def answer(result: dict[str, Any], *, as_json: bool) -> None:
    """Print `result`, as one JSON object or as lines."""
    clean = plain(result)
    if as_json:
        typer.echo(json.dumps(clean, ensure_ascii=False))
        return
    for key, value in clean.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            typer.echo(f"{key}:")
            for row in value:
                typer.echo("  " + "  ".join(f"{k} {_short(v)}" for k, v in row.items()))
        elif isinstance(value, dict):
            typer.echo(f"{key}:")
            for inner, item in value.items():
                typer.echo(f"  {inner}: {_short(item)}")
        else:
            typer.echo(f"{key}: {_short(value)}")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return " ".join(f"{k}={_short(v)}" for k, v in value.items())
    return str(value)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a known error into its sentence on standard error and exit status 2."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except StoretwinError as error:
            typer.echo(f"error: {error.detail}", err=True)
            for label in ("field", "row", "remedy"):
                if getattr(error, label) is not None:
                    typer.echo(f"  {label}: {getattr(error, label)}", err=True)
            raise typer.Exit(2) from None
        except FileNotFoundError as error:
            typer.echo(f"error: no file {error.filename}", err=True)
            typer.echo("  remedy: check the path", err=True)
            raise typer.Exit(2) from None

    return run


def check_failed() -> typer.Exit:
    """Exit status 1: the command worked, and what it checked does not hold."""
    return typer.Exit(1)
