"""The intervals keep their promise for scores as they are, and the sample is always the same."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.audio.signals import speech_like
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.published.check import check_input
from trainables.audio.published.comparison import CONFIDENCE, _compared, compare, figures_for, sample_rows
from trainables.audio.published.figures import Published, rounding
from trainables.audio.recipes import librimix, voicebank, wsj0_2mix
from trainables.audio.recipes.recipes import RECIPES
from trainables.metrics.catalogue import METRICS


def test_the_last_digit_says_how_exact_a_printed_figure_is() -> None:
    assert [rounding(text) for text in ("1.97", "0.921", "-3", "8.4")] == pytest.approx([0.005, 0.0005, 0.5, 0.05])


@pytest.mark.parametrize("rows", [20, 100, 824])
def test_a_right_split_of_skewed_scores_is_doubted_once_in_a_hundred_times_at_most(rows: int) -> None:
    """824 scores as skewed as PESQ's of noisy speech; seven figures that move together hardly at all."""
    rng = np.random.default_rng(0)
    tail = (1 - CONFIDENCE) / 2 / 7
    doubted, worlds = 0, 400
    for _ in range(worlds):
        split = 1.04 + rng.gamma(1.6, 0.58, size=(7, 824))
        printed = [f"{mean:.2f}" for mean in split.mean(axis=1)]
        drawn = rng.permutation(824)[:rows]
        figures = [
            _compared(f"m{number}", text, scores[drawn].tolist(), 824, tail)
            for number, (text, scores) in enumerate(zip(printed, split, strict=True))
        ]
        doubted += not all(figure.agrees for figure in figures)
    assert doubted <= {20: 24, 100: 8, 824: 0}[rows]  # at 20 rows the skew shows: twice or thrice in a hundred


def test_the_whole_split_leaves_the_rounding_only() -> None:
    scores = [1.0, 2.0, 3.0, 4.0]
    assert _compared("m", "2.50", scores, 4, 0.005).low == pytest.approx(2.495)
    assert _compared("m", "2.51", scores, 4, 0.005).agrees is False
    half = _compared("m", "2.5", scores, 8, 0.025)  # t(3) = 3.182, s = 1.291, half of the split unseen
    assert half.high - 2.5 == pytest.approx(3.182 * 1.291 * np.sqrt(0.5 / 4) + 0.05, abs=1e-3)


def write_mixtures(folder: Path) -> Path:
    for split, first in (("tr", 10), ("cv", 30), ("tt", 50)):
        for number in range(8):
            name = f"{first}ao030{number}_1.2_{first + 1}ba010{number}_-1.2.wav"
            for part in (1, 2):
                path = folder / split / f"s{part}" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                voice = speech_like(1.4, first * 100 + 10 * number + part)[::2] * (1.3 if part == 1 else 0.8)
                noise = np.random.default_rng([first, number, part]).standard_normal(len(voice))
                soundfile.write(path, voice + 0.002 * noise, 8000, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("mixtures")
    listing = wsj0_2mix.list_source(write_mixtures(folder / "source"))
    return write_corpus(listing, folder / "corpus", cache=folder / "cache")


def test_of_two_voices_the_mixture_is_scored_against_each(mixtures: Corpus) -> None:
    """SI-SDR of a sum against its two parts: the levels cancel, so the mean is 0 dB but for chance correlation."""
    draft = Published(scores={"si_sdr": "0.0", "stoi": "0.90"}, source="here", voices=2, sample_rate=8000)
    found = {figure.metric: figure for figure in compare(mixtures, draft).figures}
    assert found["si_sdr"].scored == 8
    assert found["si_sdr"].mean == pytest.approx(0.0, abs=0.6)
    right = Published(
        scores={name: f"{figure.mean:.3f}" for name, figure in found.items()},
        source="here",
        voices=2,
        sample_rate=8000,
    )
    checked = check_input(mixtures, [right])
    assert checked is not None
    assert not checked.differs
    wrong = check_input(mixtures, [draft])
    assert wrong is not None
    assert wrong.differs


def test_figures_hold_for_their_own_rate_and_number_of_voices(mixtures: Corpus, paired_corpus: Corpus) -> None:
    assert figures_for(mixtures, librimix.PUBLISHED) is librimix.PUBLISHED[0]
    assert figures_for(mixtures, librimix.PUBLISHED[1:]) is None
    assert figures_for(paired_corpus, [*librimix.PUBLISHED, voicebank.PUBLISHED]) is voicebank.PUBLISHED


def test_the_sample_is_fixed_and_smaller_ones_are_part_of_it(paired_corpus: Corpus) -> None:
    table = paired_corpus.paired("train")
    whole = sample_rows(table, 100)
    assert sorted(whole) == list(range(len(table)))
    assert sample_rows(table, 2) == whole[:2]
    assert len(whole) > 2


def test_every_published_figure_is_of_a_metric_and_a_number() -> None:
    listed = [each for name in RECIPES for each in RECIPES[name].published]
    assert len(listed) == 2 + 2 * 4 + 1
    for published in listed:
        assert published.scores.keys() <= METRICS.keys()
        assert all(np.isfinite(float(text)) for text in published.scores.values())
    voicebank_scores = voicebank.PUBLISHED.scores
    assert [voicebank_scores[name] for name in ("wb_pesq", "csig", "cbak", "covl", "segsnr")] == [
        *("1.97", "3.35", "2.44", "2.63", "1.68")
    ]
