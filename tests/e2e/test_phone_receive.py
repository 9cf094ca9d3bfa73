"""A clerk receives with a phone whose network comes and goes; nothing is lost or doubled."""

import json

import pytest
import requests

from tests.ui_browser import PHONE, Browser, wait_until

pytestmark = pytest.mark.browser
MILK, TEA, CRACKERS = "6901234567892", "06900000000014", "6900000000021"


@pytest.fixture
def phone(visit, address):
    """The phone app of the clerk of S001, its lists loaded, the stand-in emptied."""
    requests.post(f"{address}/test/reset", timeout=10)
    browser = visit("clerk")
    browser.size(*PHONE)
    browser.driver.get(f"{address}/prefs?lang=en&theme=light&next=/m/")
    browser.wait("document.querySelector('.tile')")
    wait_until(lambda: meta(browser, "loaded") is not None, 10, "lists loaded")
    return browser


def meta(browser: Browser, key: str) -> object:
    return browser.driver.execute_async_script(
        "const [key, done] = arguments; import('/m/app/store.js')"
        ".then((store) => store.recall(key)).then((value) => done(value ?? null));",
        key,
    )


def state(address: str) -> dict:
    return requests.get(f"{address}/test/state", timeout=10).json()


def scan(browser: Browser, code: str) -> None:
    """Keys as a wedge sends them, Enter last."""
    field = browser.driver.find_element("id", "code")
    field.send_keys(code + "\n")


def open_delivery(browser: Browser, name: str = "T-0412") -> None:
    browser.script("document.querySelector('[data-task=receive]').click()")
    browser.wait("document.querySelector('#code')")
    scan(browser, name)
    browser.wait("document.querySelector('.line')")


def text(browser: Browser, selector: str) -> str:
    return str(browser.script("return document.querySelector(arguments[0]).innerText", selector))


def number(browser: Browser, sku: str) -> str:
    return text(browser, f"[data-sku={sku}] .number")


def waiting(browser: Browser) -> int:
    return int(browser.script("return document.querySelector('.queue').dataset.waiting"))


def test_typed_codes_count_and_arrive_once(phone, address):
    open_delivery(phone)
    scan(phone, MILK)
    scan(phone, f"12*{TEA}")
    phone.wait("document.querySelector('[data-sku=K2] .number').textContent.includes('12 of 12')")
    assert number(phone, "K1") == "1 of 24"
    wait_until(lambda: waiting(phone) == 0, 10, "queue empty")
    assert state(address)["received"]["T-0412"] == {"K1": 1, "K2": 12}


def test_offline_scans_survive_a_reload_and_are_sent_when_the_network_is_back(phone, address):
    phone.wait("navigator.serviceWorker.controller", 15)
    open_delivery(phone)
    phone.offline(True)
    scan(phone, MILK)
    scan(phone, MILK)
    scan(phone, CRACKERS)
    wait_until(lambda: waiting(phone) == 3, 10, "three wait")
    phone.wait("!document.querySelector('.banner').hidden")
    assert "kept on this phone" in text(phone, ".banner")
    phone.driver.get(f"{address}/m/")
    phone.wait("document.querySelector('.tile')")
    assert "3 waiting to send" in text(phone, ".queue")
    assert state(address)["events"] == []
    phone.offline(False)
    wait_until(lambda: waiting(phone) == 0, 20, "queue empty")
    assert state(address)["received"]["T-0412"] == {"K1": 2, "K3": 1}


def test_a_reply_cut_after_the_record_doubles_nothing(phone, address):
    requests.post(f"{address}/test/faults", json=["cut", "503"], timeout=10)
    open_delivery(phone)
    scan(phone, f"5*{MILK}")
    wait_until(lambda: state(address)["posted"] >= 3, 20, "sent three times")
    wait_until(lambda: waiting(phone) == 0, 20, "queue empty")
    assert state(address)["received"]["T-0412"] == {"K1": 5}
    assert len(state(address)["events"]) == 1


def test_one_too_many_is_amber_and_asks_once(phone, address):
    open_delivery(phone, "T-0413")
    scan(phone, f"6*{TEA}")
    phone.wait("document.querySelector('.line.done')")
    scan(phone, TEA)
    phone.wait("document.querySelector('dialog[open]')")
    assert "6 were shipped" in text(phone, "dialog")
    phone.script("document.querySelector('dialog .amber').click()")
    phone.wait("document.querySelector('.line.over')")
    assert number(phone, "K2") == "7 of 6: too many"
    scan(phone, TEA)
    phone.wait("document.querySelector('.line.over .number').textContent.startsWith('8')")
    wait_until(lambda: waiting(phone) == 0, 10, "queue empty")
    assert state(address)["received"]["T-0413"] == {"K2": 8}


def test_the_last_scan_is_taken_back_before_and_after_it_was_sent(phone, address):
    open_delivery(phone)
    undo = "[...document.querySelectorAll('.deeds button')][0].click()"
    phone.offline(True)
    scan(phone, MILK)
    wait_until(lambda: waiting(phone) == 1, 10, "one waits")
    phone.script(undo)
    phone.wait("document.querySelector('.last').innerText.includes('Taken back')")
    phone.offline(False)
    phone.wait("document.querySelector('[data-sku=K1] .number').textContent === '0 of 24'")
    scan(phone, f"3*{MILK}")
    phone.wait("document.querySelector('[data-sku=K1] .number').textContent === '3 of 24'")
    wait_until(lambda: waiting(phone) == 0, 20, "queue empty")
    phone.script(undo)
    phone.wait("document.querySelector('[data-sku=K1] .number').textContent === '0 of 24'")
    wait_until(lambda: waiting(phone) == 0, 20, "queue empty")
    assert state(address)["received"]["T-0412"] == {}


