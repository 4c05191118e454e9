"""What the footers say of a test set that other sweeps had opened, and of jobs that they had trained."""

from typing import Any

import pytest

from sweep.report.cells import _earlier_reads, _material


def reads(sweeps: int, *added: str) -> Any:
    return {"sweeps": sweeps, "first": "2026-01-01T00:00:00+00:00", "added": list(added)}


def test_a_test_set_that_no_other_sweep_had_opened_needs_no_remark() -> None:
    assert _earlier_reads({"tera": reads(0)}) == []
    assert _earlier_reads({}) == []


def test_groups_of_one_history_share_a_line_that_names_what_was_added() -> None:
    lines = _earlier_reads({"tera": reads(2, "layer3"), "hubert": reads(1), "wav2vec2": reads(2, "layer3")})
    assert len(lines) == 2
    (added,) = [line for line in lines if "layer3" in line]
    assert "tera, wav2vec2" in added
    assert "2 earlier sweeps" in added
    (same,) = [line for line in lines if line is not added]
    assert "hubert" in same
    assert "1 earlier sweep " in same


@pytest.mark.parametrize(("reused", "named"), [(None, False), (0, False), (7, True)])
def test_the_number_of_jobs_that_others_had_trained_is_named(reused: int | None, named: bool) -> None:
    result: Any = {"space": "norm_layers", "trials": {"complete": 9, "pruned": 1, "failed": 0}}
    if reused is not None:
        result["reused"] = reused
    assert ("7 trained by earlier sweeps" in _material(result)) == named
