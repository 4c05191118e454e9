"""Paths as they are typed, and as they are shown."""

import os
from pathlib import Path

import pytest

from trainables.base.errors import UserError
from trainables.base.paths import absolute, is_text, shown


@pytest.mark.parametrize(
    ("typed", "found"),
    [("a/b", "a/b"), ("./a", "a"), ("../x/a", "a"), ("~/a", "home/a"), ("a b#1?%20+ä", "a b#1?%20+ä"), ("./~a", "~a")],
)
def test_a_path_starts_from_the_folder_it_was_typed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, found: str
) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "x" / "home"))
    assert absolute(typed, tmp_path / "x") == tmp_path / "x" / found


@pytest.mark.parametrize("typed", ["~nobody-at-all/x", "a\0b", "a\nb", "\udcff", "circle/x", "a\x1bb"])
def test_what_cannot_be_a_path_of_ours_is_a_line(tmp_path: Path, typed: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UserError) as refused:
        absolute(typed, tmp_path)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a b", "a b"),
        ("ä日", "ä日"),
        ("a\nb\tc", "a\\nb\\tc"),
        (os.fsdecode(b"a\xff\xfe"), "a\\xff\\xfe"),
        ("\ud800", "\\ud800"),
        ("a\u202eb", "a\\u202eb"),
    ],
)
def test_a_name_is_shown_in_one_printable_line(name: str, line: str) -> None:
    assert shown(name) == line
    assert shown(line) == line
    line.encode()


def test_a_long_name_is_cut() -> None:
    assert len(shown("x" * 5000)) < 1100


@pytest.mark.parametrize(
    ("name", "holds"), [("a b#ä日\u00a0", True), ("a\nb", False), ("\udcff", False), ("\x7f", False)]
)
def test_what_tables_and_pages_can_hold(name: str, holds: bool) -> None:
    assert is_text(name) is holds
