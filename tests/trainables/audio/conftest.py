"""Prepared miniature corpora, and the real recordings where they are."""

import os
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.support.audio.recordings import pairs, speech_and_noise
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.recipes import folder as folder_recipe


@pytest.fixture(scope="session")
def mixed_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("mixed")
    source = speech_and_noise(folder / "source", seconds=1.6)
    return write_corpus(folder_recipe.list_source(source), folder / "corpus", cache=folder / "cache")


@pytest.fixture(scope="session")
def paired_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("paired")
    source = pairs(folder / "source", seconds=1.6)
    return write_corpus(folder_recipe.list_source(source), folder / "corpus", cache=folder / "cache")


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    folder = Path(os.environ.get("SPEECH_SWEEP_CORPUS", REPOSITORY.parent / "shared" / "corpus"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"no real recordings at {folder}; name a folder with SPEECH_SWEEP_CORPUS")
    return folder
