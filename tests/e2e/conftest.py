"""One browser and one served fixture chain for all tests of the pages."""

import pytest

from tests.ui_browser import Browser
from tests.ui_fixture import PASSWORD
from tests.ui_server import served


@pytest.fixture(scope="session")
def address():
    with served() as where:
        yield where


@pytest.fixture(scope="session")
def chromium():
    made = Browser()
    yield made
    made.close()


@pytest.fixture
def browser(chromium, address):
    """As a fresh profile: no cookie, no queue, no cache of another test."""
    chromium.forget(address)
    return chromium


@pytest.fixture
def visit(browser, address):
    """Log in as a demo user."""

    def log_in(name: str) -> Browser:
        browser.driver.get(f"{address}/login")
        browser.script(
            "document.getElementById('name').value = arguments[0];"
            "document.getElementById('password').value = arguments[1];"
            "document.querySelector('form').requestSubmit();",
            name,
            PASSWORD,
        )
        browser.wait("location.pathname === '/'")
        return browser

    return log_in
