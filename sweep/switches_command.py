"""The work behind `sweep/switches.py`: label switches of a separation sweep's finalists, and their curves."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from sweep.cli import guarded
from sweep.plan import Plan
from sweep.status_command import add_sweep_arguments, open_sweep
from trainables.errors import UserError
from trainables.metrics.catalogue import METRICS


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="switches.py",
        description="Print how often each candidate's label assignment switched while it was trained.",
        allow_abbrev=False,
    )
    add_sweep_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--plot", metavar="PNG", type=Path, help="also draw scores and switches by step")
    return parser


def main(argv: Sequence[str]) -> int:
    return guarded(_run, argv)


def _run(argv: Sequence[str]) -> int:
    arguments = build_parser().parse_args(argv)
    plan, _ = open_sweep(arguments)
    if plan.method_name() != "separation":
        raise UserError(f"sweep {plan.name!r} is of {plan.method_name()}, which has no labels to switch")
    tables = {group.name: _group(plan, group.name, arguments.plot) for group in plan.groups}
    if arguments.json:
        print(json.dumps(tables))
        return 0
    for name, rows in tables.items():
        print(f"{name}: switches per round (%), all {len(plan.seeds)} seeds")
        for row in rows:
            print(_line(row, plan.space_object().baseline))
    return 0


def _group(plan: Plan, name: str, plot: Path | None) -> list[dict]:
    from sweep.study import StudyStore
    from sweep.training_curves import as_json, curves_of, plot_curves, switch_table

    curves = curves_of(StudyStore(plan.study_uri, plan.name).records(name, "final"))
    if not curves:
        raise UserError(
            f"sweep {plan.name!r} has no finished finalist yet: see python sweep/status.py {plan.name}"
        )
    if plot:
        several = len(plan.groups) > 1
        path = plot.with_stem(f"{plot.stem}-{name}") if several else plot
        plot_curves(curves, path, METRICS[plan.metric].title)
    return as_json(switch_table(curves, plan.space_object().baseline))


def _line(row: dict, baseline: str) -> str:
    text = f"  {row['label']:<16} {row['switch']:5.1f}   symmetric {row['symmetric']:5.1f}"
    if row["difference"] is not None:
        interval = "" if row["interval"] is None else " [{:+.1f}, {:+.1f}]".format(*row["interval"])
        text += f"   {row['difference']:+.1f}{interval} against {baseline}"
    if row["rounds_to_baseline"] is not None:
        text += f"   best of {baseline} reached in round {row['rounds_to_baseline']:g}"
    return text
