"""What counts as an epoch: seconds drawn of single voices, one crop of each mixture."""

from dataclasses import replace

import pytest

from trainables.job.assignment import DataSettings
from trainables.training.epochs import epochs_at

VOICES = DataSettings(batch=8, crop_seconds=2.0)
MIXTURES = DataSettings(batch=24, crop_seconds=3.0, speakers=2)


def test_of_single_voices_an_epoch_is_the_seconds_there_are() -> None:
    assert epochs_at(100, VOICES, 1600.0, 400, stored_mixtures=False) == 1.0
    assert epochs_at(100, replace(VOICES, labelled_minutes=10), 1600.0, 400, stored_mixtures=False) == 1600 / 600


def test_of_stored_mixtures_an_epoch_is_one_crop_of_each() -> None:
    """Libri2Mix train-100 at batch 24: 579 steps of 3 s, whatever the length of its 13,900 mixtures."""
    assert epochs_at(13_900 / 24, MIXTURES, 208_800.0, 13_900, stored_mixtures=True) == pytest.approx(1.0)
    longer = replace(MIXTURES, crop_seconds=4.0)
    assert epochs_at(13_900 / 24, longer, 208_800.0, 13_900, stored_mixtures=True) == pytest.approx(1.0)


def test_of_mixtures_drawn_on_the_fly_every_utterance_counts_once() -> None:
    assert epochs_at(1000, MIXTURES, 3600.0, 48_000, stored_mixtures=False) == pytest.approx(1.0)
    half = replace(MIXTURES, labelled_minutes=30)
    assert epochs_at(1000, half, 3600.0, 48_000, stored_mixtures=False) == pytest.approx(2.0)
