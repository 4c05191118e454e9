"""The printed result: every claim has its interval and states what it is based on."""

import io
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from matplotlib import image
from numpy.typing import NDArray
from rich.console import Console

from sweep.report.cells import leaderboard
from sweep.report.figures.scores import score_plot
from sweep.report.output_formats import to_markdown
from sweep.report.result_tables import print_result, remarks, result_view
from sweep.verdict.gates import interpretable
from sweep.verdict.result import GateVerdict, GroupResult, Result
from sweep.verdict.verdict import decide, holm
from tests.support.sweeps.result_rows import SEEDS, candidates, result_rows, scores

GATES = interpretable(
    {"pretrained": [[2.0, 2.1], [2.1, 2.0]], "random": [[1.0, 1.1], [1.1, 1.0]]},
    [{"site": 1, "value": 0.4, "interval": [0.3, 0.5]}],
)

FAILED_GATES = interpretable({"pretrained": [[1.0, 1.1], [1.1, 1.0]], "random": [[1.0, 1.2], [1.1, 0.9]]})


def decided(
    upstream: str, values: NDArray[np.float64], gates: GateVerdict | None = GATES, **options: Any
) -> GroupResult:
    return decide(
        group={"upstream": upstream},
        rows=result_rows(values),
        metric="si_sdr",
        candidates=candidates(),
        leader="layer2",
        seeds=SEEDS[: values.shape[1]],
        gates=gates,
        **options,
    )


def result(*verdicts: GroupResult, **facts: Any) -> Result:
    found = {
        "sweep": "norm_layers-20260101-1200-abcd",
        "space": "norm_layers",
        "preset": "demo",
        "meaningful": True,
        "metric": "si_sdr",
        "groups": holm(verdicts),
        "trials": {"complete": 30, "pruned": 4, "failed": 1},
        "corpus": {"synthetic": True},
        "tracking_uri": "sqlite:///mlflow.db",
        "output": "sweeps/norm_layers-20260101-1200-abcd",
        **facts,
    }
    return cast(Result, found)


@pytest.fixture(scope="module")
def both() -> Result:
    """A winner in tera; a tie in wav2vec2, whose gates failed."""
    tie = scores((1.0, 1.2, 2.0, 2.0, 0.4), spread=0.5)
    return result(decided("tera", scores((1.0, 1.2, 2.0, 1.5, 0.4))), decided("wav2vec2", tie, gates=FAILED_GATES))


def page_of(shown: Result) -> str:
    return to_markdown(result_view(shown, "markdown"))


def printed(shown: Result, width: int = 100, details: bool = False, terminal: bool = False) -> str:
    file = io.StringIO()
    print_result(shown, details, Console(file=file, width=width, force_terminal=terminal, color_system=None))
    return file.getvalue()


def markdown_row(page: str, first: str) -> str:
    return next(line for line in page.splitlines() if line.startswith(f"| {first} |"))


def test_a_winner_and_a_tie_read_as_such(both: Result) -> None:
    page = page_of(both)
    assert "| layer2 | 2.00 ± " in markdown_row(page, "tera")
    assert "| winner |" in markdown_row(page, "tera")
    assert "| tie with layer3 |" in markdown_row(page, "wav2vec2")
    assert " seeds) |" in markdown_row(page, "wav2vec2") or "more test audio" in markdown_row(page, "wav2vec2")


def test_numbers_are_those_of_the_verdict_rounded_once(both: Result) -> None:
    gain = both["groups"][0]["gain"]
    assert gain["interval"] is not None
    low, high = gain["interval"]
    assert f"+{gain['value']:.2f} ± {(high - low) / 2:.2f}" in page_of(both)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_every_line_fits_the_terminal(both: Result, width: int) -> None:
    lines = printed(both, width, terminal=True).splitlines()
    assert max(map(len, lines)) <= width
    assert any("wav2vec2" in line for line in lines)


