"""Which scores count, on what unit, and which jobs have failed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sweep.verdict.paired_scores import paired_scores
from tests.support.sweeps.result_rows import LABELS, SEEDS, result_rows, scores


def values(n_utterances: int = 200) -> NDArray[np.float64]:
    return scores((0, 0, 0, 0, 0), n_utterances=n_utterances)


def test_complete_rows_become_one_balanced_array_in_any_row_order() -> None:
    expected = values()
    rows = result_rows(expected).sample(frac=1, random_state=0)
    block = paired_scores(rows, "si_sdr", LABELS, SEEDS).block(LABELS)
    assert block.seeds == SEEDS
    assert np.array_equal(block.scores, expected)
    assert block.noisy is not None
    assert block.noisy.shape == (200,)


def test_an_utterance_that_one_candidate_failed_counts_for_no_candidate() -> None:
    gappy = values()
    gappy[1, 2, 7] = np.nan
    paired = paired_scores(result_rows(gappy), "si_sdr", LABELS, SEEDS)
    block = paired.block(paired.complete)
    assert block.n_utterances == 199
    assert np.array_equal(block.scores, np.delete(values(), 7, axis=-1))
    assert paired.failures == (0, 1, 0, 0, 0)
    assert not paired.failed_seeds("layer1")


def test_a_reference_that_fails_by_itself_is_no_candidates_failure() -> None:
    gappy = values()
    gappy[..., 7] = np.nan
    rows = result_rows(gappy)
    rows.loc[(rows["candidate"] == "noisy") & (rows["utterance"] == "u0007"), "status"] = "silent_reference"
    paired = paired_scores(rows, "si_sdr", LABELS, SEEDS)
    assert paired.failures == (0, 0, 0, 0, 0)
    assert paired.block(paired.complete).n_utterances == 199


def test_an_utterance_that_a_slow_metric_spared_is_neither_a_failure_nor_unscorable() -> None:
    rows = result_rows(values(), n_speakers=20)
    spared = rows["utterance"] >= "u0012"
    rows.loc[spared, ["value", "status"]] = [None, "not_computed"]
    paired = paired_scores(rows, "si_sdr", LABELS, SEEDS)
    assert (paired.failures, paired.unscorable) == ((0, 0, 0, 0, 0), 0)
    assert paired.complete == LABELS
    assert len(paired.utterances) == paired.block(LABELS).n_utterances == 12
    assert paired.unit == "speaker"
    assert np.array_equal(paired.block(LABELS).scores, values()[..., :12])


def test_a_job_that_fails_on_more_than_one_percent_has_failed() -> None:
    gappy = values()
    gappy[1, 2, :3] = np.nan
    paired = paired_scores(result_rows(gappy), "si_sdr", LABELS, SEEDS)
    assert paired.failed_seeds("layer1")
    assert paired.complete == ("none", "layer2", "layer3", "random")
    assert paired.block(paired.complete).n_utterances == 200


def test_a_row_that_was_never_written_is_a_failure() -> None:
    rows = result_rows(values())
    rows = rows[~((rows["candidate"] == "layer2") & (rows["seed"] == 12) & (rows["utterance"] == "u0003"))]
    assert paired_scores(rows, "si_sdr", LABELS, SEEDS).failures == (0, 0, 1, 0, 0)


def test_a_job_without_rows_or_listed_as_failed_is_a_failed_seed() -> None:
    rows = result_rows(values())
    rows = rows[~((rows["candidate"] == "layer2") & (rows["seed"] == 12))]
    paired = paired_scores(rows, "si_sdr", LABELS, SEEDS, failed_jobs={("layer3", 13)})
    assert paired.complete == ("none", "layer1", "random")
    assert paired.block(["layer2", "layer3"]).seeds == (11,)
    assert paired.failures == (0, 0, 0, 0, 0)


def test_ten_speakers_are_the_unit_and_weigh_the_same() -> None:
    expected = values(25)
    paired = paired_scores(result_rows(expected, n_speakers=10), "si_sdr", LABELS, SEEDS)
    block = paired.block(LABELS)
    assert paired.unit == "speaker"
    by_hand = np.stack([expected[..., speaker::10].mean(axis=-1) for speaker in range(10)], axis=-1)
    assert block.scores == pytest.approx(by_hand)


def test_nine_speakers_leave_utterances_the_unit() -> None:
    paired = paired_scores(result_rows(values(25), n_speakers=9), "si_sdr", LABELS, SEEDS)
    assert paired.unit == "utterance"


def test_other_metrics_do_not_mix_in() -> None:
    rows = result_rows(values(), metric="stoi")
    assert paired_scores(rows, "si_sdr", LABELS, SEEDS).complete == ()


def test_rows_of_two_splits_are_refused() -> None:
    rows = result_rows(values())
    rows.loc[0, "split"] = "valid"
    with pytest.raises(ValueError, match="one group and one split"):
        paired_scores(rows, "si_sdr", LABELS, SEEDS)
