"""Who left when, as the stored looks have it."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import pytest

from sweep.engine.interim_looks import left_after, stored_looks
from sweep.report.figures.contention import contention_plot, write_contention
from sweep.stored import layout
from sweep.verdict.contention import Look
from sweep.verdict.result import GroupResult, Result
from sweep.verdict.verdict import decide
from tests.support.sweeps.result_rows import LABELS, candidates, result_rows, scores
from trainables.base.storage.storage import Storage

ALL_SEEDS = tuple(range(11, 19))
STORED = {
    "tera": [
        {"seeds": 3, "staying": ["none", "layer1", "layer2", "layer3"], "left": {"random": "0.900 behind layer2"}},
        {
            "seeds": 5,
            "staying": ["layer2", "layer3"],
            "left": {"layer1": "a seed has failed", "none": "0.800 behind layer2 on valid"},
        },
    ]
}


@pytest.fixture
def looks(tmp_path: Path) -> dict[str, list[Look]]:
    storage = Storage(tmp_path / "sweep")
    storage.write(layout.LOOKS, json.dumps(STORED).encode())
    return stored_looks(storage)


@pytest.fixture
def group(looks: dict[str, list[Look]]) -> GroupResult:
    gone = left_after(looks["tera"])
    rows = result_rows(scores((1.0, 1.2, 2.0, 1.99, 0.9), n_seeds=8), seeds=ALL_SEEDS)
    for label, seeds in gone.items():
        rows = rows[~((rows["candidate"] == label) & ~rows["seed"].isin(ALL_SEEDS[:seeds]))]
    return decide(
        group={"upstream": "tera"},
        rows=rows,
        metric="si_sdr",
        candidates=candidates(),
        leader="layer2",
        seeds=ALL_SEEDS,
        left_after=gone,
    )


def test_every_candidate_ends_where_it_left(group: GroupResult, looks: dict[str, list[Look]]) -> None:
    axes: Any = contention_plot([group], looks).axes[0]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    ends = {
        labels[int(line.get_ydata()[0])]: (line.get_xdata()[0], line.get_marker())
        for line in axes.lines
        if line.get_marker() != "None"
    }
    stayed = {"layer2": (8, "D"), "layer3": (8, "D")}
    assert ends == stayed | {"layer1": (5, "X"), "none": (5, "X"), "random": (3, "X")}
    assert labels[:2] == ["layer2", "layer3"]
    assert labels[-1] == "random"
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [3, 5]


def test_the_reasons_are_next_to_their_rows_and_cover_nothing(group: GroupResult, looks: dict[str, list[Look]]) -> None:
    assert {row["label"]: row.get("left_after") for row in group["candidates"]}.items() >= left_after(
        looks["tera"]
    ).items()
    figure: Any = contention_plot([group, group], looks)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    (why,) = axes.child_axes
    reasons = dict(
        zip(
            [text.get_text() for text in axes.get_yticklabels()],
            [text.get_text().replace("\n", " ") for text in why.get_yticklabels()],
            strict=True,
        )
    )
    assert reasons == dict.fromkeys(LABELS, "") | {
        label: words for look in looks["tera"] for label, words in look.left.items()
    }
    texts = [text for part in (axes, why) for text in part.get_yticklabels() if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(0 <= box.x0 < box.x1 <= figure.bbox.x1 for box in boxes)


def test_without_looks_there_is_no_figure(group: GroupResult, looks: dict[str, list[Look]], tmp_path: Path) -> None:
    result = cast(Result, {"groups": [group]})
    folder = tmp_path / "report"
    folder.mkdir()
    write_contention(result, {}, folder)
    assert list(folder.iterdir()) == []
    write_contention(result, looks, folder)
    assert {path.name for path in folder.iterdir()} == {"contention.png", "contention.svg"}
