"""Addresses of workbooks: every list out, and the sheets that people edit in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import create_model
from sqlalchemy import select

from ops_api.errors import BatchTooLarge
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location
from ops_api.transfers.routes import act_of
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier
from ops_api.web.registry import (
    Answer,
    Call,
    Chain,
    Endpoint,
    Handler,
    Registry,
    Rows,
    Scope,
    Site,
    unknown_document,
)
from ops_api.web.schemas import JsonObject
from ops_api.workbooks import ledger
from ops_api.workbooks.columns import Column
from ops_api.workbooks.files import CSV, MOST_ROWS, XLSX, read_rows, write_csv, write_xlsx
from ops_api.workbooks.service import (
    Sheet,
    answer_rows,
    import_count,
    import_proposals,
    import_skus,
    keep_import,
    run_import,
)
from ops_api.workbooks.sheets import (
    COUNT_SHEET,
    PROPOSAL_SHEET,
    SKU_SHEET,
    count_rows,
    proposal_rows,
    sku_rows,
)
from ops_api.workbooks.tables import IMPORTS

LISTS = {
    "locations": "locations",
    "lanes": "lanes",
    "stock": "rows",
    "movements": "movements",
    "audit": "audit",
    "transfers": "transfers",
    "purchase_orders": "purchase_orders",
    "counts": "counts",
    "tasks": "tasks",
    "writeoffs": "writeoffs",
    "returns": "returns",
    "reservations": "reservations",
    "lots": "lots",
    "expiry_rules": "rules",
    "proposals": "proposals",
    "routes": "routes",
    "periods": "periods",
    "data_quality": "rules",
    "data_quality_findings": "findings",
}
"""Lists that go out as they are, by endpoint: the member of the answer that holds the rows."""
_ALL = MOST_ROWS + 1
Form = Literal["xlsx", "csv", "csv-gb18030"]


class SheetQuery(Strict):
    """Form and language of a sheet; a template has the headings alone."""

    form: Form = "xlsx"
    language: Literal["en", "zh"] = "en"
    template: bool = False


class CountSheetQuery(SheetQuery):
    """The count sheet of a location."""

    location: Identifier


class ImportQuery(Strict):
    """A dry run says what would happen and changes nothing."""

    dry_run: bool = False


class CountImportQuery(ImportQuery):
    """The location that was counted."""

    location: Identifier


def register(registry: Registry) -> None:
    """Add the endpoints; lists must be registered before."""
    ledger.register(registry)
    for name, member in LISTS.items():
        registry.add(_list_export(registry.endpoints[name], member))
    site = Site(lambda query: [query.location])
    outward: tuple[tuple[str, str, Scope, Handler, type[Strict]], ...] = (
        ("skus", "masterdata.read", Chain(), export_skus, SheetQuery),
        ("count_sheet", "count.create", site, export_count_sheet, CountSheetQuery),
        ("proposal_sheet", "proposal.read", Rows(), export_proposals, SheetQuery),
    )
    for name, permission, scope, handler, query in outward:
        path = "/exports/" + name.replace("_", "-")
        registry.add(_export(f"export_{name}", path, permission, scope, handler, query))
    # The query of an import names its place; its body is the file.
    counted = Site(lambda query: [query.location], reads_query=True)
    inward: tuple[tuple[str, str, Scope, Handler, type[Strict]], ...] = (
        ("skus", "masterdata.write", Chain(), do_import_skus, ImportQuery),
        ("count_sheet", "count.create", counted, do_import_count, CountImportQuery),
        ("proposal_sheet", "proposal.decide", Rows(), do_import_proposals, ImportQuery),
    )
    for name, permission, scope, handler, query in inward:
        registry.add(
            Endpoint(
                name=f"import_{name}",
                method="POST",
                path="/imports/" + name.replace("_", "-"),
                permission=permission,
                scope=scope,
                handler=handler,
                statuses=(200, 404, 409, 422),
                answer=JsonObject,
                query=query,
                takes=(XLSX, CSV),
                reads=read_rows,
                writes=True,
                keyed=True,
            )
        )
    registry.add(
        Endpoint(
            name="import_workbook",
            method="GET",
            path="/imports/{id}/workbook",
            permission="scan.resolve",
            scope=Rows(),
            handler=answer_workbook,
            statuses=(200, 404),
            answer=JsonObject,
            gives=(XLSX,),
        )
    )


def _export(
    name: str, path: str, permission: str, scope: Any, handler: Any, query: Any
) -> Endpoint:
    return Endpoint(
        name=name,
        method="GET",
        path=path,
        permission=permission,
        scope=scope,
        handler=handler,
        statuses=(200, 404),
        answer=JsonObject,
        query=query,
        gives=(XLSX, CSV),
    )


def _list_export(source: Endpoint, member: str) -> Endpoint:
    """The same list, with the same permission and reach, as a file."""
    query = create_model(
        f"{source.name.title().replace('_', '')}Sheet",
        __base__=source.query or Strict,
        form=(Form, "xlsx"),
    )

    def handler(call: Call) -> Answer:
        rows = _flat(_pages(source, call, member))
        names = list(dict.fromkeys(key for row in rows for key in row))
        columns = tuple(Column(key, key, kind=_kind(rows, key)) for key in names)
        table = ([row.get(key) for key in names] for row in rows)
        return _file(source.name, columns, table, call.query.form, "en")

    handler.__doc__ = f"{(source.handler.__doc__ or '').strip()} As a workbook or CSV."
    path = "/exports/" + source.name.replace("_", "-")
    return _export(f"export_{source.name}", path, source.permission, source.scope, handler, query)


def _pages(source: Endpoint, call: Call, member: str) -> Iterable[dict[str, Any]]:
    """All rows of a list: its pages one after the other."""
    asked = call.query
    fields = set(type(asked).model_fields)
    if "limit" in fields:
        # Documents come in one page, for most of their lists have no cursor. The limit of a
        # request is for what a client reads at once, so it does not bind here.
        page = 1_000 if "after" in fields else _ALL
        asked = asked.model_copy(update={"limit": page})
    left = MOST_ROWS
    call.is_whole = True
    while True:
        call.query = asked
        answer: Any = source.handler(call)
        body = answer.body if isinstance(answer, Answer) else answer
        rows = body[member]
        if len(rows) > left:
            raise BatchTooLarge(
                f"the list has more than {MOST_ROWS} rows",
                field="limit",
                remedy="name a place, a state or a time",
            )
        yield from rows
        left -= len(rows)
        if "after" not in fields or body.get("next") is None:
            return
        asked = asked.model_copy(update={"after": body["next"]})


def _flat(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per line of a document, each with the document's own values before it."""
    out = []
    for row in rows:
        lists = [key for key, value in row.items() if isinstance(value, list)]
        head = {key: value for key, value in row.items() if key not in lists}
        lines = next((row[key] for key in lists if row[key]), None)
        if lines is None or not isinstance(lines[0], dict):
            out.append(_plain(head))
            continue
        out += [_plain(head | {_own(key, head): v for key, v in line.items()}) for line in lines]
    return out


