"""The page at /docs as a person sees it: a real headless Chromium that reaches no host but this one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from tests.browser import programs
from tests.runtime.server_process import PATIENCE_SECONDS

Browser = Chrome
_PAUSE_SECONDS = 0.02
# A page that draws itself has no such element yet, hides it still, or has just put another in its place.
_NOT_YET_THERE = (
    NoSuchElementException,
    StaleElementReferenceException,
    ElementNotInteractableException,
)


def start_browser(profile: Path) -> Browser:
    """Start Chromium with a profile of its own.

    Raises:
        GpuInferenceError: it is not installed; the text says what installs it.
    """
    browser, driver = programs()
    options = ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        f"--user-data-dir={profile}",
        "--window-size=1280,1500",
        # /dev/shm is small in containers.
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-proxy-server",
        # There is no network but the server under test.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = Chrome(options, Service(driver))
    started.set_page_load_timeout(PATIENCE_SECONDS)
    return started


class Page:
    """One visit of the page."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        # What is left of the visit before.
        for kind in ("browser", "performance"):
            self._log(kind)
        self._origin = url[: url.index("/", len("http://"))]
        browser.get(url)

    def find(self, selector: str) -> WebElement:
        """Return what is there now; selenium's NoSuchElementException where nothing is."""
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        """Click it as soon as it is there and can be clicked."""

        def clicked() -> bool:
            self.find(selector).click()
            return True

        self.wait_for(clicked, f"a click on {selector}")

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        wait = WebDriverWait(self.browser, PATIENCE_SECONDS, _PAUSE_SECONDS, _NOT_YET_THERE)
        try:
            wait.until(lambda _: condition())
        except TimeoutException:
            pytest.fail(f"Never: {what}\nThe page says:\n{self.find('body').text}")

    def wait_for_text(self, selector: str, text: str) -> None:
        self.wait_for(lambda: text in self.find(selector).text, f"{text!r} in {selector}")

    def use_key(self, key: str) -> None:
        field = self.find("#key")
        field.clear()
        field.send_keys(key)
        self.find("#key-form button").click()

    def send(self) -> None:
        self.find("#send").click()

    def set_body(self, body: str) -> None:
        field = self.find("#body")
        field.clear()
        field.send_keys(body)

    def keep_picture(self, path: Path) -> None:
        """Write a picture of the whole page."""
        path.parent.mkdir(exist_ok=True)
        height = self.browser.execute_script("return document.documentElement.scrollHeight")
        size = self.browser.get_window_size()
        self.browser.set_window_size(size["width"], height + 150)
        path.write_bytes(self.browser.get_screenshot_as_png())
        self.browser.set_window_size(size["width"], size["height"])

    def _log(self, kind: str) -> list[dict[str, str]]:
        """Return what the driver has written down since the last call."""
        entries: list[dict[str, str]] = self.browser.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def asked_urls(self) -> list[str]:
        """Return what the browser asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def check_that_it_stayed_at_home(self) -> None:
        """Fail where the page asked another host, broke its own policy, or had an error in its script."""
        strange = [url for url in self.asked_urls() if not url.startswith((self._origin + "/", "data:"))]
        assert strange == []
        # A refused request is logged too; what the page makes of it is each test's own matter.
        errors = [entry["message"] for entry in self._log("browser") if entry["source"] != "network"]
        assert errors == []
