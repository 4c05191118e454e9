"""The arguments of `sweep/run.py`, and how its errors reach the user.

Nothing here imports torch, ray or mlflow: `--help` answers at once, `--dry-run` within seconds.
"""

import argparse
import atexit
import gc
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces import SPACES
from sweep.core.next_command import command_line
from sweep.settings.machine_price import MachinePrice, read_price
from sweep.stored import layout
from trainables.base.errors import UserError
from trainables.config.registry import METHODS, group_flags

if TYPE_CHECKING:
    from sweep.plan.plan import Plan
    from sweep.settings.planning import Planned

# Beyond these a plan is a slip of the keyboard, and takes minutes to count.
_MOST_SAMPLES, _MOST_SEEDS, _MOST_STEPS, _LARGEST_SEED = 100_000, 1_000, 1_000_000_000, 1_000_000_000
_EPILOG = """\
examples
  python sweep/run.py --space norm_layers                        the demo: no data needed, about ten minutes
  python sweep/run.py --space norm_layers --dry-run              what it would do: jobs, hours, disk
  python sweep/run.py --space norm_layers --corpus DIR           on your own speech/ and noise/ folders
  python sweep/run.py --space norm_layers --seeds auto           seeds only for candidates still in contention
  python sweep/run.py --resume NAME                              go on after a crash or Ctrl-C
  python sweep/run.py --resume NAME --max-hours 20               go on with more hours, or --samples, --seeds
  python sweep/stop.py NAME                                      stop it cleanly, from another shell
  python sweep/status.py NAME                                    alive? how far? what to type next
  python sweep/leaderboard.py NAME                               the table again; --by, --compare, --watch
  python sweep/enhance.py NAME in.wav out.wav                    hear what the winner makes of a recording
  python sweep/replay.py NAME JOB                                train a job again and compare the bits
  python sweep/clean.py                                          what caches and checkpoints take, and free it

settings come from flags, then the environment (SPEECH_SWEEP_CORPUS, SPEECH_SWEEP_PRESET, SPEECH_SWEEP_OUTPUT,
SPEECH_SWEEP_STUDY_URI, SPEECH_SWEEP_CACHE, SPEECH_SWEEP_NOTIFY, MLFLOW_TRACKING_URI, AWS_*), then defaults;
--dry-run shows which.

exit status: 0 an answer was reached; 2 bad input (nothing was started); 1 anything else; 130 stopped before the
answer (Ctrl-C, SIGTERM, stop.py, --max-hours, or a database or storage that does not come back).
"""


def build_run_parser() -> argparse.ArgumentParser:
    """Option names avoid every name that `ray submit` takes for itself."""
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Run a sweep and answer its question: a leader per group, with an interval and a verdict.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to ask")
    what.add_argument(
        "--space",
        metavar="NAME",
        help="the question: a name that --list-spaces shows, or a Python file of your own",
    )
    what.add_argument(
        "--preset",
        metavar="NAME",
        help="how much work: smoke (a minute, scores mean nothing), demo (the default without a GPU), small or paper "
        "(published checkpoints: a GPU and a corpus); --list-spaces shows which a space has",
    )
    what.add_argument(
        *group_flags(),
        metavar="A,B",
        dest="upstreams",
        help="which of the space's groups to ask about, comma-separated; by whichever name suits the space",
    )
    what.add_argument(
        "--corpus",
        metavar="PATH",
        help="a folder of speech/ and noise/ (or clean/ and noisy/), a "
        "prepared corpus (folder or s3://), or 'demo' (synthetic, the default)",
    )
    budget = parser.add_argument_group("how much to spend (defaults come from the preset)")
    budget.add_argument(
        "--samples", type=_count_up_to(_MOST_SAMPLES), metavar="N", help="search trials per candidate"
    )
    budget.add_argument(
        "--seeds",
        type=_seeds,
        metavar="N",
        help="finalist seeds per candidate, 3 is the floor; or 'auto': 3, and up to 8 for who is still in contention",
    )
    budget.add_argument(
        "--max-hours", type=_hours, metavar="H", help="stop cleanly after H hours of driving, over all starts"
    )
    budget.add_argument("--steps", type=_count_up_to(_MOST_STEPS), metavar="N", help="training steps per job")
    budget.add_argument(
        "--labelled-minutes", metavar="M", help="minutes of labelled speech to train on, or 'all'"
    )
    budget.add_argument(
        "--async",
        action="store_true",
        dest="asynchronous",
        help="never wait for a generation of search trials: keeps many workers busy, but is not reproducible",
    )
    budget.add_argument(
        "--seed", type=_seed, metavar="N", help="seed of the sweep itself, 0 (the default) or above"
    )
    budget.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        dest="settings",
        help="fix a field of the method's configuration for every candidate; may be repeated (see --help-config)",
    )
    budget.add_argument(
        "--also",
        metavar="METRIC,..",
        help="score the finalists by these metrics too, shown and never decided by: dnsmos (no reference needed; pip "
        'install ".[dnsmos]"), nb_pesq, sdr',
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--name", metavar="NAME", help="the sweep's name (default: space, date, time, four hex digits)"
    )
    where.add_argument(
        "--resume",
        metavar="NAME",
        help="go on with this sweep; --samples, --seeds, --max-hours may be raised, --upstreams added",
    )
    where.add_argument(
        "--output",
        metavar="BASE",
        help="results go to BASE/NAME: a folder or s3://bucket/prefix (default ./sweeps)",
    )
    where.add_argument(
        "--tracking-uri",
        metavar="URI",
        help="MLflow: sqlite:///..., postgresql://... or http(s)://... "
        "(default: mlflow.db beside the results)",
    )
    where.add_argument(
        "--study-uri",
        metavar="URI",
        help="Optuna's study: sqlite:///... or postgresql://... (default: study.db beside the results)",
    )
    where.add_argument(
        "--gpus-per-trial",
        type=_gpu_share,
        metavar="SHARE",
        help="the part of a GPU each job gets, such as 0.25 for four jobs on one (default: at paper scale as much as a "
        "short trial on one takes, else 0)",
    )
    where.add_argument(
        "--notify",
        metavar="URL",
        help="post a small JSON object to this web address when the sweep finishes, fails or stops early",
    )
    show = parser.add_argument_group("look first, read later")
    show.add_argument("--dry-run", action="store_true", help="print the plan with its cost and start nothing")
    show.add_argument(
        "--price",
        type=_machine_price,
        metavar="PRICE/CORES[/GPUS]",
        help="with --dry-run: what a machine costs an hour and how many cores and GPUs it has, such as 0.34/8",
    )
    show.add_argument("--list-spaces", action="store_true", help="print the spaces and their presets")
    show.add_argument(
        "--help-config",
        metavar="METHOD",
        help=f"print the fields --set knows, and their values: {', '.join(METHODS)}, or a space's name",
    )
    show.add_argument(
        "--json",
        action="store_true",
        help="print the result (with --dry-run: the plan) as one JSON object on the last line",
    )
    return parser


