"""``import``, ``chain`` and ``generate``: where a history comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policies.domain.errors import InvalidInput
from ui.commands.answer import Json, Out, Seed, answer, guarded


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("import")(guarded(import_))
    app.command()(guarded(chain))
    app.command()(guarded(generate))


def import_(
    mapping: Annotated[str, typer.Argument(help="A mapping file or a ready one's name.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Files of the history.")] = None,
    out: Out = Path("var/history"),
    as_json: Json = False,
) -> None:
    """Read a retailer's history through the import contract.

    Ready mappings: complete-journey (needs no file), freshretail-hourly, m5-wide, poslog,
    invoices. Example: storetwin import poslog receipts.csv --out var/history --json
    """
    from scenarios.history.importer import import_history

    report = import_history(mapping, files or [], out)
    answer(
        {
            "read": report.read,
            "kept": report.kept,
            "rejected": report.rejected,
            "stores": report.stores,
            "skus": report.skus,
            "first": report.first,
            "last": report.last,
            "examples": report.examples,
        },
        as_json=as_json,
    )


def chain(
    history: Annotated[Path, typer.Argument(help="Folder of an imported history.")],
    out: Out = Path("var/chain"),
    stores: Annotated[int, typer.Option(help="Stores that sell most.")] = 100,
    skus: Annotated[int, typer.Option(help="SKUs that sell most.")] = 1_000,
    warehouses: Annotated[int, typer.Option(help="Warehouses.")] = 2,
    weeks: Annotated[str, typer.Option(help="Weeks that decide the selection.")] = "2-40",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Build a chain that scenarios can name (chain = "…") from an imported history.

    Example: storetwin chain var/history --stores 50 --skus 500 --weeks 1-8 --out var/mine
    """
    from scenarios.chains import chain_from_history

    first, _, last = weeks.partition("-")
    if not (first.isdigit() and last.isdigit()):
        raise InvalidInput(f"weeks are {weeks!r}", field="--weeks", remedy="write 2-40")
    found = chain_from_history(
        history,
        out,
        stores=stores,
        skus=skus,
        warehouses=warehouses,
        weeks=(int(first), int(last)),
        seed=seed,
    )
    answer(found, as_json=as_json)


def generate(
    stores: Annotated[int, typer.Option(help="Number of stores.")] = 3,
    skus: Annotated[int, typer.Option(help="Number of SKUs.")] = 20,
    days: Annotated[int, typer.Option(help="Number of days.")] = 28,
    lines_per_store_day: Annotated[int, typer.Option(help="Mean receipt lines.")] = 60,
    seed: Seed = 1,
    preset: Annotated[
        str | None, typer.Option(help="cn-supermarket, fast-moving, fresh, apparel, or none.")
    ] = None,
    formats: Annotated[
        str, typer.Option(help="Store formats and shares, as convenience=2,supermarket=1.")
    ] = "",
    out: Out = Path("var/generated"),
    as_json: Json = False,
) -> None:
    """Make a seeded chain with its network, history and costs.

    Example: storetwin generate --stores 10 --skus 500 --days 90 --seed 7 --out var/chain
    """
    from scenarios.history.generate import generate as make

    report = make(
        stores=stores,
        skus=skus,
        days=days,
        lines_per_store_day=lines_per_store_day,
        seed=seed,
        out=out,
        preset=preset,
        formats=_shares(formats),
    )
    answer({"lines": report.lines, "bytes": report.bytes, "out": str(out)}, as_json=as_json)


def _shares(text: str) -> dict[str, float] | None:
    out: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, share = part.partition("=")
        try:
            out[name.strip()] = float(share or 1)
        except ValueError:
            raise InvalidInput(
                f"{part!r} is no share", field="--formats", remedy="write convenience=2"
            ) from None
    return out or None
