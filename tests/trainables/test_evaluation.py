"""Slow metrics on the first clips alone: the same numbers there, and a status, never a number, elsewhere."""

import numpy as np
import pytest

from tests.support.methods.assignments import DATA
from trainables.audio.corpus.corpus import Corpus
from trainables.evaluation import evaluation_clips, score_clips
from trainables.metrics.catalogue import EVERYDAY, METRICS
from trainables.metrics.scorer import NOT_COMPUTED, mean_of_ok


@pytest.mark.parametrize("metrics", [None, ("wb_pesq", "si_sdr", "csig")])
def test_slow_metrics_are_computed_on_the_first_clips(corpus: Corpus, metrics: tuple[str, ...] | None) -> None:
    clips = evaluation_clips(corpus, DATA, "test")
    estimates = [clip.noisy for clip in clips]
    assert len(clips) > 1
    whole = {(r["utterance"], r["metric"]): r for r in score_clips(clips, estimates, metrics, DATA)}
    part = {(r["utterance"], r["metric"]): r for r in score_clips(clips, estimates, metrics, DATA, slow_clips=1)}
    assert part.keys() == whole.keys()
    for (utterance, metric), row in part.items():
        if METRICS[metric].slow and utterance != clips[0].utterance:
            assert (row["value"], row["status"], row["gain"]) == (None, NOT_COMPUTED, None)
        else:
            assert row == whole[utterance, metric]


def test_what_was_spared_is_no_failure(corpus: Corpus) -> None:
    clips = evaluation_clips(corpus, DATA, "test")
    rows = score_clips(clips, [clip.noisy for clip in clips], ["stoi"], DATA, slow_clips=1)
    mean, ok, failed = mean_of_ok(rows, "stoi")
    assert (ok, failed) == (1, 0)
    assert mean == next(row["value"] for row in rows if row["status"] == "ok")


def test_more_than_there_are_is_all(corpus: Corpus) -> None:
    clips = evaluation_clips(corpus, DATA, "test")
    silent = [np.zeros_like(clip.clean) for clip in clips]
    assert score_clips(clips, silent, None, DATA, slow_clips=99) == score_clips(clips, silent, None, DATA)


def test_what_decides_in_the_demo_is_never_slow_by_itself() -> None:
    assert [metric for metric in EVERYDAY if not METRICS[metric].slow] == ["si_sdr", "segsnr", "segsnr_fitted"]
