"""Before the first job the driver leaves the user's folder; what was said there keeps its meaning."""

import os
from pathlib import Path

import pytest

from sweep.driver.before_first_job import _own_empty_folder
from trainables.base.cache import cache_folder


def test_paths_in_the_environment_start_from_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", "cache")
    monkeypatch.setenv("AWS_CONFIG_FILE", "../aws")
    monkeypatch.setenv("HF_HOME", "~/hub")
    monkeypatch.setenv("SSL_CERT_FILE", "")
    before = cache_folder()
    with _own_empty_folder():
        assert Path.cwd() != tmp_path
        assert cache_folder() == before == tmp_path / "cache"
        assert os.environ["AWS_CONFIG_FILE"] == str(tmp_path.parent / "aws")
        assert os.environ["HF_HOME"] == "/home/me/hub"
        assert os.environ["SSL_CERT_FILE"] == ""
    assert Path.cwd() == tmp_path
