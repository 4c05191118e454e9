"""Writes the report: tables, figures and pages of a finished sweep, and an index page that links them all.

For a preset that is not meaningful (smoke), the figures of the search are left out: they cost more than the search.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.core.outage import say_on_standard_error
from sweep.plan.plan import Plan
from sweep.report.cells import warnings
from sweep.report.figures.contention import write_contention
from sweep.report.figures.curves import curve_plot, switch_plot
from sweep.report.figures.forest import write_forest
from sweep.report.figures.pareto import pareto_plot, write_cost_fronts
from sweep.report.figures.scores import score_plot
from sweep.report.figures.seed_points import seed_points
from sweep.report.index_page import INDEX_FILE, index_page
from sweep.report.leaderboard_files import write_leaderboard
from sweep.report.listening.clips import listening_clips
from sweep.report.listening.page import listening_page
from sweep.report.output_formats import to_markdown
from sweep.report.result_tables import result_view
from sweep.study.study import JobRecord
from sweep.verdict.contention import Look
from sweep.verdict.result import GroupResult, Result, group_name


@dataclass(frozen=True)
class Publication:
    """The material of a report."""

    plan: Plan
    result: Result
    rows: pd.DataFrame  # of test
    records: Sequence[JobRecord]
    checkpoints: Any
    looks: Mapping[str, Sequence[Look]] = field(default_factory=dict)  # at contention, by group

    def write(self, folder: Path) -> None:
        """Every file of the report, into a local folder."""
        result = self.result
        _own_style()
        (folder / "leaderboard.md").write_text(to_markdown(result_view(result, "markdown")), encoding="utf-8")
        write_leaderboard(result, folder)
        for what, draw in self._figures(folder).items():
            _attempt(what, draw)
        for group in result["groups"]:
            _attempt("a listening page", partial(self._listening_page, group, folder))
        files = sorted(path.name for path in folder.iterdir())
        (folder / INDEX_FILE).write_text(index_page(result, files), encoding="utf-8")

    def _figures(self, folder: Path) -> dict[str, Callable[[], object]]:
        result = self.result
        figures: dict[str, Callable[[], object]] = {
            "the differences": lambda: write_forest(result, folder, seed_points(result, self.rows)),
            "who left when": partial(write_contention, result, self.looks, folder),
            "the scores": partial(score_plot, result, folder / "scores.png"),
            "the curves": partial(curve_plot, result["curves"], result["metric"], folder / "curves.png"),
            "the Pareto front": partial(pareto_plot, result, folder / "pareto.png"),
            "the costs": partial(write_cost_fronts, result, folder),
        }
        if result["label_switches"]:
            path = folder / "switches.png"
            figures["the label switches"] = partial(switch_plot, result["label_switches"], path)
        if self.plan.meaningful:
            figures["the search"] = partial(_search_plots, self.plan, self.records, folder)
        return figures

    def _listening_page(self, group: GroupResult, folder: Path) -> None:
        clips, seed = listening_clips(self.plan, group, self.rows, self.checkpoints)
        if not clips:
            return
        name = group_name(group["group"])
        introduction = [
            f"{self.plan.space_object().question} Clips of the test set, chosen for a spread of noises, levels and "
            f"speakers before any score was known; candidates as trained with seed {seed}. The verdict is in the "
            "leaderboard: a few clips decide nothing.",
            *warnings(self.result),
        ]
        page = listening_page(f"Listen: {name}, sweep {self.plan.name}", introduction, clips)
        (folder / f"listen-{name}.html").write_text(page, encoding="utf-8")


def _search_plots(plan: Plan, records: Sequence[JobRecord], folder: Path) -> None:
    from sweep.report.figures.search import search_plots  # loads Optuna's figures, which takes a second

    search_plots(plan, records, folder)


def _own_style() -> None:
    """Figures look the same for everyone, and a user's broken or missing matplotlibrc or backend costs none."""
    found = find_spec("matplotlib")  # not imported: that is what they would break
    assert found is not None
    style = Path(str(found.origin)).parent / "mpl-data" / "matplotlibrc"
    os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=str(style))


def _attempt(what: str, make: Callable[[], object]) -> None:
    """A figure that cannot be drawn is reported and left out: it must not cost the sweep its result."""
    try:
        make()
    except Exception as error:
        say_on_standard_error(f"the report lacks {what}: {type(error).__name__}: {error}")