def ending(shown: str) -> list[str]:
    """The lines from the leaderboard's headline on."""
    lines = shown.splitlines()
    return lines[next(number for number, line in enumerate(lines) if " on test" in line) :]


@pytest.mark.parametrize(("width", "height"), [(80, 20), (120, 12)])
def test_it_ends_with_the_leaderboard_and_three_lines_of_remarks(both: Result, width: int, height: int) -> None:
    """With the empty line, the heading and the two commands that follow, four lines of a terminal are left for them."""
    lines = ending(printed(both, width, terminal=True))
    assert len(lines) <= height
    assert sum(line.startswith(("tera ", "wav2vec2 ")) for line in lines) == 2
    assert [line.split(":")[0] for line in lines[-3:]] == ["wav2vec2", "tera", "wav2vec2"]
    assert "the question is not meaningful at this size" in lines[-3]
    assert "noisy input" in lines[-2]


def test_the_candidates_are_just_above_it(both: Result) -> None:
    lines = printed(both, 120, terminal=True).splitlines()
    assert len(lines) <= 26
    assert sum(line.split()[0] in ("none", "random", "layer1", "layer3") for line in lines if line.strip()) >= 8


def test_what_weighs_most_against_an_answer_comes_first(both: Result) -> None:
    troubled: Result = {
        **both,
        "meaningful": False,
        "reproducible": False,
        "failed": [{"job": "tera/final/none/seed-11", "reason": "diverged"}],
        "test_reads": {"tera": 2},
        "collapse": {"watched": 3, "alarmed": ["tera/final/none/seed-11"]},
    }
    starts = ["NOT MEANINGFUL", "NOT REPRODUCIBLE", "COLLAPSED", "Failed (diverged)", "Test audio was opened more"]
    said = remarks(troubled)
    assert [line[: len(start)] for line, start in zip(said, starts, strict=False)] == starts
    assert ending(printed(troubled))[-3:] == said[:3]


@pytest.mark.parametrize("details", [False, True])
def test_what_is_left_out_is_counted_and_in_the_details(both: Result, details: bool) -> None:
    file = io.StringIO()
    left_out = print_result(both, details, Console(file=file, width=400))
    said = remarks(both)
    assert left_out == (0 if details else len(said) - 3)
    assert sum(line in said for line in file.getvalue().splitlines()) == len(said) - left_out


def test_columns_that_are_the_same_for_all_are_left_to_the_headline(both: Result) -> None:
    """Seeds and failures are shown where they differ."""
    assert "failures" not in printed(both)
    assert "3 seeds" in ending(printed(both))[0]
    values = scores((1.0, 1.2, 2.0, 1.5, 0.4))
    values[4, 1, :5] = np.nan
    troubled = printed(result(decided("tera", values)))
    assert "failures" in troubled
    assert " seeds " not in troubled.partition("failures")[2]


def test_terminal_and_markdown_say_the_same(both: Result) -> None:
    words = " ".join(printed(both, width=400, details=True).split())
    for line in page_of(both).splitlines():
        if line.startswith("- "):
            assert " ".join(line[2:].split()) in words


def test_the_page_states_what_a_verdict_is_based_on(both: Result) -> None:
    page = page_of(both)
    for fact in (
        "SI-SDR (dB) decides",
        "means over seeds and utterances",
        "Population: 4 speakers, 60 utterances, 3 seeds",
        "conditional on these speakers and these 3 noise types (noise0, noise1, noise2)",
        "demo preset, synthetic corpus",
        "1 failed",
        "tera: same leader in 3 of 3 noise types",
        "tera: noisy input 0.00, the leader is +2.00",
    ):
        assert fact in page


def test_the_page_states_why_the_question_is_not_meaningful(both: Result) -> None:
    page = page_of(both)
    assert "tera: the question is not meaningful" not in page
    assert "wav2vec2: the question is not meaningful at this size: pre-training is not shown to help" in page


