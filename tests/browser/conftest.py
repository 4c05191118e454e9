"""Headless Chromium for the browser tests, which skip by name where it is missing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import start_browser
from tests.support.sweeps.published_report import published_report


@pytest.fixture(scope="session")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium here: the MLflow pages were not looked at (apt-get install chromium)")


@pytest.fixture(scope="session")
def driver_program() -> str:
    path = shutil.which("chromedriver")
    return path or pytest.skip("no chromedriver here (apt-get install chromium-driver)")


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder outside git: SPEECH_SWEEP_SCREENSHOTS, or a temporary one."""
    named = os.environ.get("SPEECH_SWEEP_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    print(f"\nscreenshots in {folder}")


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, _ = published_report(tmp_path_factory.mktemp("sweeps"))
    return folder


@pytest.fixture
def browser(chromium: str, driver_program: str, tmp_path: Path) -> Iterator[Any]:
    browser = start_browser(chromium, driver_program, tmp_path / "profile")
    yield browser
    browser.quit()
