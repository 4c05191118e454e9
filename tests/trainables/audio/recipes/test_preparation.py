"""What `--corpus SOURCE` accepts, and what a dry run can say about it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.audio.recordings import speech_and_noise, write_sound
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.recipes.preparation import inspect_source, open_or_prepare
from trainables.base.errors import UserError
from trainables.base.storage.folder import Folder


def test_a_prepared_corpus_is_opened_where_it_is(mixed_corpus: Corpus, tmp_path: Path) -> None:
    corpus = open_or_prepare(mixed_corpus.uri, cache=tmp_path)
    assert corpus.uri == mixed_corpus.uri
    assert not list(tmp_path.iterdir())


def test_a_raw_folder_is_prepared_once(tmp_path: Path) -> None:
    source, cache = speech_and_noise(tmp_path / "source"), tmp_path / "cache"
    seen: list[int] = []
    first = open_or_prepare(source, cache, progress=lambda done, total: seen.append(total))
    assert seen == [11] * 11
    again = open_or_prepare(source, cache, progress=lambda done, total: pytest.fail("prepared twice"))
    assert (again.uri, again.fingerprint) == (first.uri, first.fingerprint)


def test_a_changed_folder_is_prepared_anew(tmp_path: Path) -> None:
    source, cache = speech_and_noise(tmp_path / "source"), tmp_path / "cache"
    before = open_or_prepare(source, cache)
    write_sound(source / "speech/ann/new.wav")
    after = open_or_prepare(source, cache)
    assert after.fingerprint != before.fingerprint
    assert after.summary()["utterances"] == before.summary()["utterances"] + 1


def test_what_a_dry_run_says_is_what_preparing_gives(tmp_path: Path) -> None:
    source, cache = speech_and_noise(tmp_path / "source"), tmp_path / "cache"
    expected = inspect_source(source, cache)
    corpus = open_or_prepare(source, cache)
    known_later = {"fingerprint", "uri", "prepared"}
    assert {**corpus.summary()} == {key: value for key, value in expected.items() if key not in known_later} | {
        "fingerprint": corpus.fingerprint
    }
    assert (expected["fingerprint"], expected["prepared"], expected["uri"]) == (None, False, corpus.uri)
    assert inspect_source(source, cache) == {**corpus.summary(), "prepared": True, "uri": corpus.uri}


def test_inspection_decodes_nothing_and_writes_nothing(tmp_path: Path) -> None:
    """A FLAC cut in the middle has a whole header: the dry run passes, preparing finds it."""
    source, cache = speech_and_noise(tmp_path / "source"), tmp_path / "cache"
    damaged = source / "speech/ann/ann-1.flac"
    damaged.write_bytes(damaged.read_bytes()[:8000])
    assert inspect_source(source, cache)["utterances"] == 8
    assert not cache.exists()
    with pytest.raises(UserError, match=r"ann-1\.flac: truncated"):
        open_or_prepare(source, cache)


def test_a_damaged_source_leaves_no_corpus_behind(tmp_path: Path) -> None:
    source, cache = speech_and_noise(tmp_path / "source"), tmp_path / "cache"
    write_sound(source / "speech/ann/mute.wav", level=0.0)
    with pytest.raises(UserError, match=r"mute\.wav: silent"):
        open_or_prepare(source, cache)
    assert not list(cache.rglob("corpus.json"))


def test_a_prepared_corpus_in_s3_is_inspected_and_opened(s3_bucket: str, tmp_path: Path) -> None:
    from trainables.audio.corpus.corpus_writer import write_corpus
    from trainables.audio.recipes import folder as folder_recipe

    source = speech_and_noise(tmp_path / "source")
    written = write_corpus(folder_recipe.list_source(source), f"{s3_bucket}/mine")
    assert inspect_source(f"{s3_bucket}/mine")["fingerprint"] == written.fingerprint
    assert open_or_prepare(f"{s3_bucket}/mine").fingerprint == written.fingerprint


@pytest.mark.parametrize(("source", "problem"), [("nowhere", "no corpus at"), (".", "neither corpus.json nor")])
@pytest.mark.parametrize("use", [open_or_prepare, inspect_source])
def test_nothing_usable_there(tmp_path: Path, source: str, problem: str, use: Callable[[Path], Any]) -> None:
    with pytest.raises(UserError, match=problem):
        use(tmp_path / source)


def test_an_address_of_another_kind() -> None:
    with pytest.raises(UserError, match="give a local folder or s3://"):
        open_or_prepare("https://example.org/corpus")


def test_a_folder_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may enter every folder, so the refusal is made."""

    def refuse(folder: Folder, path: str) -> int:
        raise PermissionError(13, "Permission denied", str(tmp_path / path))

    monkeypatch.setattr(Folder, "size", refuse)
    with pytest.raises(UserError, match=f"cannot look into {tmp_path}/corpus.json: Permission denied"):
        inspect_source(tmp_path)


@pytest.mark.parametrize("address", ["s3://", "s3:///", "s3:/bucket/mine"])
def test_an_address_in_s3_without_a_bucket_is_no_folder(address: str) -> None:
    with pytest.raises(UserError, match="names no bucket"):
        inspect_source(address)


def test_inspecting_imports_no_torch(tmp_path: Path) -> None:
    source = speech_and_noise(tmp_path / "source")
    script = (
        "import json, sys; from trainables.audio.recipes.preparation import inspect_source; "
        "summary = inspect_source(sys.argv[1], sys.argv[2]); "
        "heavy = [name for name in ('torch', 'ray', 'scipy', 'mlflow') if name in sys.modules]; "
        "print(json.dumps([summary['speakers'], heavy]))"
    )
    command: list[str | Path] = [sys.executable, "-c", script, source, tmp_path / "cache"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(output) == [4, []]


def test_the_real_recordings_are_read_as_their_manifest_says(real_recordings: Path, tmp_path: Path) -> None:
    splits = inspect_source(real_recordings, tmp_path)["splits"]
    assert [splits[name]["speakers"] for name in ("train", "valid", "test")] == [182, 22, 21]
    assert [splits[name]["noise_types"] for name in ("train", "valid", "test")] == [15, 3, 4]
    assert splits["train"]["speech_seconds"] == pytest.approx(0.742 * 3600, abs=2)
