"""One folder for everything that can be made again."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from trainables.base.cache import cache_folder, require_free_space
from trainables.base.errors import UserError


def test_argument_then_environment_then_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SPEECH_SWEEP_CACHE", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "speech-sweep"
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", "~/elsewhere")
    assert cache_folder() == tmp_path / "elsewhere"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"


def test_some_space_always_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=300 * 2**20))
    require_free_space(tmp_path, 40 * 2**20)
    with pytest.raises(UserError, match="50 MiB are needed and 300 MiB are free"):
        require_free_space(tmp_path, 50 * 2**20)
