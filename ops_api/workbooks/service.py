"""Imports: each row is judged by itself, and every row gets its answer."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from sqlalchemy import Connection, insert, select

from ops_api.counts.service import Counted, create_count, submit
from ops_api.errors import AlreadyExists, VersionConflict
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.changes import SkuChange, change_skus
from ops_api.masterdata.tables import SKU_VERSIONS, SKUS
from ops_api.planning import executor
from ops_api.planning.tables import PROPOSALS
from ops_api.transfers.documents import Act
from ops_api.web.registry import unknown_document
from ops_api.workbooks.columns import Column, by_heading, typed
from ops_api.workbooks.sheets import SKU_SHEET, first_gtins
from ops_api.workbooks.tables import IMPORTS
from policies.domain.errors import InvalidInput, StoretwinError, UnknownSku

APPLIED, RETURNED, UNCHANGED = "applied", "returned", "unchanged"
_CHUNK = 5_000


@dataclass
class Sheet:
    """An uploaded table: values by column name, and what became of each row.

    Attributes
    ----------
    names : columns in the order of the file
    rows : values of the good rows by their number in the file (headings are 1), as
        tuples: a hundred thousand of them are held at once
    answers : status, code, reason by row number; a row without one is unchanged
    """

    headings: list[Any]
    cells: list[tuple[Any, ...]]
    names: tuple[str, ...] = ()
    rows: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    answers: dict[int, tuple[str, str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, columns: tuple[Column, ...], table: list[tuple[Any, ...]]) -> Sheet:
        """Cells as values; a bad cell returns its row and no other."""
        places = by_heading(columns, list(table[0]))
        out = cls(list(table[0]), table[1:], tuple(one.name for one in places.values()))
        for number, cells in enumerate(out.cells, 2):
            if all(cell is None or cell == "" for cell in cells):
                continue
            formula = next((i for i in places if i < len(cells) and _is_formula(cells[i])), None)
            try:
                if formula is not None:
                    raise InvalidInput(
                        "the cell holds a formula: paste its value",
                        field=places[formula].name,
                    )
                values = tuple(typed(places, cells).values())
                # Most rows are values as they stand: one tuple serves as both.
                same = len(values) == len(cells) and all(map(is_, values, cells))
                out.rows[number] = cells if same else values
            except InvalidInput as error:
                out.turn_back(number, error)
        return out

    def items(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
        """(number, values by column) of the good rows, or of some of them."""
        for number in self.rows if numbers is None else numbers:
            yield number, dict(zip(self.names, self.rows[number], strict=True))

    def turn_back(self, number: int, error: StoretwinError) -> None:
        """Return a row with its reason."""
        where = f"{error.field}: " if error.field else ""
        self.answers[number] = (RETURNED, error.code, f"{where}{error.detail}")

    def count(self, status: str) -> int:
        """Rows of a status; those without an answer are as they were."""
        if status == UNCHANGED:
            return len(self.cells) - sum(answer[0] != status for answer in self.answers.values())
        return sum(answer[0] == status for answer in self.answers.values())


def import_skus(
    connection: Connection, sheet: Sheet, *, change_id: str, actor: str, at: int
) -> None:
    """Apply the edited rows as one versioned change; the others come back with the reason."""
    changes: dict[int, SkuChange] = {}
    seen: set[str] = set()
    numbers = list(sheet.rows)
    for start in range(0, len(numbers), _CHUNK):
        part = dict(sheet.items(numbers[start : start + _CHUNK]))
        changes |= _compared(connection, sheet, part, seen)
    refused: dict[str, StoretwinError] = {}
    if changes:
        refused = change_skus(
            connection, list(changes.values()), change_id=change_id, actor=actor, at=at
        )
    for number, change in changes.items():
        if change.sku in refused:
            sheet.turn_back(number, refused[change.sku])
        else:
            sheet.answers[number] = (APPLIED, "", "")


def _compared(
    connection: Connection, sheet: Sheet, part: dict[int, dict[str, Any]], seen: set[str]
) -> dict[int, SkuChange]:
    """Changes of some rows; unchanged and wrong ones get their answer."""
    names = sorted({str(values.get("sku")) for values in part.values()})
    current = {row.id: row for row in connection.execute(select(SKUS).where(SKUS.c.id.in_(names)))}
    gtins = first_gtins(connection, names)
    kept = _kept_versions(connection, part, current)
    changes: dict[int, SkuChange] = {}
    for number, values in part.items():
        try:
            sku = values.get("sku")
            if sku in seen:
                raise AlreadyExists(f"SKU {sku} stands twice in the file", field="sku")
            change = _sku_change(values, current, gtins, kept)
        except StoretwinError as error:
            sheet.turn_back(number, error)
            continue
        seen.add(str(sku))
        if change is not None:
            changes[number] = change
    return changes


def _sku_change(
    values: dict[str, Any],
    current: dict[str, Any],
    gtins: dict[str, str],
    kept: dict[tuple[str, int], dict[str, Any]],
) -> SkuChange | None:
    """What a row changes, None where it is as exported.

    Raises
    ------
    UnknownSku, VersionConflict, InvalidInput
    """
    sku, version = values.get("sku"), values.get("version")
    if sku not in current:
        raise UnknownSku(f"no SKU {str(sku)[:64]!r}", field="sku")
    if version is None:
        raise InvalidInput("the version is missing", field="version")
    row = current[sku]
    base = dict(row._mapping) if version == row.version else kept.get((sku, version))
    names = [column.name for column in SKU_SHEET[3:] if column.name in values]
    new = {name: values[name] for name in names if values[name] is not None}
    edited = {name: new[name] for name in new if base is None or new[name] != base.get(name)}
    emptied = [name for name in names if values[name] is None]
    if emptied:
        raise InvalidInput("the cell is empty", field=emptied[0])
    gtin = values.get("gtin")
    if gtin is not None and gtin.zfill(14) != gtins.get(sku, gtin).zfill(14):
        raise InvalidInput(
            "a barcode is not changed here; it may have lost its zeros", field="gtin"
        )
    if not edited:
        return None
    if version != row.version:
        raise VersionConflict(
            f"SKU {sku} is version {row.version} by now, the file was made from {version}",
            field="version",
            remedy="export again",
        )
    return SkuChange(sku, version, edited)


def _kept_versions(
    connection: Connection, part: dict[int, dict[str, Any]], current: dict[str, Any]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Earlier contents of the SKUs whose row was made from an earlier version."""
    stale = sorted(
        {
            values["sku"]
            for values in part.values()
            if values.get("sku") in current
            and values.get("version") != current[values["sku"]].version
        }
    )
    v = SKU_VERSIONS.c
    rows = connection.execute(select(v.sku, v.version, v.content).where(v.sku.in_(stale)))
    return {(row.sku, row.version): json.loads(row.content) for row in rows}


