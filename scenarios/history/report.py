"""The report that every import ends with: nothing is dropped silently."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

EXAMPLES = 5


@dataclass
class ImportReport:
    """Rows read, kept, and rejected by reason with examples.

    Attributes
    ----------
    read, kept : int
    rejected : dict of reason -> rows; ``read == kept + sum(rejected)``
    examples : dict of reason -> up to five rows as dicts, each with its row number
    stores, skus : int, distinct ones among the kept rows
    lines : int, receipt lines written (an hourly row makes a line a unit)
    kept_as : dict of kind -> kept rows; all but sales stand in ``other_lines.parquet``
    first, last : str, ISO dates of the first and last sale, local
    rounded_cents : float, revenue gained by rounding prices to cents per base unit
    notes : dict of fact -> value, what a reader should know (missing dates and the like)
    """

    read: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stores: int = 0
    skus: int = 0
    lines: int = 0
    kept_as: dict[str, int] = field(default_factory=dict)
    first: str = ""
    last: str = ""
    rounded_cents: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    def reject(self, reason: str, rows: int, examples: list[dict[str, Any]]) -> None:
        """Count `rows` rejected rows of one reason and keep a few as examples."""
        if rows == 0:
            return
        self.rejected[reason] = self.rejected.get(reason, 0) + rows
        kept = self.examples.setdefault(reason, [])
        kept += examples[: EXAMPLES - len(kept)]

    def check(self) -> None:
        """Every row read is kept or counted under exactly one reason."""
        if self.read != self.kept + sum(self.rejected.values()):
            raise AssertionError("an import lost rows without a reason")

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, default=str, indent=1))

    @classmethod
    def load(cls, path: Path) -> ImportReport:
        """The report written before."""
        return cls(**json.loads(path.read_text()))
