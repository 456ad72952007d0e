"""A real headless Chromium.

It fails a test on a console error, a request to another host, or an accessibility violation.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

SECONDS = 20
# The package of this version of axe-core that is kept up; Playwright itself is not used.
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# A rule that fails is no rule that finds nothing: axe-core tells it among what it cannot decide.
RUN_AXE = """
    const [rules, done] = arguments;
    const options = {
        resultTypes: ["violations", "incomplete"],
        preload: false,  // for rules of films, which our pages have none of
        ...(rules && {runOnly: {type: "rule", values: rules}}),
    };
    axe.run(options).then(found => done([
        ...found.violations.map(v => `${v.id} (${v.impact}): ${v.help}: ${
            v.nodes.map(n => `${n.html} ${n.any.map(one => one.message)}`).join(" ").slice(0, 600)
        }`),
        ...found.incomplete.filter(v => v.error).map(v => `${v.id} failed: ${v.message}`),
    ]), error => done([String(error)]));
"""
RULES_OF_COLORS = ["color-contrast", "link-in-text-block"]
COUNT_BARS = """
    return [...document.querySelectorAll("canvas")].flatMap((canvas) => {
        const chart = Chart.getChart(canvas);
        return chart ? chart.getSortedVisibleDatasetMetas().flatMap((one) => one.data) : [];
    }).filter((bar) => bar.height > 0).length;
"""
DESKTOP, PHONE = (1280, 900), (390, 844)


def chromium() -> tuple[str, str]:
    """Paths of the browser and its driver; skips the test without them, fails it in CI."""
    paths = shutil.which("chromium"), shutil.which("chromedriver")
    if all(paths):
        return paths
    missing = "Chromium and chromedriver are not installed (Debian: chromium chromium-driver)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


class Browser:
    """The pages of one live server, as a person in front of a screen has them."""

    def __init__(self, site: str, folder: Path) -> None:
        binary, driver = chromium()
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for argument in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
        ):
            options.add_argument(argument)
        options.add_experimental_option(
            "prefs", {"download.default_directory": str(folder), "intl.accept_languages": "en"}
        )
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.site, self.folder = site, folder
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(driver))
        self.driver.set_window_size(*DESKTOP)
        self.barriers: list[str] = []

    def open(self, path: str) -> None:
        self.driver.get(self.site + path)

    def login(self, email: str, password: str) -> None:
        self.open("/admin/")
        self.type("username", email)
        self.type("password", password)
        self.find("#login-form [type=submit]").click()
        self.wait_for("In progress")

    def find(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def set_value(self, name: str, value: str) -> None:
        """Give a field a value that is not typed letter by letter, such as a time."""
        self.driver.execute_script(
            "arguments[0].value = arguments[1]", self.find(f"[name={name!r}]"), value
        )

    def type(self, name: str, text: str) -> None:
        """Fill the field of this name."""
        field = self.find(f"[name={name!r}]")
        if field.get_attribute("type") != "file":
            field.clear()
        field.send_keys(text)

    def choose(self, name: str, value: str) -> None:
        """Choose an option, by its value, of the select of this name."""
        Select(self.find(f"select[name={name!r}]")).select_by_value(value)

    def choose_found(self, name: str, row: str) -> None:
        """Choose a row, found by typing, in a field that may take several."""
        self.press(f".field-{name} .select2-selection")
        search = self.find(".select2-container--open .select2-search__field")
        search.send_keys(row[:20])
        self.wait_until(lambda: self.find(".select2-results__option--highlighted"))
        search.send_keys(Keys.ENTER)

    def click(self, label: str) -> None:
        """Click the button or link with this text."""
        path = (
            f"//button[normalize-space()={label!r}] | //a[normalize-space()={label!r}]"
            f" | //input[@type='submit' and @value={label!r}]"
        )
        self.click_element(lambda: self.driver.find_element(By.XPATH, path))

    def press(self, selector: str) -> None:
        """Click what the selector finds first."""
        self.click_element(lambda: self.find(selector))

    def click_element(self, find: Callable[[], Any]) -> None:
        """Click it in the middle of the screen, where no bar of the page's covers it.

        A page that updates itself may replace what was found; then it is looked for again.
        """

        def is_clicked() -> bool:
            element = find()
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True

        WebDriverWait(
            self.driver, SECONDS, ignored_exceptions=[StaleElementReferenceException]
        ).until(lambda _: is_clicked())

    @property
    def text(self) -> str:
        return self.find("body").text

    def wait_for(self, text: str) -> None:
        """Wait until the page shows the text."""
        WebDriverWait(self.driver, SECONDS, ignored_exceptions=[Exception]).until(
            lambda _: text.lower() in self.text.lower(), f"{text!r} is not on the page"
        )
        self.look_for_barriers()

    def look_for_barriers(self, *, has_axe: bool = False, colors_only: bool = False) -> None:
        """Note what axe-core finds wrong with the page as it is now.

        Args:
            has_axe: whether an earlier call has put axe-core into this very page.
            colors_only: apply its rules of colours alone, after a call in the other colours.
        """
        if not has_axe:
            self.driver.execute_script(AXE)
        rules = RULES_OF_COLORS if colors_only else None
        where = urlsplit(self.driver.current_url).path
        self.barriers += [
            f"{where}: {found}" for found in self.driver.execute_async_script(RUN_AXE, rules)
        ]

    def switch_to_dark(self) -> None:
        """Show this page in the dark colours, as the theme's switch does."""
        self.driver.execute_script("document.documentElement.classList.add('dark')")

    def switch_to_light(self) -> None:
        """Show this page in the light colours, as the theme's switch does."""
        self.driver.execute_script("document.documentElement.classList.remove('dark')")

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until something on the page is so."""
        WebDriverWait(self.driver, SECONDS, ignored_exceptions=[Exception]).until(
            lambda _: condition(), "it did not become so"
        )

    def drawn_bars(self) -> int:
        """How many bars with a height the charts of the page have."""
        return self.driver.execute_script(COUNT_BARS)

    def in_dark(self) -> None:
        """The pages in their dark colours, as the system asks for them."""
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def is_wider_than_screen(self) -> bool:
        """Whether the page scrolls sideways."""
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth > window.innerWidth"
        )

    def in_size(self, size: tuple[int, int]) -> None:
        """Show the page as on a screen of this size, without a new window."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def screenshot(self, path: Path, size: tuple[int, int] = DESKTOP) -> None:
        self.driver.set_window_size(*size)
        self.driver.save_screenshot(str(path))

    def problems(self) -> list[str]:
        """Console errors, requests to other hosts and barriers, since the last call."""
        found, self.barriers = self.barriers, []
        found += [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]
        own = urlsplit(self.site).netloc
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if url.startswith("http") and urlsplit(url).netloc != own:
                    found.append(f"request to another host: {url}")
        return found

    def close(self) -> None:
        self.driver.quit()
