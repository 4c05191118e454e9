"""The forest plot shows the verdict's own numbers, keeps its labels apart, and says nothing by colour alone."""

from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from sweep.report.figures.forest import SMALLEST_TEXT, SeedDifferences, describe, forest_plot
from sweep.report.figures.panels import save
from sweep.report.figures.seed_points import seed_differences, seed_points
from sweep.verdict import judge
from sweep.verdict.comparisons import Comparisons
from sweep.verdict.paired_scores import paired_scores
from sweep.verdict.result import GroupResult, Result
from sweep.verdict.verdict import decide
from tests.support.sweeps.result_rows import SEEDS, candidates, result_rows, scores

TWELVE = ("none", "random", *(f"a candidate with a name of {number} words in it" for number in range(10)))


def decided(means: tuple[float, ...], labels: tuple[str, ...], leader: str, **more: Any) -> GroupResult:
    values = scores(means, **more)
    rows = result_rows(values, labels=labels, n_speakers=12)
    return decide(
        group={"upstream": "tera"},
        rows=rows,
        metric="si_sdr",
        candidates=candidates(labels),
        leader=leader,
        seeds=SEEDS[: values.shape[1]],
    )


@pytest.fixture(scope="module")
def group() -> GroupResult:
    """layer2 leads, layer3 is not separated from it, the others are behind."""
    found = decided((1.0, 1.2, 2.0, 1.99, 0.9), ("none", "layer1", "layer2", "layer3", "random"), "layer2", spread=0.2)
    assert found["contenders"] == ["layer3"]
    return found


def panel_lines(axes: Any) -> dict[int, tuple[float, ...]]:
    """Row -> both ends of its interval, as drawn."""
    return {
        int(line.get_ydata()[0]): tuple(line.get_xdata())
        for line in axes.lines
        if line.get_linestyle() == "-" and len(line.get_xdata()) == 2 and line.get_ydata()[0] == line.get_ydata()[1]
    }


def panel_marks(axes: Any) -> dict[int, Any]:
    """Row -> the marker of its value."""
    return {int(line.get_ydata()[0]): line for line in axes.lines if line.get_marker() in ("o", "^", "v", "D", "x")}


def test_values_and_intervals_are_those_of_the_verdict(group: GroupResult) -> None:
    panels: Any = forest_plot([group], "SI-SDR (dB)").axes
    to_leader, to_baseline = panels
    order = [text.get_text().removesuffix(" *") for text in to_leader.get_yticklabels()]
    assert order == ["layer2", "layer3", "layer1", "none", "random"]
    of = {candidate["label"]: candidate for candidate in group["candidates"]}
    for place, label in enumerate(order):
        candidate = of[label]
        if label != "layer2":
            low, high = candidate["behind_leader_interval"] or (np.nan, np.nan)
            assert panel_lines(to_leader)[place] == (-high, -low)
            assert panel_marks(to_leader)[place].get_xdata()[0] == -cast(float, candidate["behind_leader"])
        if label != "none":
            assert panel_lines(to_baseline)[place] == tuple(candidate["gain_interval"] or ())
            assert panel_marks(to_baseline)[place].get_xdata()[0] == candidate["gain"]
    bands = {round(patch.get_width() / 2, 9) for patch in to_leader.patches}
    assert bands == {round(cast(float, group["resolvable"]), 9), group["margin"]}
    # Dunnett's intervals need more than a pair's detectable difference, so it has no band there.
    assert {round(patch.get_width() / 2, 9) for patch in to_baseline.patches} == {group["margin"]}


def test_what_decides_is_seen_without_colour(group: GroupResult) -> None:
    to_leader, to_baseline = forest_plot([group], "SI-SDR (dB)").axes
    looks = {
        place: (mark.get_marker(), mark.get_markerfacecolor() == "white")
        for place, mark in panel_marks(to_leader).items()
    }
    assert looks == {0: ("D", False), 1: ("o", True), 2: ("v", False), 3: ("v", False), 4: ("v", False)}
    assert panel_marks(to_baseline)[0].get_marker() == "^"
    tied = {text.get_text() for text in to_leader.get_yticklabels() if text.get_fontweight() == "bold"}
    assert tied == {"layer2"}


@pytest.mark.parametrize("columns", [1, 2])
def test_no_text_covers_another_with_twelve_candidates(columns: int) -> None:
    means = tuple(np.linspace(1, 2, 12))
    twelve = decided(means, TWELVE, TWELVE[-1], spread=0.6)
    figure: Any = forest_plot([twelve, twelve], "segSNR, gain-fitted (dB)", columns=columns)
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in axes.get_yticklabels()]
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        texts += [text for place, text in ticks if low <= place <= high]  # others are not drawn
    texts += [text for axes in figure.axes for text in (axes.xaxis.label, axes._left_title, *axes.texts)]
    texts += figure.legends[0].get_texts()
    shown = [text for text in texts if text.get_text()]
    assert len(shown) > 4 * 12
    assert min(text.get_fontsize() for text in shown) >= SMALLEST_TEXT
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown]
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not first.overlaps(second), f"{one!r} covers {other!r}"
    for words, box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1, words
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1, words


