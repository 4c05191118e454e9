"""README, docs/ and their like: every link leads somewhere, and every file and name of the code they mention exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.test_architecture import FLOOR_OF

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<![\w./~-])((?:sweep|trainables|search_spaces|tests|benchmarks|cluster)/[\w./-]*\w)")
_NAMED_IN = re.compile(r"`((?:sweep|trainables|search_spaces)/[\w/]+\.py)` \(((?:`\w+`(?:, )?)+)\)")


def page_id(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def _prose(page: Path) -> str:
    """The page without fenced code."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def _links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Text, file and anchor of every relative link."""
    for text, target in _LINK.findall(_prose(page)):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield text, (page.parent / file).resolve() if file else page, anchor


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", _prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _defined_in(path: Path) -> set[str]:
    return set(re.findall(r"(?m)^(?:class |def |    def )?(\w+)", path.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    for _, file, anchor in _links(page):
        assert file.exists(), f"{page_id(page)} links {file}"
        assert not anchor or anchor in _anchors(file), f"{page_id(page)} links {file.name}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_path_of_the_code_exists(page: Path) -> None:
    missing = [path for path in _CODE.findall(_prose(page)) if not (REPOSITORY / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_name_of_the_code_is_in_the_file_it_is_linked_to(page: Path) -> None:
    named = [(file, re.findall(r"`(\w+)`", text)) for text, file, _ in _links(page) if file.suffix == ".py"]
    named += [(REPOSITORY / path, re.findall(r"`(\w+)`", names)) for path, names in _NAMED_IN.findall(_prose(page))]
    for file, names in named:
        assert not set(names) - _defined_in(file), f"{page_id(page)} names {names} in {file.name}"


def test_the_index_lists_every_page() -> None:
    linked = {file for _, file, _ in _links(REPOSITORY / "docs" / "README.md")}
    pages = {page for page in PAGES if page.is_relative_to(REPOSITORY / "docs")}
    assert pages - linked == {REPOSITORY / "docs" / "README.md"}


def test_the_architecture_page_has_the_floors_that_are_enforced() -> None:
    rows = re.findall(r"(?m)^\| (\d) \| `(\w+)/`", (REPOSITORY / "docs" / "architecture.md").read_text())
    assert {room: int(floor) for floor, room in rows} == FLOOR_OF
