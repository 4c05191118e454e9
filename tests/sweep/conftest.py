"""Databases a study may live in: whatever holds for one must hold for the other. And a sweep of trained models."""

from pathlib import Path

import pytest

from sweep.plan.plan import Plan
from sweep.stored.by_name import load_plan
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.sweeps.trained_sweep import trained_sweep


@pytest.fixture(params=["sqlite", "postgresql"])
def study_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    return str(request.getfixturevalue("postgresql")())


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds `sweeps/trained`, a finished sweep of really trained models, and the `cache` of its stages."""
    folder = tmp_path_factory.mktemp("trained")
    corpus = make_tiny_corpus(folder / "material")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEECH_SWEEP_CACHE", str(folder / "cache"))
        trained_sweep(folder / "sweeps", corpus)
    return folder


@pytest.fixture
def trained(trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Its plan, with its cache and its place as the environment has them."""
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(trained_folder / "cache"))
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", str(trained_folder / "sweeps"))
    return load_plan("trained", str(trained_folder / "sweeps"))
