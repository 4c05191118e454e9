"""Looking at a page as a person does: its complaints and its players."""

from typing import Any

from benchmarks.browser import wait_for
from sweep.report.figures.forest import SMALLEST_TEXT

WIDTHS = (390, 1280)  # CSS pixels: a telephone and a laptop

# MLflow asks for the signed-in user where there is no sign-in, and warns of its own table library.
_MLFLOWS_OWN = ("users/current", "AG Grid", "favicon")

_PRESSED = "document.querySelector('.clip .version[aria-pressed=true]')"


def complaints(browser: Any) -> list[str]:
    """The console's errors since it was last asked, MLflow's own aside."""
    lines = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [line for line in lines if not any(own in line for own in _MLFLOWS_OWN)]


def resize(browser: Any, width: int) -> None:
    """The size of the page itself; a window cannot be as narrow as a telephone."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def overflow(browser: Any) -> float:
    """CSS pixels by which the page is wider than the screen."""
    root = "document.documentElement"
    return float(browser.execute_script(f"return {root}.scrollWidth - {root}.clientWidth"))


def smallest_text(drawn: float, natural: float) -> float:
    """CSS pixels of a forest plot's smallest text, `drawn` wide where its own width is `natural`."""
    return SMALLEST_TEXT * 96 / 72 * drawn / natural


class Player:
    """The first clip of a listening page that the browser shows."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        wait_for(browser, lambda _: self._ask("readyState") >= 2)  # there is audio at the position

    @property
    def duration(self) -> float:
        return float(self._ask("duration"))

    @property
    def position(self) -> float:
        return float(self._ask("currentTime"))

    @property
    def playing(self) -> bool:
        return not self._ask("paused")

    @property
    def version(self) -> str:
        """What is heard, as its spectrogram is described."""
        return str(self._browser.execute_script(f"return {_PRESSED}.querySelector('img').alt"))

    def press_play(self) -> None:
        from selenium.webdriver.common.by import By

        self._browser.find_element(By.CSS_SELECTOR, ".transport button").click()

    def press(self, keys: str) -> None:
        from selenium.webdriver.common.by import By

        self._browser.find_element(By.TAG_NAME, "body").send_keys(keys)

    def _ask(self, what: str) -> Any:
        heard = f"document.getElementById({_PRESSED}.dataset.audio)"
        return self._browser.execute_script(f"return {heard}.{what}")
