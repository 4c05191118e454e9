"""Home folders in typed paths: filled in, or refused in a line; never a traceback."""

from pathlib import Path

import pytest

from trainables.base.errors import UserError
from trainables.base.user_path import real_user_path, user_path


def test_a_home_folder_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~") == Path("/home/me")
    assert user_path("~/corpora/mine") == Path("/home/me/corpora/mine")
    assert user_path("~root").is_absolute()
    assert user_path(Path("a/~b")) == Path("a/~b")
    assert user_path("./~0") == Path("~0")


@pytest.mark.parametrize("typed", ["~0", "~+", "~-", "~no-such-user/corpus", "~\udcff", "~ /x", "~" + "x" * 5000])
def test_a_home_folder_that_is_not_known_is_refused(typed: str) -> None:
    with pytest.raises(UserError, match="knows no home folder '~") as error:
        user_path(typed)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 800


def test_links_are_followed_and_circles_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "circle").symlink_to("circle")
    there = str((tmp_path / "there").resolve())
    assert real_user_path("link/x", tmp_path) == f"{there}/x"
    assert real_user_path(tmp_path / "link", "elsewhere") == there
    monkeypatch.setenv("HOME", str(tmp_path))
    assert real_user_path("~/link") == there
    assert real_user_path("circle", tmp_path).endswith("/circle")
