"""The search, group by group: Optuna's history, parallel coordinates and importance, and learning curves.

The candidate is a parameter like the nuisance values. Parallel coordinates and importance use complete trials only:
trials stopped early had a smaller budget, so their scores are not comparable. Both leave out parameters that some
candidates lack (such as the strength of a normalization that is off).
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from sweep.plan.plan import Plan
from sweep.report.figures.panels import panelled, save
from sweep.search.proposals import study_of, trial_of
from sweep.study.study import JobRecord
from trainables.metrics.catalogue import METRICS

_FEWEST_FOR_IMPORTANCE = 20  # complete trials; with fewer, importance is noise
_SEED = 0  # of the evaluator's trees
_INCHES = (7.6, 4.2)


def search_plots(plan: Plan, records: Sequence[JobRecord], folder: Path) -> None:
    """Write `curves-search.png`, and per group `history-`, `parallel-` and perhaps `importance-<group>.png`."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    searched = [record for record in records if record.job.phase == "search" and record.reports]
    if searched:
        _curves(plan, searched, folder / "curves-search.png")
    for group in plan.groups:
        study = ended([record for record in searched if record.job.group == group.name], plan.metric)
        for name, draw in _optunas_figures(study, f"{METRICS[plan.metric].title} on valid").items():
            # Optuna's figures change matplotlib's style for everything drawn after them.
            with pyplot.rc_context(), warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                _save(draw(), group.name, folder / f"{name}-{group.name}.png")


def ended(records: Sequence[JobRecord], metric: str) -> optuna.Study:
    """The complete and the early-stopped trials, as one study in memory."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return study_of([trial_of(r) for r in records if r.state in ("complete", "pruned")], metric)
    finally:
        optuna.logging.set_verbosity(verbosity)


def shared_parameters(trials: Sequence[FrozenTrial]) -> list[str]:
    """The parameters that every trial has and that took more than one value."""
    common = set.intersection(*(set(trial.params) for trial in trials)) if trials else set()
    return sorted(name for name in common if len({trial.params[name] for trial in trials}) > 1)


def _optunas_figures(study: optuna.Study, title: str) -> dict[str, Callable[[], Any]]:
    """Name -> how its axes are drawn; none where nothing varied."""
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    params, plots = shared_parameters(complete), optuna.visualization.matplotlib
    if not params:
        return {}

    def history() -> Any:
        axes = plots.plot_optimization_history(study, target_name=title)
        axes.set_facecolor("white")
        axes.grid(color="lightgrey")
        return axes

    figures: dict[str, Callable[[], Any]] = {
        "history": history,
        "parallel": partial(plots.plot_parallel_coordinate, study, params, target_name=title),
    }
    if len(complete) >= _FEWEST_FOR_IMPORTANCE:
        trees = optuna.importance.FanovaImportanceEvaluator(seed=_SEED)
        figures["importance"] = partial(plots.plot_param_importances, study, trees, params, target_name=title)
    return figures


def _save(axes: Any, group: str, path: Path) -> None:
    from matplotlib import pyplot

    figure = axes.figure
    axes.set_title(f"{axes.get_title()}, {group}", fontsize="medium", pad=12)
    figure.set_size_inches(*_INCHES)
    figure.savefig(path, format="png", dpi=120, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)


def _curves(plan: Plan, records: Sequence[JobRecord], path: Path) -> None:
    """A panel per group, a line per search trial in its candidate's colour; a cross where one was stopped."""
    width, height = _INCHES
    figure, panels = panelled(len(plan.groups), (0.8 * width, height))
    for axes, group in zip(panels, plan.groups, strict=True):
        for place, candidate in enumerate(group.candidates):
            mine = [r for r in records if (r.job.group, r.job.candidate) == (group.name, candidate.label)]
            for record in mine:
                _curve(axes, record, f"C{place}", candidate.label if record is mine[0] else None)
        axes.set_title(group.name, fontsize="medium")
        axes.set_xlabel("step; a cross: stopped early or failed")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", frameon=False, loc="lower right")
    figure.supylabel(f"{METRICS[plan.metric].title} on valid, each search trial", fontsize="medium")
    save(figure, path)


def _curve(axes: Any, record: JobRecord, colour: str, label: str | None) -> None:
    steps, scores = zip(*record.scores.items(), strict=True)
    axes.plot(steps, scores, color=colour, label=label, linewidth=1.2, alpha=0.8)
    if record.state != "complete":
        axes.plot(steps[-1], scores[-1], "x", color=colour, markersize=7)
