"""The fixture chain served in a process of its own: ``python -m tests.ui_server``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = "LISTENING "


@contextmanager
def served(*arguments: str, module: str = "tests.ui_server") -> Iterator[str]:
    """Address of a running server of the tests; its process ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = next((text for text in process.stdout if text.startswith(MARK)), None)
        assert line is not None, "the fixture server ended before it listened"
        yield f"http://127.0.0.1:{line.removeprefix(MARK).strip()}"
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    from tests.ui_fixture import FixtureSource, flask_app
    from tests.whatif_fixture import FixtureLaboratory
    from ui.dashboards import start
    from ui.pages.executive import executive
    from ui.pages.planner import planner

    numbers = [int(text) for text in sys.argv[1:]] or [24, 70, 21, 8]
    source = FixtureSource(*numbers)
    app, gate = flask_app()
    laboratory = FixtureLaboratory(step=4)
    pages = {
        "twin": lambda visit: executive(source, visit),
        "whatif": lambda visit: planner(source, laboratory, visit),
    }
    server = start(app, gate, pages, int(os.environ.get("PORT", "0")))
    server.start()
    print(f"{MARK}{server.port}", flush=True)
    server.io_loop.start()


if __name__ == "__main__":
    main()
