"""Peers: which are missing, what the extras ask for, and when an environment is used again."""

import sys
from pathlib import Path

import pytest

from benchmarks.catalogue import BENCH
from benchmarks.harness import peers


def test_every_part_with_peers_names_an_extra_that_has_them() -> None:
    for part in BENCH:
        assert bool(part.extra) == bool(part.modules)
        if part.extra:
            named = " ".join(peers.requirements(part.extra))
            assert [module for module in part.modules if module not in named] == []
            assert peers.how_to_install(part.extra).startswith("pip install")


def test_what_is_there_needs_no_environment(tmp_path: Path) -> None:
    assert peers.missing(["numpy", "no_such_library"]) == ["no_such_library"]
    assert peers.python_with("bench", ["numpy"], tmp_path) == Path(sys.executable)
    assert peers.python_with("", [], tmp_path) == Path(sys.executable)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_installed_this_python_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "requirements", lambda extra: [str(tmp_path / "no-such.whl")])
    assert peers.python_with("bench", ["no_such_library"], tmp_path) == Path(sys.executable)
    assert not (tmp_path / "bench" / "installed").exists()


def test_an_environment_sees_ours_and_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "peer"
    package.mkdir()
    (package / "pyproject.toml").write_text(_PROJECT)
    (package / "some_peer.py").write_text("VALUE = 7\n")
    monkeypatch.setattr(peers, "requirements", lambda extra: ["--no-build-isolation", "--no-index", str(package)])
    python = peers.python_with("bench", ["some_peer"], tmp_path / "base")
    assert python != Path(sys.executable)
    code = "import some_peer, numpy, torch; print(some_peer.VALUE, numpy.__file__)"
    printed = peers._printed(python, code)
    import numpy

    assert printed == f"7 {numpy.__file__}"
    note = (tmp_path / "base" / "bench" / "installed").stat().st_mtime_ns
    assert peers.python_with("bench", ["some_peer"], tmp_path / "base") == python
    assert (tmp_path / "base" / "bench" / "installed").stat().st_mtime_ns == note


_PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "some-peer"
version = "1.0"

[tool.setuptools]
py-modules = ["some_peer"]
"""