def test_a_question_without_gates_is_not_called_meaningless() -> None:
    shown = result(decided("tera", scores((1.0, 1.2, 2.0, 1.5, 0.4)), gates=None))
    assert "not meaningful" not in page_of(shown)
    assert [row[-1] for row in leaderboard(shown)[1]] == ["-"]


def test_several_groups_are_also_corrected_together(both: Result) -> None:
    assert "Claimed together (Holm-corrected), winners stand in: tera." in page_of(both)
    alone = result(decided("tera", scores((1.0, 1.2, 2.0, 1.5, 0.4))))
    assert "Holm" not in page_of(alone)


def test_a_smoke_run_says_that_it_means_nothing() -> None:
    smoke = result(decided("tera", scores((1.0,) * 5, n_seeds=1)), preset="smoke", meaningful=False)
    assert "NOT MEANINGFUL: the smoke preset" in printed(smoke)
    assert "no interval can be had" in page_of(smoke)


def test_failures_show_next_to_the_candidate() -> None:
    values = scores((1.0, 1.2, 2.0, 1.5, 0.4))
    values[4, 1, :5] = np.nan
    page = page_of(result(decided("tera", values, failed_jobs=[("none", seed) for seed in SEEDS])))
    assert "| 2 | 5 | behind, failed seeds: 1 |" in markdown_row(page, "random")
    assert markdown_row(page, "none").startswith("| none | - | - |")


def test_a_label_is_shown_as_it_is_whatever_it_contains() -> None:
    rows = result_rows(scores((1.0, 2.0)), labels=("none", "[bold]a|b"))
    verdict = decide(
        group={},
        rows=rows,
        metric="si_sdr",
        candidates=[{"label": "none"}, {"label": "[bold]a|b"}],
        leader="[bold]a|b",
        seeds=SEEDS,
    )
    shown = result(verdict)
    assert "[bold]a|b" in printed(shown)
    assert "[bold]a\\|b" in page_of(shown)


def test_the_plot_is_a_picture_with_a_panel_per_group(both: Result, tmp_path: Path) -> None:
    score_plot(both, tmp_path / "both.png")
    score_plot(both | {"groups": both["groups"][:1]}, tmp_path / "one.png")
    two, one = image.imread(tmp_path / "both.png"), image.imread(tmp_path / "one.png")
    assert two.shape[1] == pytest.approx(2 * one.shape[1], abs=2)
    assert two.std() > 0.05


def test_the_plot_is_the_same_file_each_time(both: Result, tmp_path: Path) -> None:
    score_plot(both, tmp_path / "a.png")
    score_plot(both, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_page_states_how_often_test_was_read(both: Result) -> None:
    once = page_of(both | {"test_reads": {"tera": 1, "wav2vec2": 1}})
    assert "Test audio was opened once, after the leaders were named" in once
    twice = page_of(both | {"test_reads": {"tera": 1, "wav2vec2": 2}})
    assert "opened more than once" in twice
    assert "wav2vec2 2 times" in twice


def test_the_leaders_values_are_shown_in_the_papers_terms(both: Result) -> None:
    terms = {"k0": 0.8, "beta_m": 0.9875}
    with_terms: Result = {**both, "paper_terms": {"tera": {"layer2": terms, "layer1": {"beta_m": 0.5}}}}
    (line,) = [line for line in printed(with_terms, details=True).splitlines() if "beta_m" in line]
    assert line.startswith("tera: layer2 ")
    assert line.rstrip().endswith("k0 = 0.8, beta_m = 0.9875")


def test_variance_components_say_what_more_of_would_help(both: Result) -> None:
    variance = both["groups"][0]["variance"]
    assert variance is not None
    page = page_of(both)
    assert f"over seeds {variance['candidate_seed']:.3f}, over " in page
    assert f"unexplained {variance['residual']:.3f}" in page
