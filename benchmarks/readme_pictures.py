"""The two pictures of README.md, from a finished sweep: its forest plot, and its listening page in a browser.

    python benchmarks/readme_pictures.py NAME [--output BASE] [--folder docs/images]

Everything is drawn again by today's code from the stored rows and clips. Needs Chromium and chromedriver.
"""

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.browser import start_browser  # noqa: E402
from sweep.report.publication import Publication  # noqa: E402
from sweep.storage.checkpoints import StoredCheckpoints  # noqa: E402
from sweep.stored.reading import open_study, read_result, read_rows, stored_sweep  # noqa: E402

LARGEST = 200_000  # bytes
WINDOW = (1120, 800)  # of the listening page, CSS pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", help="a finished sweep")
    parser.add_argument("--output", metavar="BASE", help="where it lies, as in run.py")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "docs/images", help="where the pictures go")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report"
        report.mkdir()
        _write_report(arguments.name, arguments.output, report)
        _save(Image.open(report / "forest.png"), arguments.folder / "forest.png")
        page = sorted(report.glob("listen-*.html"))[0]
        _save(_screenshot(page, Path(scratch) / "profile"), arguments.folder / "listening.png")


def _write_report(name: str, output: str | None, folder: Path) -> None:
    plan, storage = stored_sweep(name, output)
    with open_study(plan) as study:
        records = study.all_records(plan)
    rows = read_rows(plan, storage)
    Publication(plan, read_result(plan, storage), rows, records, StoredCheckpoints(storage)).write(folder)


def _screenshot(page: Path, profile: Path) -> Image.Image:
    """The page's first clip, with its third version chosen."""
    from selenium.webdriver.common.by import By

    chromium, program = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and program):
        raise SystemExit("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    browser: Any = start_browser(chromium, program, profile)
    try:
        size = {"width": WINDOW[0], "height": WINDOW[1], "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.get(f"file://{page}")
        browser.find_elements(By.CSS_SELECTOR, ".version")[2].click()
        return Image.open(io.BytesIO(browser.find_element(By.CSS_SELECTOR, ".clip").screenshot_as_png))
    finally:
        browser.quit()


def _save(picture: Image.Image, path: Path) -> None:
    """As a PNG with a palette, whose 256 colours are enough for both."""
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{path}: {size} bytes are more than {LARGEST}")
    print(f"{path}: {picture.width} x {picture.height} pixels, {size} bytes")


if __name__ == "__main__":
    main()
