"""Home folders in typed paths: filled in, or refused in a line; never a traceback."""

from pathlib import Path

import pytest

from trainables.base.errors import UserError
from trainables.base.user_path import user_path


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