def test_a_refused_scan_is_shown_and_blocks_nothing(phone, address):
    requests.post(f"{address}/test/faults", json=["refuse"], timeout=10)
    open_delivery(phone)
    scan(phone, MILK)
    wait_until(lambda: waiting(phone) == 0, 10, "refused and moved")
    scan(phone, TEA)
    wait_until(lambda: state(address)["received"]["T-0412"] == {"K2": 1}, 10, "the next arrived")
    phone.script("document.querySelector('header .icon').click()")
    phone.wait("document.querySelector('.row')")
    phone.script("document.querySelector('header .icon').click()")
    phone.wait("document.querySelector('[data-attention]:not([hidden])')")
    phone.script("document.querySelector('[data-attention]').click()")
    phone.wait("document.querySelector('.card')")
    assert "STATE_INVALID" in text(phone, ".card")


def test_finishing_short_asks_and_is_sent_after_the_scans(phone, address):
    requests.post(f"{address}/test/faults", json=["503"], timeout=10)
    open_delivery(phone)
    scan(phone, f"3*{MILK}")
    phone.wait("document.querySelector('.last.good')")
    phone.script("document.querySelector('.deeds .go').click()")
    phone.wait("document.querySelector('dialog[open]')")
    assert "69 units were shipped and not scanned" in text(phone, "dialog")
    phone.script("document.querySelector('dialog .amber').click()")
    phone.wait("document.querySelector('.told')")
    wait_until(lambda: waiting(phone) == 0, 20, "queue empty")
    assert state(address)["ended"] == ["T-0412"]
    assert state(address)["received"]["T-0412"] == {"K1": 3}


def test_a_log_out_with_waiting_scans_is_refused(phone, address):
    phone.wait("navigator.serviceWorker.controller", 15)
    open_delivery(phone)
    phone.offline(True)
    scan(phone, MILK)
    wait_until(lambda: waiting(phone) == 1, 10, "one waits")
    phone.driver.get(f"{address}/m/")
    phone.wait("document.querySelector('.tile')")
    phone.script("[...document.querySelectorAll('main .plain')].at(-1).click()")
    phone.wait("document.querySelector('.told')")
    assert "1 scans are not sent yet" in text(phone, ".told")
    assert phone.driver.current_url.endswith("/m/")


def test_a_count_is_blind_and_each_line_arrives(phone, address):
    phone.script("document.querySelector('[data-task=count]').click()")
    phone.wait("document.querySelector('#code')")
    scan(phone, MILK)
    scan(phone, f"4*{MILK}")
    scan(phone, TEA)
    phone.wait("document.querySelectorAll('.line').length === 2")
    assert " of " not in text(phone, "main")
    phone.script("document.querySelector('.deeds .go').click()")
    phone.wait("document.querySelector('.told')")
    wait_until(lambda: waiting(phone) == 0, 10, "queue empty")
    counted = {e["sku"]: e["quantity"] for e in state(address)["events"] if e["kind"] == "count"}
    assert counted == {"K1": 5, "K2": 1}


def test_the_phone_shows_the_demo_time_in_its_header(phone):
    assert text(phone, "header .clock").startswith("Demo time 03-16 10:2")


def test_wrong_digits_and_unknown_codes_are_said_in_words(phone):
    open_delivery(phone)
    scan(phone, "6901234567893")
    phone.wait("document.querySelector('.last.wrong')")
    assert "check digit" in text(phone, ".last")
    scan(phone, "no-such-code")
    phone.wait("document.querySelector('.last').innerText.includes('No SKU')")


def test_a_wedge_needs_no_focus(phone):
    open_delivery(phone)
    phone.script("document.activeElement.blur()")
    from selenium.webdriver import ActionChains

    ActionChains(phone.driver, duration=0).send_keys(MILK + "\n").perform()
    phone.wait("document.querySelector('[data-sku=K1] .number').textContent === '1 of 24'")


def test_every_control_is_large_enough_for_a_thumb(phone):
    open_delivery(phone)
    small = phone.script(
        "return [...document.querySelectorAll('button, input, a')]"
        ".filter((e) => e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 48)"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert small == []


def test_codes_are_read_as_the_standard_says(phone):
    vectors = {
        "6901234567892": ["gtin", "06901234567892", 1],
        "12*06901234567892": ["gtin", "06901234567892", 12],
        "6901234567893": ["bad", None, 1],
        "01069012345678921727123110LOT42": ["gtin", "06901234567892", 1],
        "10LOT42": ["text", None, 1],
        "012345678905": ["gtin", "00012345678905", 1],
        "T-0412": ["text", None, 1],
    }
    found = phone.driver.execute_async_script(
        "const [codes, done] = arguments;"
        "import('/m/app/codes.js').then(({ parse }) => done(codes.map((code) => {"
        " const p = parse(code); return [p.kind, p.gtin ?? null, p.times]; })));",
        list(vectors),
    )
    assert dict(zip(vectors, found, strict=True)) == vectors
    lot = phone.driver.execute_async_script(
        "const done = arguments[0]; import('/m/app/codes.js').then(({ parse }) =>"
        " done(parse('01069012345678921727123110LOT42')));"
    )
    assert (lot["expiry"], lot["lot"]) == ("2027-12-31", "LOT42")


def test_the_phone_asks_no_other_host_and_complains_of_nothing(phone, address):
    open_delivery(phone)
    assert set(phone.requested_hosts()) == {"127.0.0.1"}
    assert json.dumps(phone.complaints()) == "[]"