def _own(key: str, head: dict[str, Any]) -> str:
    return f"line_{key}" if key in head else key


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value if value is None or isinstance(value, int | float | str) else str(value)
        for key, value in row.items()
    }


def _kind(rows: list[dict[str, Any]], key: str) -> str:
    first = next((row[key] for row in rows if row.get(key) is not None), "")
    return "text" if isinstance(first, str) else "whole"


def _file(
    name: str, columns: tuple[Column, ...], rows: Iterable[Any], form: str, tongue: str
) -> Answer:
    if form == "xlsx":
        content, media = write_xlsx(columns, rows, tongue), XLSX
    else:
        encoding = "gb18030" if form == "csv-gb18030" else "utf-8"
        content, media = write_csv(columns, rows, tongue, encoding), f"{CSV}; charset={encoding}"
    suffix = form.partition("-")[0]
    return Answer({}, 200, content=content, media_type=media, file_name=f"{name}.{suffix}")


def export_skus(call: Call) -> Answer:
    """SKUs as a sheet to edit and send back."""
    query: SheetQuery = call.query
    rows = () if query.template else sku_rows(call.connection)
    return _file("skus", SKU_SHEET, rows, query.form, query.language)


def export_count_sheet(call: Call) -> Answer:
    """The blind count sheet of a location."""
    query: CountSheetQuery = call.query
    require_location(call.connection, query.location)
    rows = () if query.template else count_rows(call.connection, query.location)
    return _file("count-sheet", COUNT_SHEET, rows, query.form, query.language)


def export_proposals(call: Call) -> Answer:
    """Open proposals as a sheet to decide in."""
    query: SheetQuery = call.query
    rows = () if query.template else proposal_rows(call.connection, call.reach)
    return _file("proposals", PROPOSAL_SHEET, rows, query.form, query.language)


def do_import_skus(call: Call) -> dict[str, Any]:
    """Apply edited SKUs as one versioned change; wrong rows come back with the reason."""
    sheet = Sheet.read(SKU_SHEET, call.body)

    def work() -> None:
        actor = call.principal.person
        import_skus(call.connection, sheet, change_id=call.key, actor=actor, at=call.now)

    return _keep(call, "skus", "", sheet, work)


def do_import_count(call: Call) -> dict[str, Any]:
    """Hand in a filled count sheet."""
    require_location(call.connection, call.query.location)
    sheet = Sheet.read(COUNT_SHEET, call.body)

    def work() -> None:
        import_count(call.connection, sheet, call.query.location, call.key, act_of(call))

    return _keep(call, "count_sheet", call.query.location, sheet, work)


def do_import_proposals(call: Call) -> dict[str, Any]:
    """Decide proposals from a sheet."""
    sheet = Sheet.read(PROPOSAL_SHEET, call.body)

    def work() -> None:
        import_proposals(call.connection, sheet, act_of(call), call.reach)

    return _keep(call, "proposals", "", sheet, work)


def _keep(
    call: Call, kind: str, location: str, sheet: Sheet, work: Callable[[], None]
) -> dict[str, Any]:
    dry = call.query.dry_run
    run_import(call.connection, work, is_dry_run=dry)
    name = "IM-" + derived_id(call.key)[:13]
    return keep_import(call.connection, name, kind, location, sheet, act_of(call), is_dry_run=dry)


def answer_workbook(call: Call) -> Answer:
    """One's own file as it was sent, with status and reason beside each row."""
    found = call.connection.execute(select(IMPORTS).where(IMPORTS.c.id == call.path["id"])).first()
    if found is None or found.actor != call.principal.person:
        raise unknown_document(call.path["id"])
    heads, rows = answer_rows(found.content)
    columns = tuple(Column(str(head or ""), str(head or "")) for head in heads)
    columns += (Column("status", "结果"), Column("code", "代码"), Column("reason", "原因"))
    return _file(f"{found.kind}-answer", columns, rows, "xlsx", "en")
