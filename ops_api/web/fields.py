"""Field types that bodies and queries share: every text and number has bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

MAX_UNITS = 10_000_000
MAX_CENTS = 1_000_000_000_000

EventId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
]
Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")
]
OptionalId = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f]*$")]
# GS1 lots and serials have at most 20 characters; the empty text means none is named.
Lot = Annotated[str, StringConstraints(max_length=20, pattern=r"^[^\x00-\x1f]*$")]
Words = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Units = Annotated[int, Field(ge=1, le=MAX_UNITS)]
UnitsOrNone = Annotated[int, Field(ge=0, le=MAX_UNITS)]
Cents = Annotated[int, Field(ge=0, le=MAX_CENTS)]
Sequence = Annotated[int, Field(ge=0, le=2**53)]
Moment = Annotated[AwareDatetime, Field(description="ISO 8601 with zone")]
Limit = Annotated[int, Field(ge=1, le=1_000)]
Cursor = Annotated[int, Field(ge=0, le=2**53)]
Condition = Annotated[str, StringConstraints(pattern=r"^(good|damaged|hold)$")]
