"""A headless Chromium that opens web pages: for the browser tests and for timing MLflow's page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 120  # seconds for a page on a busy machine

_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --window-size=1600,1000"
)


def start_browser(chromium: str, driver_program: str, profile: Path) -> Any:
    """Headless, with a log of its console; `quit()` ends it."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS.split(), f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver_program))


def column(browser: Any, key: str) -> list[str]:
    """The cells of a column of MLflow's run table, from top to bottom."""
    from selenium.webdriver.common.by import By

    cells = browser.find_elements(By.CSS_SELECTOR, f'.ag-row [col-id="{key}"]')
    rows = [(cell.location["y"], cell.text) for cell in cells]
    return [text for _, text in sorted(rows)]


def sort_by(browser: Any, key: str, title: str) -> None:
    """Click on the column's title."""
    from selenium.webdriver.common.by import By

    cell = f'.//div[@col-id="{key}" and contains(@class, "ag-header-cell")]//*[text()="{title}"]'
    browser.find_element(By.XPATH, cell).click()


def text_of(browser: Any) -> str:
    from selenium.webdriver.common.by import By

    return str(browser.find_element(By.TAG_NAME, "body").text)


def wait_for(browser: Any, condition: Callable[[str], Any]) -> str:
    """The page's text once it fulfils the condition."""
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(browser, PATIENCE, ignored_exceptions=[WebDriverException])
    wait.until(lambda _: condition(text_of(browser)), "the page never showed what it should")
    return text_of(browser)
