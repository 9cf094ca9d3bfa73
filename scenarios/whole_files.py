"""Files that appear whole or not at all: readers never see half of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as JSON beside `path`, then put it in place."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, default=str))
    part.replace(path)
