"""Screenshots of a running server: ``python -m tests.ui_screenshots ADDRESS USERS.json``.

The second argument maps roles to [name, password]; without it the fixture's people log in.
Pictures go to ``var/screenshots``; they are made to be looked at.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from pathlib import Path

from tests.ui_browser import DESKTOP, PHONE, Browser
from tests.ui_fixture import PASSWORD

OUT = Path("var/screenshots")
PANEL_READY = (
    "window.Bokeh && Bokeh.index && Bokeh.index.roots[0] && Bokeh.index.roots[0].is_idle"
    " && document.getElementById('loader').style.display === 'none'"
)
SETTLE_S = 1.5
_HEIGHT = """
let tall = 0;
const walk = (root) => root.querySelectorAll('*').forEach((e) => {
  tall = Math.max(tall, e.scrollHeight);
  if (e.shadowRoot) walk(e.shadowRoot);
});
walk(document);
return tall;
"""


def log_in(browser: Browser, address: str, name: str, password: str) -> None:
    browser.driver.get(f"{address}/logout")
    browser.script(
        "document.getElementById('name').value = arguments[0];"
        "document.getElementById('password').value = arguments[1];"
        "document.querySelector('form').requestSubmit();",
        name,
        password,
    )
    browser.wait("location.pathname === '/'")


def picture(browser: Browser, address: str, path: str, ready: str, name: str) -> None:
    """One page in both languages, both themes, on a desk and on a phone."""
    sizes = {"desk": DESKTOP, "phone": PHONE}
    for language, theme, size in product(("zh", "en"), ("light", "dark"), sizes):
        width, height = sizes[size]
        browser.size(width, height)
        browser.driver.get(f"{address}/prefs?lang={language}&theme={theme}&next=/login")
        began = time.perf_counter()
        browser.driver.get(f"{address}{path}")
        browser.wait(ready, 60)
        seconds = time.perf_counter() - began
        time.sleep(SETTLE_S)
        tall = browser.script(_HEIGHT)
        assert isinstance(tall, int)
        # Panel pages scroll inside; a tall window shows all of them.
        browser.size(width, min(max(tall + 80, height), 5_000))
        time.sleep(SETTLE_S)
        browser.shot(OUT / f"{name}-{language}-{theme}-{size}.png")
        print(f"{name} {language} {theme} {size}: ready in {seconds:.1f} s")


def main() -> None:
    address = sys.argv[1].rstrip("/")
    if len(sys.argv) > 2:
        people = json.loads(Path(sys.argv[2]).read_text())
    else:
        people = {role: [role, PASSWORD] for role in ("executive", "planner", "clerk")}
    browser = Browser()
    try:
        picture(browser, address, "/login", "document.readyState === 'complete'", "log-in")
        log_in(browser, address, *people["executive"])
        picture(browser, address, "/", "document.readyState === 'complete'", "home")
        picture(browser, address, "/twin", PANEL_READY, "executive")
        log_in(browser, address, *people["planner"])
        picture(browser, address, "/whatif", PANEL_READY, "planner")
        log_in(browser, address, *people["clerk"])
        picture(browser, address, "/m/", "document.querySelector('.tile')", "phone")
        print("hosts asked:", browser.requested_hosts(), "complaints:", browser.complaints())
    finally:
        browser.close()


if __name__ == "__main__":
    main()