def test_the_points_of_seeds_average_to_the_differences() -> None:
    labels = ("none", "layer1", "layer2", "layer3", "random")
    values = scores((1.0, 1.2, 2.0, 1.99, 0.9), spread=0.2)
    values[1, 2] = np.nan  # a failed seed: compared on the others
    rows = result_rows(values, labels=labels)
    rows = rows[~((rows["candidate"] == "layer1") & (rows["seed"] == SEEDS[2]))]
    group = decide(
        group={"upstream": "tera"},
        rows=rows,
        metric="si_sdr",
        candidates=candidates(labels),
        leader="layer2",
        seeds=SEEDS,
        failed_jobs=[("layer1", SEEDS[2])],
    )
    points = seed_points(cast(Result, {"metric": "si_sdr", "groups": [group]}), rows)["tera"]
    for candidate in group["candidates"]:
        label = candidate["label"]
        if label != "layer2":
            assert len(points.behind_leader[label]) == (2 if label == "layer1" else 3)
            assert np.mean(points.behind_leader[label]) == pytest.approx(candidate["behind_leader"], abs=1e-12)
        if label != "none":
            assert np.mean(points.gain[label]) == pytest.approx(candidate["gain"], abs=1e-12)
    to_leader: Any = forest_plot([group], "SI-SDR (dB)", {"tera": points}).axes[0]
    drawn = [line for line in to_leader.lines if line.get_marker() == "|"]
    assert [len(line.get_xdata()) for line in drawn] == [3, 2, 3, 3]


def test_a_candidate_far_off_is_annotated_and_compresses_nothing() -> None:
    group = decided((1.0, 1.2, 1.3, 1.25, -40.0), ("none", "layer1", "layer2", "layer3", "random"), "layer2")
    to_leader = forest_plot([group], "SI-SDR (dB)").axes[0]
    low, high = to_leader.get_xlim()
    assert -2 < low < 0 < high < 2
    assert [text.get_text() for text in to_leader.texts] == ["-41.3"]


def test_one_seed_has_points_without_intervals() -> None:
    group = decided((1.0, 1.2), ("none", "layer1"), "layer1", n_seeds=1)
    assert group["candidates"][0]["behind_leader_interval"] is None
    to_leader, to_baseline = forest_plot([group], "SI-SDR (dB)").axes
    assert [mark.get_marker() for _, mark in sorted(panel_marks(to_leader).items())] == ["D", "x"]
    assert [mark.get_marker() for _, mark in sorted(panel_marks(to_baseline).items())] == ["x", "D"]


def test_without_the_baseline_there_is_one_panel(group: GroupResult) -> None:
    other: GroupResult = {**group, "baseline": "absent"}
    assert len(forest_plot([other], "SI-SDR (dB)").axes) == 1
    assert len(forest_plot([group, other], "SI-SDR (dB)").axes) == 3


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_equal_figures_are_equal_files_and_labels_are_no_formulas(tmp_path: Path, suffix: str) -> None:
    group = decided((1.0, 1.2), ("none", "$\\broken{"), "$\\broken{")
    points = {"tera": SeedDifferences(gain={"$\\broken{": [0.1, 0.3]})}
    for name in ("a", "b"):
        save(forest_plot([group], "SI-SDR (dB)", points), tmp_path / f"{name}.{suffix}")
    content = (tmp_path / f"a.{suffix}").read_bytes()
    assert content == (tmp_path / f"b.{suffix}").read_bytes()
    assert len(content) < 200_000


def test_the_words_name_the_leader_and_every_difference(group: GroupResult) -> None:
    words = describe(group)
    assert words.startswith("tera: layer2 leads, a tie of 2")
    assert all(f"{label} (-" in words for label in ("layer3", "layer1", "none", "random"))


def test_points_come_from_the_same_scores_as_the_verdict(group: GroupResult) -> None:
    labels = [candidate["label"] for candidate in group["candidates"]]
    rows = result_rows(scores((1.0, 1.2, 2.0, 1.99, 0.9), spread=0.2), labels=labels, n_speakers=12)
    points = seed_differences(group, Comparisons(paired_scores(rows, "si_sdr", labels, SEEDS)))
    assert np.mean(points.gain["layer2"]) == pytest.approx(group["gain"]["value"], abs=1e-12)


def test_where_less_is_better_the_better_is_still_to_the_right() -> None:
    rates = {"good": 0.10, "worse": 0.20, "none": 0.30}
    frame = pd.DataFrame(
        [
            {"candidate": label, "seed": seed, "utterance": f"u{u}", "value": rate + 0.001 * ((7 * u + 3 * seed) % 5)}
            for label, rate in rates.items()
            for seed in (1, 2, 3)
            for u in range(20)
        ]
    )
    (group,) = judge(frame, seed="seed", unit="utterance", lower=True, metric="error rate").groups
    panels: Any = forest_plot([group], "error rate").axes
    to_leader, to_baseline = panels
    assert [text.get_text() for text in to_leader.get_yticklabels()] == ["good", "worse", "none"]
    values = [mark.get_xdata()[0] for _, mark in sorted(panel_marks(to_leader).items())]
    assert values == pytest.approx([0.0, -0.1, -0.2])
    gains = [mark.get_xdata()[0] for _, mark in sorted(panel_marks(to_baseline).items())]
    assert gains == pytest.approx([0.2, 0.1, 0.0])
    assert [mark.get_marker() for _, mark in sorted(panel_marks(to_baseline).items())] == ["^", "^", "D"]
