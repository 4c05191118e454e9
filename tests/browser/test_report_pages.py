"""The report as files on a disk, in a real browser: nothing from elsewhere, nothing broken, sound that plays."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import text_of, wait_for
from tests.browser.pages import WIDTHS, Player, complaints, overflow, resize, smallest_text
from tests.support.sweeps.kept_clips import SECONDS

pytestmark = pytest.mark.browser


def test_the_index_shows_the_answer_and_every_figure(browser: Any, report: Path, screenshots: Path) -> None:
    browser.get(f"file://{report / 'index.html'}")
    images = "return Array.from(document.images, i => { i.loading = 'eager'; return i.complete && i.naturalWidth })"
    wait_for(browser, lambda _: all(browser.execute_script(images)))
    browser.save_screenshot(str(screenshots / "report.png"))
    text = text_of(browser)
    assert "Which layer should be normalized" in text
    assert "winner" in text
    assert complaints(browser) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_forest_plot_is_readable_at_any_width(browser: Any, report: Path, screenshots: Path, width: int) -> None:
    resize(browser, width)
    browser.get(f"file://{report / 'index.html'}")
    image = "document.querySelector('figure img')"
    browser.execute_script(f"{image}.loading = 'eager'")
    wait_for(browser, lambda _: browser.execute_script(f"return {image}.naturalWidth") > 0)
    source, drawn, natural, height = browser.execute_script(
        f"const i = {image}; "
        "return [i.currentSrc, i.getBoundingClientRect().width, i.naturalWidth, i.getBoundingClientRect().height]"
    )
    assert source.endswith("forest-narrow.svg" if width < 960 else "forest.svg")
    assert smallest_text(drawn, natural) >= 9
    assert overflow(browser) <= 0
    browser.execute_script("document.querySelector('figure').scrollIntoView()")
    browser.save_screenshot(str(screenshots / f"forest-{width}.png"))
    assert height > 200
    assert complaints(browser) == []


def test_a_link_of_the_index_leads_to_the_listening_page(browser: Any, report: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(f"file://{report / 'index.html'}")
    browser.find_element(By.LINK_TEXT, "Listen to wav2vec2").click()
    wait_for(browser, lambda text: "Listen: wav2vec2" in text)


def test_every_sound_of_a_listening_page_decodes(browser: Any, report: Path, screenshots: Path) -> None:
    browser.get(f"file://{report / 'listen-tera.html'}")
    Player(browser)
    states = "return Array.from(document.querySelectorAll('audio'), a => [a.readyState, a.duration, a.error])"
    wait_for(browser, lambda _: all(state >= 2 for state, *_ in browser.execute_script(states)))
    found = browser.execute_script(states)
    assert len(found) == 4 * 6  # clips, versions
    assert all(error is None and abs(duration - SECONDS) < 0.05 for _, duration, error in found)
    browser.save_screenshot(str(screenshots / "listen.png"))
    assert complaints(browser) == []


def test_keys_play_and_switch_in_place(browser: Any, report: Path) -> None:
    browser.get(f"file://{report / 'listen-tera.html'}")
    player = Player(browser)
    assert player.version == "spectrogram, noisy"
    player.press(" ")
    wait_for(browser, lambda _: player.playing and player.position > 0.1)
    player.press("4")
    assert player.version == "spectrogram, layer2"
    assert player.position > 0.1
    player.press(" ")
    wait_for(browser, lambda _: not player.playing)
    before = player.position
    player.press("2")
    assert player.version == "spectrogram, clean"
    assert player.position == pytest.approx(before, abs=0.02)
    assert not player.playing
    assert complaints(browser) == []


def test_a_click_on_a_version_chooses_it_and_leaves_the_clock_alone(browser: Any, report: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(f"file://{report / 'listen-tera.html'}")
    player = Player(browser)
    browser.execute_script("document.getElementById('clip0-0').currentTime = 0.7")
    browser.find_elements(By.CSS_SELECTOR, ".version")[2].click()
    assert player.version == "spectrogram, none"
    assert player.position == pytest.approx(0.7, abs=0.02)
