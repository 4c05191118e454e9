"""The fronts of score against cost: numbers of the result, intervals, log axes, labels that stay readable."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from sweep.report.figures.pareto import (
    SMALLEST_TEXT,
    _apart,
    _round_ticks,
    cost_fronts,
    pareto_front,
    pareto_plot,
    write_cost_fronts,
)
from sweep.verdict.result import CandidateCost, GroupResult, Result
from tests.sweep.report.figures.test_forest import TWELVE, decided

LABELS = ("none", "small", "middle", "large")
PARAMETERS = (5e4, 1e4, 2e5, 3e6)


def cost(label: str, parameters: float, group: str = "tera") -> CandidateCost:
    return {
        "group": group,
        "candidate": label,
        "method": "m",
        "audio_seconds": 100.0,
        "trials": 2,
        "parameters": int(parameters),
        "mac_per_second": parameters * 1e3,
        "uncounted": [],
        "machine": {
            "cpu": "c",
            "real_time_factor": parameters / 1e7,
            "real_time_factor_spread": parameters / 1e8,
            "core_seconds": 10.0 + parameters / 1e5,
            "gpu_seconds": None,
        },
    }


def result_with(group: GroupResult, parameters: tuple[float, ...]) -> Result:
    labels = [candidate["label"] for candidate in group["candidates"]]
    costs = [cost(label, number) for label, number in zip(labels, parameters, strict=True)]
    return cast(Result, {"metric": "si_sdr", "groups": [group], "costs": costs})


@pytest.fixture(scope="module")
def result() -> Result:
    """`small` beats `none` at less; `middle` scores more for more; `large` costs most and is worse than `middle`."""
    return result_with(decided((1.0, 1.2, 2.0, 1.5), LABELS, "middle", spread=0.2), PARAMETERS)


def test_less_of_a_cost_is_better() -> None:
    points = {"cheap": (1.0, 1.0), "dear": (9.0, 2.0), "dominated": (9.5, 1.5)}
    assert pareto_front(points, ("parameters", "si_sdr")) == ["cheap", "dear"]


def test_points_intervals_and_front_are_those_of_the_result(result: Result) -> None:
    figure: Any = cost_fronts(result)
    figure.draw_without_rendering()
    assert len(figure.axes) == 4
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    points = {text.get_text(): text for text in axes.texts}
    assert set(points) == set(LABELS)
    for candidate, parameters in zip(result["groups"][0]["candidates"], PARAMETERS, strict=True):
        assert points[candidate["label"]].xy == (parameters, candidate["score"])
    bold = {label for label, text in points.items() if text.get_fontweight() == "bold"}
    assert bold == {"small", "middle"}
    low, high = cast(Any, result["groups"][0]["candidates"][2]["interval"])
    bars = [segment for bar in axes.collections for segment in bar.get_segments()]
    middle = [segment for segment in bars if segment[0][0] == segment[1][0] == 2e5]
    assert np.allclose([middle[0][0][1], middle[0][1][1]], [low, high])


@pytest.mark.parametrize(("parts", "named"), [({"utterances": {"wb_pesq": 15}}, True), ({}, False)])
def test_the_axis_of_a_metric_of_a_part_of_test_names_its_size(
    result: Result, tmp_path: Path, parts: dict[str, Any], named: bool
) -> None:
    scores = {"si_sdr": 1.0, "wb_pesq": 2.0}
    means = [{"group": "tera", "candidate": label, "published": False, "scores": scores, **parts} for label in LABELS]
    figure = pareto_plot(cast(Result, {**result, "metrics": means}), tmp_path / "pareto.png")
    assert figure is not None
    assert ("15 utterances" in cast(Any, figure)._supxlabel.get_text()) == named


def test_only_the_real_time_factor_has_a_spread_to_the_sides(result: Result) -> None:
    def sideways(axes: Any) -> list[Any]:
        segments = [segment for bar in axes.collections for segment in bar.get_segments()]
        return [segment for segment in segments if segment[0][1] == segment[1][1]]

    figure: Any = cost_fronts(result)
    assert [len(sideways(axes)) for axes in figure.axes] == [0, 0, 4, 0]
    assert np.allclose(sorted(sideways(figure.axes[2])[1][:, 0]), [0.001 - 0.00005, 0.001 + 0.00005])


@pytest.mark.parametrize("columns", [1, 2])
def test_no_text_covers_another_with_twelve_candidates(columns: int) -> None:
    group = decided(tuple(np.linspace(1, 1.2, 12)), TWELVE, TWELVE[-1], spread=0.6)
    figure: Any = cost_fronts(result_with(group, tuple(np.geomspace(4e4, 3e7, 12))), columns)
    figure.draw_without_rendering()
    if columns == 1:
        assert figure.get_size_inches()[0] * 100 <= 390  # pixels of a telephone, at 100 to the inch
    texts = [text for axes in figure.axes for text in axes.texts]
    assert len(texts) == 4 * 12
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [tick.label1 for tick in ticks if tick.label1.get_text()]
        texts.append(axes.xaxis.label)
    texts += [figure._supxlabel, figure._supylabel]
    assert min(text.get_fontsize() for text in texts) >= SMALLEST_TEXT
    # Of a label, not of the line to its point.
    from matplotlib.text import Text

    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in texts]
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not first.overlaps(second), f"{one!r} covers {other!r}"
    for words, box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1, words
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1, words


def test_a_cost_of_nothing_has_a_linear_axis() -> None:
    group = decided((1.0, 1.2), ("none", "some"), "some")
    figure: Any = cost_fronts(result_with(group, (0.0, 1e4)))
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "linear", "linear", "log"]


def test_files_are_written_once_there_are_costs(result: Result, tmp_path: Path) -> None:
    write_cost_fronts(cast(Result, {**result, "costs": []}), tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_cost_fronts(result, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"costs.png", "costs.svg", "costs-narrow.svg"}
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_cost_fronts(result, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    width = re.search(rb'width="([\d.]+)pt"', first["costs-narrow.svg"])
    assert width is not None
    assert float(width[1]) / 0.75 <= 390  # CSS pixels


def test_labels_are_moved_apart_and_no_further() -> None:
    assert _apart([0.1, 0.5, 0.9], 0.1) == [0.1, 0.5, 0.9]
    assert _apart([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.5, 0.6, 0.7])
    assert _apart([0.95, 0.96, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])


@pytest.mark.parametrize(("low", "high"), [(9e3, 11e3), (1.1e4, 1.9e4), (1e4, 1e8), (3e-3, 40.0), (1.0, 1e12)])
def test_a_log_axis_has_one_to_five_round_ticks_inside(low: float, high: float) -> None:
    ticks = _round_ticks(low, high)
    assert 1 <= len(ticks) <= 5
    assert all(low <= tick <= high for tick in ticks)
