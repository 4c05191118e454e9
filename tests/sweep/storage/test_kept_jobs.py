"""What is kept of a job for other sweeps: whole or absent, in folders and in S3, and never shorter than it was."""

from pathlib import Path

import pytest

from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.kept_jobs import KEPT_JOBS, KeptJobs, KeptReport, KeptReports
from sweep.storage.stage_store import kept_jobs
from trainables.base.storage.storage import Storage

ROUNDS = tuple(KeptReport(step, step / 3, {"score": step / 3, "failed_clips": 0.0}) for step in (2, 4, 6))
WHOLE = KeptReports("first", "tera/search/layer2/0003", ROUNDS)


def _kept(storage: Storage) -> KeptJobs:
    return KeptJobs(StoredArtifacts(storage, KEPT_JOBS))


def test_reports_and_files_come_back_to_the_bit(storage: Storage) -> None:
    kept = _kept(storage)
    files = {"model.pt": bytes(range(256)) * 100, "progress.json": b"{}"}
    assert kept.reports("key") is None
    assert kept.files("key", "weights") is None
    kept.keep_reports("key", WHOLE)
    kept.keep_files("key", "weights", files)
    assert kept.reports("key") == WHOLE
    assert kept.files("key", "weights") == files
    assert (WHOLE.step, WHOLE.source) == (6, "first/tera/search/layer2/0003")


def test_only_more_rounds_replace_what_is_kept(storage: Storage) -> None:
    kept = _kept(storage)
    for sweep, rounds, held in (("a", 2, "a"), ("b", 1, "a"), ("c", 2, "a"), ("d", 3, "d")):
        kept.keep_reports("key", KeptReports(sweep, WHOLE.job, ROUNDS[:rounds]))
        found = kept.reports("key")
        assert found is not None
        assert found.sweep == held


@pytest.mark.parametrize("cut", [0, 1, 40, 71, 72, 100, -1])
def test_a_cut_entry_counts_as_absent_and_is_written_anew(tmp_path: Path, cut: int) -> None:
    kept = _kept(Storage(tmp_path))
    kept.keep_reports("key", WHOLE)
    kept.keep_files("key", "weights", {"model.pt": b"m" * 100})
    for name in ("reports", "weights"):
        file = tmp_path / KEPT_JOBS / "key" / name
        file.write_bytes(file.read_bytes()[:cut])
    assert kept.reports("key") is None
    assert kept.files("key", "weights") is None
    kept.keep_reports("key", WHOLE)
    kept.keep_files("key", "weights", {"model.pt": b"m" * 100})
    assert kept.reports("key") == WHOLE
    assert kept.files("key", "weights") == {"model.pt": b"m" * 100}


def test_a_sweep_in_a_folder_keeps_its_jobs_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    kept_jobs(str(tmp_path / "sweeps" / "first")).keep_reports("key", WHOLE)
    assert kept_jobs(str(tmp_path / "elsewhere" / "second")).reports("key") == WHOLE
    assert (tmp_path / "cache" / KEPT_JOBS / "key" / "reports").exists()
