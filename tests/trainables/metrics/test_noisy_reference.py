"""The noisy side of VoiceBank-DEMAND's test set has known scores: reproducing them shows that we measure the same.

Needs the real corpus: its folder, or a prepared corpus, in SPEECH_SWEEP_VOICEBANK.
"""

import math
import os

import pytest

from trainables.audio.recipes.preparation import open_or_prepare
from trainables.metrics.scorer import Scorer, mean_of_ok

PUBLISHED = {"wb_pesq": 1.97, "csig": 3.35, "cbak": 2.44, "covl": 2.63, "stoi": 0.921}


@pytest.mark.slow
def test_the_published_scores_of_the_noisy_input() -> None:
    source = os.environ.get("SPEECH_SWEEP_VOICEBANK")
    if not source:
        pytest.skip("no VoiceBank-DEMAND: name its folder with SPEECH_SWEEP_VOICEBANK")
    pairs = open_or_prepare(source).paired("test")
    assert len(pairs) == 824
    rows = Scorer(list(PUBLISHED)).score(
        pairs.ids, [pairs.clean(row) for row in range(824)], [pairs.noisy(row) for row in range(824)]
    )
    for metric, published in PUBLISHED.items():
        mean, scored, _ = mean_of_ok(rows, metric)
        assert scored == 824
        assert mean is not None
        assert math.isclose(mean, published, abs_tol=0.01), (metric, mean)
