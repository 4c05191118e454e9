"""The check of a prepared corpus: quiet about the right one, and right about what is wrong with each wrong one."""

import re
from pathlib import Path

import pytest

from tests.support.audio.small_voicebank import FAULTS, TEST_SPEAKERS, recipe, write
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.published.check import check_input
from trainables.audio.published.comparison import compare
from trainables.audio.recipes.recipe import Recipe

METRICS = ("stoi", "si_sdr", "segsnr")
ROWS = 12  # of 20


def prepared(folder: Path, source: Path, by: Recipe) -> Corpus:
    return write_corpus(by.list_source(source), folder / "corpus", cache=folder / "cache")


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("right")
    return prepared(folder, write(folder / "source"), recipe({}))


@pytest.fixture(scope="module")
def published(right: Corpus) -> Recipe:
    """With the figures of the right set, all rows of it, to two digits."""
    (draft,) = recipe(dict.fromkeys(METRICS, "0.00")).published
    whole = compare(right, draft, rows=10**6)
    return recipe({figure.metric: f"{figure.mean:.2f}" for figure in whole.figures})


def test_a_right_corpus_is_as_published(right: Corpus, published: Recipe) -> None:
    done: list[tuple[int, int]] = []
    checked = check_input(right, published.published, ROWS, lambda *progress: done.append(progress))
    assert checked is not None
    assert (checked.differs, checked.causes, list(checked.warnings())) == (False, (), [])
    assert done == [(number, ROWS) for number in range(1, ROWS + 1)]
    assert checked.comparison.of == 10 * len(TEST_SPEAKERS)
    first, *figures, last = checked.lines()
    assert "12 of 20 rows" in first
    assert len(figures) == len(METRICS)
    assert "DIFFERS" not in "".join(figures)
    assert "as published" in last


@pytest.mark.parametrize("fault", FAULTS)
def test_the_likely_cause_is_named(fault: str, published: Recipe, tmp_path: Path) -> None:
    wrong, cause, words = FAULTS[fault]
    corpus = prepared(tmp_path, write(tmp_path / "source", wrong), published)
    checked = check_input(corpus, published.published, ROWS)
    assert checked is not None
    assert checked.differs
    first = checked.causes[0]
    assert first.name == cause
    assert words in first.text
    assert next(checked.warnings()).endswith(f"likely the {cause}: {first.text}")
    pair = re.search(r"clean side of testset/(\w+) belongs to the noisy side of testset/(\w+):", first.text)
    assert pair is None or pair.groups() in _displaced()


def _displaced() -> list[tuple[str, str]]:
    """Clean side, and under which name its noisy side lies."""
    names = [f"{speaker}_{take:03d}" for speaker in TEST_SPEAKERS for take in range(1, 11)]
    return list(zip(names[3:] + names[:3], names, strict=True))


def test_a_fault_that_none_of_the_causes_explains_is_said_to_be_unexplained(
    right: Corpus, published: Recipe, tmp_path: Path
) -> None:
    figures = published.published[0]
    other = recipe({**figures.scores, "stoi": "0.10"}).published
    checked = check_input(right, other, ROWS)
    assert checked is not None
    assert (checked.differs, checked.causes) == (True, ())
    (warning,) = checked.warnings()
    assert "in STOI, for none of the usual reasons" in warning
    assert sum("DIFFERS" in line for line in checked.lines()) == 1


def test_fewer_than_three_scored_rows_agree_with_nothing(right: Corpus) -> None:
    checked = check_input(right, recipe({"stoi": "0.91"}).published, rows=2)
    assert checked is not None
    (figure,) = checked.comparison.figures
    assert (figure.mean, figure.scored, figure.agrees) == (None, 2, False)
    assert "only 2 rows could be scored" in list(checked.lines())[1]


def test_other_corpora_are_not_compared(mixed_corpus: Corpus, published: Recipe) -> None:
    assert check_input(mixed_corpus, published.published) is None
