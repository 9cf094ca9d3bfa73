"""Bodies are read as bytes, and only strict JSON passes.

The standard parser looks for what pydantic's would let through: a key given twice,
NaN, and nesting deeper than the stack. Then pydantic validates the same bytes in
strict mode, so ``"1"`` and ``true`` are no integers.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from ops_api.errors import BatchTooLarge, UnsupportedMedia
from policies.domain.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)
_DEPTH = 24


class Strict(BaseModel):
    """Base of every body: no unknown keys, no conversion, no NUL."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class LineBatch(Strict):
    """A batch whose bad lines are answered one by one and never sink the rest.

    The lines stand under ``lines``; :meth:`numbered` gives the good ones with their row.
    """

    _faults: dict[int, InvalidInput] = PrivateAttr(default_factory=dict)
    _rows: list[int] | None = PrivateAttr(default=None)

    @property
    def faults(self) -> dict[int, InvalidInput]:
        """What is wrong with each line that was left out, by row."""
        return self._faults

    def numbered(self) -> list[tuple[int, Any]]:
        """(row, line) of the good lines."""
        lines = self.lines  # type: ignore[attr-defined]
        return list(zip(self._rows or range(len(lines)), lines, strict=True))


def read_body(request: Request, limit: int) -> bytes:
    """The request's bytes, refused where they are not JSON or too many."""
    if request.mimetype != "application/json":
        raise UnsupportedMedia(
            f"content type is {request.mimetype or 'missing'}",
            field="Content-Type",
            remedy="send application/json",
        )
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMedia(
            "compressed bodies are not taken",
            field="Content-Encoding",
            remedy="send the body as it is",
        )
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large(limit) from None
    except ClientDisconnected:
        raise InvalidInput("the body ended early", field="body") from None
    if len(raw) > limit:
        raise _too_large(limit)
    return raw


def read_file(request: Request, media_types: tuple[str, ...], limit: int) -> bytes:
    """The bytes of a file of one of these types."""
    if request.mimetype not in media_types:
        raise UnsupportedMedia(
            f"content type is {request.mimetype or 'missing'}",
            field="Content-Type",
            remedy=f"send one of {', '.join(media_types)}",
        )
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large(limit) from None
    except ClientDisconnected:
        raise InvalidInput("the body ended early", field="body") from None
    if len(raw) > limit:
        raise _too_large(limit)
    return raw


def parse(raw: bytes) -> Any:
    """Python values of strict JSON."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(
            "the body is not UTF-8", field="body", remedy="send JSON in UTF-8"
        ) from None
    if "\x00" in text or "\\u0000" in text:
        raise InvalidInput("the body contains a NUL character", field="body")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            "the body is not JSON", field="body", remedy="send one JSON value, nested sensibly"
        ) from None
    if _deeper(value, _DEPTH):
        raise InvalidInput("the body is nested too deep", field="body")
    return value


def validate(model: type[M], raw: bytes) -> M:
    """The body as `model`, or the first fault with its field and row."""
    value = parse(raw)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if not issubclass(model, LineBatch):
            raise fault_of(error) from None
        return _without_bad_lines(model, value, error)


def _without_bad_lines(model: type[M], value: Any, error: ValidationError) -> M:
    faults: dict[int, InvalidInput] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        place = item["loc"]
        if len(place) < 2 or place[0] != "lines" or not isinstance(place[1], int):
            raise fault_of(error) from None
        name = ".".join(str(part) for part in place[2:]) or "line"
        faults.setdefault(
            place[1],
            InvalidInput(
                f"{name}: {item['msg']}",
                field=name,
                row=place[1],
                remedy="correct the field and send the line again",
            ),
        )
    rows = [row for row in range(len(value["lines"])) if row not in faults]
    rest = {**value, "lines": [value["lines"][row] for row in rows]}
    batch = model.model_validate_json(json.dumps(rest)) if rows else _empty(model, rest)
    assert isinstance(batch, LineBatch)
    batch._faults, batch._rows = faults, rows
    return batch


def _empty(model: type[M], rest: dict[str, Any]) -> M:
    """The batch without any line; its other fields were found good already."""
    return model.model_construct(**{**dict.fromkeys(model.model_fields), **rest, "lines": []})


def validate_query(model: type[M], values: dict[str, str]) -> M:
    """Query parameters as `model`; text is converted, anything unknown is refused."""
    if any("\x00" in text for text in values.values()):
        raise InvalidInput("a parameter contains a NUL character", field="query")
    try:
        return model.model_validate_strings(values, strict=False)
    except ValidationError as error:
        raise fault_of(error) from None


def fault_of(error: ValidationError) -> InvalidInput:
    """One :class:`InvalidInput` for the first fault that pydantic found."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = first["loc"]
    row = next((part for part in place if isinstance(part, int)), None)
    name = ".".join(str(part) for part in place) or "body"
    more = error.error_count() - 1
    return InvalidInput(
        f"{name}: {first['msg']}" + (f" (and {more} more)" if more else ""),
        field=name,
        row=row,
        remedy="correct the field and send it again",
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _DuplicateKey(f"key {twice[:40]!r} stands twice")
    return out


class _DuplicateKey(InvalidInput, ValueError):
    """A key given twice."""


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        following: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                following.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, list):
                following.extend(v for v in item if isinstance(v, dict | list))
        if not following:
            return False
        level = following
    return True


def _too_large(limit: int) -> BatchTooLarge:
    return BatchTooLarge(
        f"the body is larger than {limit} bytes", field="body", remedy="send smaller batches"
    )
