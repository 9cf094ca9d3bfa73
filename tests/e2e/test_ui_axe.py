"""No page has a finding that shuts a person out, by axe's rules.

Another build of axe is taken from ``STORETWIN_AXE`` (path of its ``axe.min.js``).
"""

import os
from importlib.resources import files
from pathlib import Path

import pytest

from tests.e2e.test_ui_pages import READY, open_page

pytestmark = pytest.mark.browser
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ['violations'] }).then(done, (error) => done(String(error)));
"""
# A grid may own rows alone; axe knows this rule from 4.5 on, the packaged one is older.
STRAY = """
const stray = [];
const walk = (root) => root.querySelectorAll('*').forEach((e) => {
  if (e.matches('[role=progressbar]:not([aria-label])')) stray.push('progress bar without name');
  if (e.matches('.tabulator[role=grid]')) {
    if (!e.getAttribute('aria-label')) stray.push('table without name');
    for (const part of e.children)
      if (part.getClientRects().length && !['rowgroup', 'row'].includes(part.getAttribute('role')))
        stray.push(part.className);
  }
  if (e.shadowRoot) walk(e.shadowRoot);
});
walk(document);
return stray;
"""


@pytest.fixture(scope="module")
def axe() -> str:
    named = os.environ.get("STORETWIN_AXE")
    if named:
        return Path(named).read_text(encoding="utf-8")
    pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")


def findings(browser, axe):
    """(impact, rule, first element) of every finding that shuts somebody out."""
    browser.script(axe)
    answer = browser.driver.execute_async_script(RUN)
    assert isinstance(answer, dict), answer
    return [
        (one["impact"], one["id"], one["nodes"][0]["html"][:120])
        for one in answer["violations"]
        if one["impact"] in {"critical", "serious"}
    ]


@pytest.mark.parametrize(
    ("role", "path", "theme"),
    [
        ("executive", "/twin", "light"),
        ("executive", "/twin", "dark"),
        ("planner", "/whatif", "light"),
        ("planner", "/whatif", "dark"),
    ],
)
def test_no_finding_on_a_dashboard_is_serious(visit, address, axe, role, path, theme):
    browser = visit(role)
    open_page(browser, address, path, "zh", theme)
    if path == "/twin":
        browser.wait(f"!(() => {{ {STRAY} }})().length")
    assert findings(browser, axe) == []
    assert browser.script(STRAY) == []


@pytest.mark.parametrize(
    ("role", "path"), [("clerk", "/m/"), ("executive", "/"), ("executive", "/refused")]
)
def test_a_page_for_the_phone_has_no_serious_finding(visit, address, axe, role, path):
    browser = visit(role)
    browser.driver.get(f"{address}{path}")
    browser.wait("document.querySelector('.tile')" if path == "/m/" else "document.body")
    assert findings(browser, axe) == []


def test_a_page_with_an_unnamed_button_would_be_found(visit, address, axe):
    browser = visit("executive")
    browser.driver.get(f"{address}/")
    browser.script("document.body.append(document.createElement('button'))")
    assert [rule for _, rule, _ in findings(browser, axe)] == ["button-name"]


def test_the_pager_is_named_in_the_pages_language(visit, address):
    browser = visit("executive")
    open_page(browser, address, "/twin", "en", "light")
    assert browser.script(f"return {READY}")
    names = browser.script(
        "const out = []; const walk = (r) => r.querySelectorAll('*').forEach((e) => {"
        " if (e.matches('.tabulator[role=grid]')) out.push(e.getAttribute('aria-label'));"
        " if (e.shadowRoot) walk(e.shadowRoot); }); walk(document); return out;"
    )
    assert names == ["Table"]
