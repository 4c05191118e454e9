"""`leaderboard`: the stored answer again, in another metric or format, split, or compared with another sweep."""

import argparse
from typing import TYPE_CHECKING

from sweep.commands.common import add_sweep_arguments, command_parser, open_sweep, print_answer
from sweep.report.cells import BREAKDOWNS
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS, known_metrics

if TYPE_CHECKING:
    from sweep.plan.plan import Plan
    from trainables.base.storage.storage import Storage

FORMATS = ("table", "markdown", "json", "csv", "latex")
_EXAMPLES = """\
examples
  python sweep/leaderboard.py NAME                                the table that ended the sweep
  python sweep/leaderboard.py NAME --details                      with every remark and finding
  python sweep/leaderboard.py NAME --metric wb_pesq               the same finalists in another metric
  python sweep/leaderboard.py NAME --by noise_type                who leads where; also snr, speaker, seed
  python sweep/leaderboard.py NAME --costs                        parameters, multiply-accumulates, speed, training
  python sweep/leaderboard.py NAME --compare OTHER                two sweeps side by side, paired where they can be
  python sweep/leaderboard.py NAME --watch                        a running sweep, until its answer
  python sweep/leaderboard.py NAME --format latex                 for a paper; also markdown, json, csv
  python sweep/leaderboard.py NAME --published                    is it compatible with the published figures?
  python sweep/leaderboard.py --published --metric stoi           the paper's own figures, ranked
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "leaderboard", "Print the leaderboard of a sweep: scores, intervals and the verdict.", _EXAMPLES
    )
    add_sweep_arguments(parser, optional=True)
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print it (default table)")
    parser.add_argument(
        "--metric",
        metavar="M",
        help=f"show another metric than the deciding one, same leader: {', '.join(METRICS)}",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--details", action="store_true", help="all findings and remarks, above the leaderboard")
    what.add_argument("--by", choices=BREAKDOWNS, help="split the finalists' test scores by this")
    what.add_argument(
        "--costs", action="store_true", help="what each candidate costs to run and to train; measured now if need be"
    )
    what.add_argument("--compare", metavar="OTHER", help="compare with another sweep in BASE")
    what.add_argument("--watch", action="store_true", help="show the standings while the sweep runs")
    what.add_argument(
        "--published",
        action="store_true",
        help="with NAME: is it compatible with the published figures? without: rank these",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    known_metrics([arguments.metric] if arguments.metric else None)
    if arguments.published and not arguments.name:
        _show_published(arguments)
        return 0
    if not arguments.name:
        raise UserError("which sweep? give its name, or --published alone for the paper's figures")
    if arguments.details and arguments.format != "table":
        raise UserError(f"--details is for tables: leave it out, --format {arguments.format} is complete without it")
    plan, storage = open_sweep(arguments)
    if arguments.watch:
        _watch(plan, storage, arguments)
    if arguments.published:
        _show_compatibility(plan, storage, arguments)
    elif arguments.costs:
        _show_costs(plan, storage, arguments)
    elif arguments.by or arguments.compare:
        _show_rows(plan, storage, arguments)
    else:
        _show_result(plan, storage, arguments)
    return 0


def _show_result(plan: "Plan", storage: "Storage", arguments: argparse.Namespace) -> None:
    from sweep.stored.reading import read_result

    result = read_result(plan, storage, arguments.metric)
    if arguments.format == "table":
        print_answer(plan, storage.uri, result, arguments.details)
        return
    from sweep.report.output_formats import print_view
    from sweep.report.result_tables import result_view

    print_view(result_view(result, arguments.format), arguments.format)


def _show_costs(plan: "Plan", storage: "Storage", arguments: argparse.Namespace) -> None:
    from sweep.report.output_formats import print_view
    from sweep.report.result_tables import cost_view
    from sweep.stored.reading import read_result

    result = read_result(plan, storage, arguments.metric)
    if "costs" not in result:
        from sweep.driver.running_costs import costs_now

        result["costs"] = costs_now(plan, storage)
    print_view(cost_view(result), arguments.format)


def _show_published(arguments: argparse.Namespace) -> None:
    from sweep.report.output_formats import print_view
    from sweep.report.published_table import published_result, published_view

    print_view(published_view(published_result(arguments.metric or "wb_pesq")), arguments.format)


def _show_compatibility(plan: "Plan", storage: "Storage", arguments: argparse.Namespace) -> None:
    from sweep.report.compatibility import compatibility_view, metric_of
    from sweep.report.output_formats import print_view
    from sweep.stored.reading import read_result, read_rows

    metric = metric_of(plan, arguments.metric)
    result, rows = read_result(plan, storage), read_rows(plan, storage, metric=metric)
    print_view(compatibility_view(result, plan, rows, metric), arguments.format)


def _watch(plan: "Plan", storage: "Storage", arguments: argparse.Namespace) -> None:
    from sweep.report.watch import watch
    from sweep.stored.reading import with_study_password

    if arguments.format != "table":
        raise UserError(f"--watch shows tables: leave --format {arguments.format} out")
    watch(with_study_password(plan), storage)


def _show_rows(plan: "Plan", storage: "Storage", arguments: argparse.Namespace) -> None:
    from sweep.report.breakdown import breakdown_view
    from sweep.report.output_formats import print_view
    from sweep.stored.reading import read_rows, stored_sweep

    metric = plan.held(arguments.metric) if arguments.metric else plan.metric
    rows = read_rows(plan, storage, metric=metric)
    if arguments.by:
        print_view(breakdown_view(rows, plan, metric, arguments.by), arguments.format)
        return
    from sweep.report.comparison import Scored, comparison_view

    other, there = stored_sweep(arguments.compare, arguments.output)
    if there.uri == storage.uri or (other.identity and other.identity == plan.identity):
        raise UserError(f"--compare {arguments.compare}: that is the sweep itself; name another one")
    theirs = Scored(other, read_rows(other, there, metric=metric))
    print_view(comparison_view(Scored(plan, rows), theirs, metric), arguments.format)