def run_main(argv: Sequence[str]) -> int:
    """`sweep/run.py`: returns the exit status."""
    return guarded(_run, argv)


def guarded(command: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """Bad input is one line and status 2; Ctrl-C is one line and status 130."""
    atexit.register(gc.freeze)  # else the interpreter sorts through everything imported before it ends: 1.5 s
    try:
        return command(argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away; nothing is wrong with the sweep.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(argv: Sequence[str]) -> int:
    parser = build_run_parser()
    arguments = parser.parse_args(argv)
    if arguments.list_spaces:
        print(list_spaces())
        return 0
    if arguments.help_config:
        from sweep.commands.config_help import config_help

        print(config_help(arguments.help_config))
        return 0
    from sweep.settings.planning import plan_from_arguments

    if not argv:
        parser.print_help()
        return 0
    notify = _notify_address(arguments)
    planned = plan_from_arguments(arguments, os.environ, Path.cwd())
    from sweep.settings.dry_run import cautions, corpus_notes, describe

    if arguments.dry_run:
        print(describe(planned, arguments.price))
        if arguments.json:
            print(json.dumps(planned.plan.to_json()))
        return 0
    from sweep.core.stopping import interrupted_by_sigterm

    if not planned.resume:
        for note in (*corpus_notes(planned.plan.corpus_summary), *cautions(planned.plan)):
            print(f"note: {note}", file=sys.stderr)
    try:
        with interrupted_by_sigterm():
            return _drive(planned, notify, arguments.json)
    except KeyboardInterrupt as stop:
        print(_stopped(planned.plan, str(stop)), file=sys.stderr)
        return 130


def _drive(planned: "Planned", notify: str | None, as_json: bool) -> int:
    from sweep.core.stopping import TooManyFailures
    from sweep.driver.driver import drive
    from sweep.engine.scoring import ScoringFailed
    from sweep.engine.tune_run import StageFailed
    from sweep.progress.notification import notifying

    try:
        with notifying(notify, planned.plan) as notifier:
            result = drive(planned)
            notifier.finished(result)
    except (StageFailed, ScoringFailed, TooManyFailures) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(result))
    return 0


def _stopped(plan: "Plan", why: str) -> str:
    """What to type next; before plan.json was written there is nothing to resume."""
    from sweep.storage.storage import Storage

    reason = f" ({why})" if why else ""
    if Storage(plan.output).exists(layout.PLAN):
        return f"stopped{reason}; go on with: {command_line('run.py --resume', plan.output)}"
    return f"stopped{reason} before anything had started: the same line starts it again"


def _notify_address(arguments: argparse.Namespace) -> str | None:
    """Checked before anything starts; it is no part of the plan."""
    from sweep.progress.notification import VARIABLE, check_address

    url: str | None = arguments.notify or os.environ.get(VARIABLE)
    if url:
        check_address(url)
    return url or None


def list_spaces() -> str:
    """Every space with its question, groups and presets."""
    lines = []
    for space in SPACES.values():
        lines.append(f"{space.name}  {space.question}")
        if space.group_by:
            lines.append(f"    --{space.group_by}s {','.join(space.groups)}")
        for preset in space.presets.values():
            lines.append(f"    --preset {preset.name:<6} {preset.summary}")
    return "\n".join(lines)


def _whole(text: str, lowest: int, highest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {lowest} to {highest:,}")
    return value


def _count_up_to(highest: int) -> Callable[[str], int]:
    return lambda text: _whole(text, 1, highest)


def _seeds(text: str) -> int | str:
    return text if text == "auto" else _whole(text, 1, _MOST_SEEDS)


def _seed(text: str) -> int:
    return _whole(text, 0, _LARGEST_SEED)


def _gpu_share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a part of a GPU: a number from 0 to 1")
    return share


def _machine_price(text: str) -> MachinePrice:
    try:
        return read_price(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a price and a number of cores: write it like 0.34/8, or 1.21/8/1 with a GPU"
        ) from error


def _hours(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours above 0")
    return value
