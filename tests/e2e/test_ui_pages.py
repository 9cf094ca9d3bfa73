"""Every page, in both languages and themes, on a desk and on a phone."""

import re

import pytest

from tests.ui_browser import DESKTOP, PHONE, Browser

pytestmark = pytest.mark.browser
READY = (
    "window.Bokeh && Bokeh.index && Bokeh.index.roots[0] && Bokeh.index.roots[0].is_idle"
    " && document.getElementById('loader').style.display === 'none'"
)
# Text of the page with every shadow root, as a person reads it.
TEXT = """
const out = [];
const walk = (node) => {
  const text = node.nodeType === 3 ? node.textContent.trim() : '';
  if (text) out.push(text);
  if (node.nodeType !== 1 && node.nodeType !== 11) return;
  if (['STYLE', 'SCRIPT', 'TEMPLATE', 'CODE'].includes(node.nodeName)) return;
  if (node.nodeType === 1 && getComputedStyle(node).display === 'none') return;
  if (node.shadowRoot) walk(node.shadowRoot);
  node.childNodes.forEach(walk);
};
walk(document.body);
return out;
"""
NAMES = re.compile(r"storetwin|English|P10|P90|SKU|Management|base-stock-\d|S\d{3}")
SENTENCE = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}")


TITLES = {
    "zh": ("zh-CN", "现实做到孪生承诺的了吗？"),
    "en": ("en", "Is reality doing what the twin promised?"),
}


def open_page(browser: Browser, address: str, path: str, language: str, theme: str) -> None:
    browser.driver.get(f"{address}/prefs?lang={language}&theme={theme}&next=/login")
    browser.driver.get(f"{address}{path}")
    browser.wait(READY, 40)


@pytest.mark.parametrize(
    ("language", "theme", "size"),
    [
        ("zh", "light", DESKTOP),
        ("en", "dark", DESKTOP),
        ("zh", "dark", PHONE),
        ("en", "light", PHONE),
    ],
)
def test_the_executive_page_reads_well(visit, address, language, theme, size):
    browser = visit("executive")
    browser.size(*size)
    open_page(browser, address, "/twin", language, theme)
    text = browser.script(TEXT)
    attribute, title = TITLES[language]
    assert browser.script("return document.documentElement.lang") == attribute
    assert title in text
    if language == "zh":
        left = [part for part in text if SENTENCE.search(NAMES.sub("", part))]
        assert left == []
    wide = browser.script("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, "the page scrolls sideways"
    ground = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(244, 246, 248)", "dark": "rgb(14, 20, 26)"}[theme]
    assert set(browser.requested_hosts()) == {"127.0.0.1"}
    assert browser.complaints() == []


PRESS = """
const find = (root) => {
  for (const e of root.querySelectorAll('*')) {
    if (e.matches('button') && e.innerText.includes('10')) return e;
    const inner = e.shadowRoot && find(e.shadowRoot);
    if (inner) return inner;
  }
};
find(document).click();
"""


@pytest.mark.parametrize(("language", "theme"), [("zh", "dark"), ("en", "light")])
def test_the_what_if_page_runs_to_a_verdict(visit, address, language, theme):
    browser = visit("planner")
    open_page(browser, address, "/whatif", language, theme)
    browser.script(PRESS)
    word = {"zh": "无明显差异", "en": "no clear difference"}[language]
    browser.wait(f"(() => {{ {TEXT} }})().some((part) => part.includes('{word}'))", 30)
    text = browser.script(TEXT)
    if language == "zh":
        names = re.compile(NAMES.pattern + r"|Next week, more service|base_stock|Planner")
        left = [part for part in text if SENTENCE.search(names.sub("", part))]
        assert [part for part in left if "extends" not in part] == []
    assert set(browser.requested_hosts()) == {"127.0.0.1"}
    assert browser.complaints() == []


def test_a_click_on_a_store_opens_its_days(visit, address):
    browser = visit("executive")
    open_page(browser, address, "/twin", "en", "light")
    cell = (
        "(() => { const find = (root) => { for (const e of root.querySelectorAll('*')) {"
        " if (e.matches('.tabulator-cell[tabulator-field=store]')) return e;"
        " if (e.shadowRoot) { const f = find(e.shadowRoot); if (f) return f; } } };"
        " return find(document); })()"
    )
    browser.wait(cell)
    browser.script(f"{cell}.click()")
    browser.wait(f"(() => {{ {TEXT} }})().some((part) => part.startsWith('What happened at S00'))")


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/", "executive"),
        ("/login", "executive"),
        ("/refused", "executive"),
        ("/no/such/page", "executive"),
        ("/twin", "clerk"),
        ("/m/", "executive"),
    ],
)
def test_server_rendered_pages_ask_no_other_host(visit, address, path, role):
    browser = visit(role)
    browser.driver.get(f"{address}{path}")
    browser.wait("document.readyState === 'complete'")
    assert set(browser.requested_hosts()) == {"127.0.0.1"}
    assert "storetwin" in browser.script("return document.body.innerText")