def import_count(connection: Connection, sheet: Sheet, location: str, key: str, act: Act) -> None:
    """Hand in a filled count sheet as one count; rows left empty were not counted."""
    known = {row.id for row in connection.execute(select(SKUS.c.id))}
    lines: dict[int, Counted] = {}
    seen: set[str] = set()
    for number, values in sheet.items():
        sku = str(values.get("sku") or "")
        if values.get("counted") is None:
            continue
        if sku not in known:
            sheet.turn_back(number, UnknownSku(f"no SKU {sku[:64]!r}", field="sku"))
        elif sku in seen:
            error = AlreadyExists(f"SKU {sku} stands twice in the file", field="sku")
            sheet.turn_back(number, error)
        else:
            seen.add(sku)
            lines[number] = Counted(derived_id(key, "count", sku), sku, values["counted"])
    if not lines:
        return
    document = "CT-" + derived_id(key)[:13]
    create_count(connection, document, location, "shelf", act)
    done = submit(connection, document, list(lines.values()), act)
    again = set(done["recount"])
    for number, line in lines.items():
        reason = "someone else has to count it again" if line.sku in again else ""
        sheet.answers[number] = (APPLIED, "", reason)


def import_proposals(
    connection: Connection, sheet: Sheet, act: Act, reach: frozenset[str] | None
) -> None:
    """Accept, cut or refuse proposals; all rows of one proposal stand or fall together."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, values in sheet.items():
        groups[str(values.get("proposal") or "")].append(number)
    for number, answer in list(sheet.answers.items()):
        if answer[0] == RETURNED and number not in sheet.rows:
            # A row that can't be read must not leave the rest of its proposal half decided.
            spoiled = str(sheet.cells[number - 2][0])
            for other in groups.pop(spoiled, []):
                sheet.turn_back(other, InvalidInput("another row of the proposal is wrong"))
    for proposal, numbers in groups.items():
        nested = connection.begin_nested()
        try:
            rows = [values for _, values in sheet.items(numbers)]
            decided = _decide(connection, proposal, rows, act, reach)
        except StoretwinError as error:
            nested.rollback()
            for number in numbers:
                sheet.turn_back(number, error)
        else:
            nested.commit()
            for number in numbers if decided else ():
                sheet.answers[number] = (APPLIED, "", "")


def _decide(
    connection: Connection,
    proposal: str,
    rows: Sequence[dict[str, Any]],
    act: Act,
    reach: frozenset[str] | None,
) -> bool:
    words = {row.get("decision") for row in rows}
    if words == {None}:
        return False
    head = connection.execute(select(PROPOSALS).where(PROPOSALS.c.id == proposal)).first()
    if head is None or (reach is not None and not reach & {head.origin, head.destination}):
        raise unknown_document(proposal)
    if any(row.get("version") != head.version for row in rows):
        raise VersionConflict(
            f"proposal {proposal} was changed meanwhile", field="version", remedy="export again"
        )
    if len(words) > 1:
        raise InvalidInput("the rows of one proposal say different things", field="decision")
    if words == {"refuse"}:
        reason = next((row["reason"] for row in rows if row.get("reason")), None)
        if reason is None:
            raise InvalidInput("a refusal needs a reason", field="reason")
        executor.refuse(connection, proposal, act, reason)
        return True
    asked = {
        str(row["sku"]): int(row["quantity"]) for row in rows if row.get("quantity") is not None
    }
    executor.accept(connection, proposal, act, asked or None)
    return True


def run_import(connection: Connection, work: Callable[[], None], *, is_dry_run: bool) -> None:
    """Do the work; in a dry run take every effect back."""
    nested = connection.begin_nested()
    try:
        work()
    except BaseException:
        nested.rollback()
        raise
    if is_dry_run:
        nested.rollback()
    else:
        nested.commit()


def keep_import(
    connection: Connection,
    name: str,
    kind: str,
    location: str,
    sheet: Sheet,
    act: Act,
    *,
    is_dry_run: bool,
) -> dict[str, Any]:
    """Keep the file's answer and say what became of it."""
    counts = {status: sheet.count(status) for status in (APPLIED, RETURNED, UNCHANGED)}
    connection.execute(
        insert(IMPORTS).values(
            id=name,
            kind=kind,
            location=location,
            is_dry_run=is_dry_run,
            recorded_at=act.recorded_at,
            actor=act.actor,
            content=_packed(sheet),
            **counts,
        )
    )
    returned = [
        {"row": number, "code": answer[1], "detail": answer[2]}
        for number, answer in sorted(sheet.answers.items())
        if answer[0] == RETURNED
    ]
    return {
        "id": name,
        "dry_run": is_dry_run,
        **counts,
        "returned_rows": returned[:200],
        "workbook": f"/api/v1/imports/{name}/workbook",
    }


def _packed(sheet: Sheet) -> bytes:
    """A line of JSON for the headings and for each row with its answer, compressed."""
    squeeze = zlib.compressobj(3)
    out = [squeeze.compress(_line(sheet.headings))]
    as_sent = (UNCHANGED, "", "")
    for number, cells in enumerate(sheet.cells, 2):
        line = _line([*sheet.answers.get(number, as_sent), *cells])
        out.append(squeeze.compress(line))
    return b"".join([*out, squeeze.flush()])


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, default=str).encode() + b"\n"


def answer_rows(content: bytes) -> tuple[list[Any], Iterator[list[Any]]]:
    """Headings and rows of an import's answer: as sent, then status, code and reason."""
    lines = zlib.decompress(content).split(b"\n")[:-1]
    heads = json.loads(lines[0])

    def rows() -> Iterator[list[Any]]:
        for line in lines[1:]:
            status, code, reason, *cells = json.loads(line)
            part = cells[: len(heads)]
            yield [*part, *[None] * (len(heads) - len(part)), status, code, reason]

    return heads, rows()


def _is_formula(cell: Any) -> bool:
    return isinstance(cell, str) and cell.startswith("=")
