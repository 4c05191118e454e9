"""The work behind `sweep/leaderboard.py`: the stored answer, shown again as run.py showed it."""

import argparse
import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from sweep.cli import guarded
from sweep.plan import Plan
from sweep.result_view import by_score, candidate_verdict, group_name
from sweep.status_command import RESULT_FILE, add_sweep_arguments, open_sweep
from sweep.storage import Storage
from trainables.errors import UserError
from trainables.metrics.catalogue import METRICS, known_metrics

FORMATS = ("table", "markdown", "json", "csv")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leaderboard.py",
        description="Print the leaderboard of a finished sweep: scores, intervals and the verdict.",
        allow_abbrev=False,
    )
    add_sweep_arguments(parser, optional=True)
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print it (default table)")
    parser.add_argument(
        "--metric",
        metavar="M",
        help=f"show another metric than the deciding one, same leader: {', '.join(METRICS)}",
    )
    parser.add_argument(
        "--published", action="store_true", help="rank the published figures instead; takes no sweep's name"
    )
    return parser


def main(argv: Sequence[str]) -> int:
    return guarded(_run, argv)


def _run(argv: Sequence[str]) -> int:
    arguments = build_parser().parse_args(argv)
    known_metrics([arguments.metric] if arguments.metric else None)
    if arguments.published:
        return _show_published(arguments)
    if not arguments.name:
        raise UserError("which sweep? give its name, or --published for the paper's figures")
    plan, storage = open_sweep(arguments)
    result = read_result(plan, storage)
    if arguments.metric and arguments.metric != result["metric"]:
        from sweep.other_metric import in_metric

        result = in_metric(result, plan, storage, arguments.metric)
    show(result, arguments.format)
    return 0


def _show_published(arguments: argparse.Namespace) -> int:
    from sweep.published_figures import published_result, show_published

    if arguments.name:
        raise UserError(f"--published ranks the paper's figures: leave {arguments.name!r} out")
    show_published(published_result(arguments.metric or "wb_pesq"), arguments.format)
    return 0


def read_result(plan: Plan, storage: Storage) -> dict[str, Any]:
    """The stored answer. Raises `UserError` while there is none."""
    try:
        return json.loads(storage.read(RESULT_FILE))
    except FileNotFoundError:
        raise UserError(
            f"sweep {plan.name!r} has no result yet: see python sweep/status.py {plan.name}"
        ) from None
    except ValueError as error:
        raise UserError(
            f"{storage.uri}/{RESULT_FILE} is damaged: delete it and run python sweep/run.py --resume {plan.name}"
        ) from error


def show(result: dict[str, Any], form: str) -> None:
    """Print the result on standard output."""
    if form == "json":
        print(json.dumps(result))
    elif form == "csv":
        print(to_csv(result), end="")
    elif form == "markdown":
        from sweep.report import to_markdown

        print(to_markdown(result))
    else:
        from sweep.report import print_result

        print_result(result)


def to_csv(result: dict[str, Any]) -> str:
    """One row per group and candidate, best first; unknown numbers are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = ["score", "low", "high", "gain", "seeds", "utterances", "failures", "p_best"]
    writer.writerow(["group", "candidate", "verdict", "metric", *columns])
    for group in result["groups"]:
        for candidate in by_score(group["candidates"]):
            writer.writerow(
                [
                    group_name(group["group"]),
                    candidate["label"],
                    candidate_verdict(group, candidate["label"]),
                    result["metric"],
                    candidate["score"],
                    *(candidate["interval"] or (None, None)),
                    candidate.get("gain"),
                    candidate["n_seeds"],
                    candidate["n_utterances"],
                    candidate["failures"],
                    candidate["p_best"],
                ]
            )
    return buffer.getvalue()
