"""A headless Chromium that records every host it asks for."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
DESKTOP, PHONE = (1440, 900), (390, 844)


class Browser:
    """One Chromium with a fresh profile."""

    def __init__(self) -> None:
        binary = shutil.which("chromium") or shutil.which("chromium-browser")
        binary = binary or shutil.which("google-chrome")
        driver = shutil.which("chromedriver")
        if binary is None or driver is None:
            pytest.skip("no Chromium with its driver on this machine")
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
        self._profile = tempfile.mkdtemp(prefix="storetwin-browser-")
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for flag in (*FLAGS, f"--user-data-dir={self._profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        service = webdriver.ChromeService(executable_path=driver)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(20)
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.hosts: dict[str, int] = {}
        self.bytes = 0

    def close(self) -> None:
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    def forget(self, origin: str) -> None:
        """Drop everything the profile keeps of `origin`, and what was recorded."""
        self.offline(False)
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd(
            "Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"}
        )
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.hosts, self.bytes = {}, 0
        self.size(*DESKTOP)

    def size(self, width: int, height: int) -> None:
        """The viewport itself, phones included."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def offline(self, value: bool) -> None:
        self.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": value, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )

    def script(self, code: str, *values: object) -> object:
        return self.driver.execute_script(code, *values)

    def wait(self, ready: str, seconds: float = 20.0) -> float:
        """Seconds until the JavaScript expression `ready` is true."""
        return wait_until(lambda: bool(self.script(f"return !!({ready})")), seconds, ready)

    def requested_hosts(self) -> dict[str, int]:
        """Hosts asked for so far, other than pages' own data: and blob: addresses."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.loadingFinished":
                self.bytes += int(message["params"].get("encodedDataLength", 0))
            if message["method"] == "Network.requestWillBeSent":
                address = urlsplit(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                address = urlsplit(message["params"]["url"])
            else:
                continue
            if address.scheme in {"http", "https", "ws", "wss"}:
                self.hosts[address.hostname or ""] = self.hosts.get(address.hostname or "", 0) + 1
        return self.hosts

    def complaints(self) -> list[str]:
        """Severe messages of the browser's console."""
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]

    def shot(self, path: Path, *, full: bool = False) -> None:
        """A PNG of the viewport, or of the whole page."""
        import base64

        path.parent.mkdir(parents=True, exist_ok=True)
        arguments: dict[str, object] = {"format": "png"}
        if full:
            size = self.script(
                "return [document.documentElement.scrollWidth, Math.max("
                "document.documentElement.scrollHeight, document.body.scrollHeight)]"
            )
            assert isinstance(size, list)
            arguments["captureBeyondViewport"] = True
            arguments["clip"] = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        answer = self.driver.execute_cdp_cmd("Page.captureScreenshot", arguments)
        path.write_bytes(base64.b64decode(answer["data"]))


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> float:
    """Poll until `ready`, at most `seconds`; the time it took."""
    start = time.perf_counter()
    while not ready():
        if time.perf_counter() - start > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return time.perf_counter() - start
