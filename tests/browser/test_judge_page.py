"""The page of `judge.py --html` as a person sees it, on a telephone and on a laptop."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.browser import wait_for
from sweep.commands.main import run_command
from tests.browser.pages import WIDTHS, complaints, overflow, resize, smallest_text

pytestmark = pytest.mark.browser

SYSTEMS = ("noisy", "spectral", "a masking network with a long name", "mapping", *(f"variant {n}" for n in range(8)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve systems with three seeds each on 40 utterances of ten speakers."""
    folder, rng = tmp_path_factory.mktemp("judged"), np.random.default_rng(0)
    hard = rng.standard_normal(40)
    rows = [
        {"system": system, "seed": seed, "utterance": f"u{u:02d}", "speaker": f"s{u % 10}", "wb_pesq": value}
        for number, system in enumerate(SYSTEMS)
        for seed in (1, 2, 3)
        for u, value in enumerate(1.5 + 0.1 * number + 0.3 * hard + 0.1 * rng.standard_normal(40))
    ]
    pd.DataFrame(rows).to_csv(folder / "scores.csv", index=False)
    page = folder / "verdict.html"
    assert run_command("judge", [str(folder / "scores.csv"), "--baseline", "noisy", "--html", str(page)]) == 0
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_screen_and_its_figure_is_readable(browser: Any, page: Path, screenshots: Path, width: int) -> None:
    resize(browser, width)
    browser.get(f"file://{page}")
    image = "document.querySelector('figure img')"
    wait_for(browser, lambda _: browser.execute_script(f"return {image}.naturalWidth") > 0)
    drawn, natural, words = browser.execute_script(
        f"const i = {image}; return [i.getBoundingClientRect().width, i.naturalWidth, i.alt]"
    )
    browser.save_screenshot(str(screenshots / f"judge-{width}.png"))
    assert overflow(browser) <= 0
    assert smallest_text(drawn, natural) >= 9
    assert all(system in words for system in SYSTEMS)
    sizes = (
        "return Array.from(document.querySelectorAll('p, td, th, li'), e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(browser.execute_script(sizes)) >= 12
    assert complaints(browser) == []
