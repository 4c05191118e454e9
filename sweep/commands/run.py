"""`run`: plans a sweep and drives it to its answer, or shows what it would do.

Nothing imported at the top loads torch, ray or mlflow: `--help` answers at once, `--dry-run` within seconds.
"""

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sweep.commands.common import command_parser, print_answer
from sweep.core.next_command import command_line, next_lines
from sweep.settings.machine_price import MachinePrice, read_price
from sweep.stored import layout
from trainables.base.errors import UserError
from trainables.config.registry import METHODS, group_flags

if TYPE_CHECKING:
    from sweep.plan.cost import Known
    from sweep.plan.plan import Plan
    from sweep.settings.settings import Planned

N = TypeVar("N", int, float)

# A larger number is a typing error, and its plan would take minutes to count.
_MOST_SAMPLES, _MOST_SEEDS, _MOST_STEPS, _LARGEST_SEED = 100_000, 1_000, 1_000_000_000, 1_000_000_000
_DESCRIPTION = "Run a sweep and answer its question: a leader per group, with an interval and a verdict."
_EXAMPLES = """\
examples
  python sweep/run.py --space norm_layers                        the demo: no data needed, about ten minutes
  python sweep/run.py --space norm_layers --dry-run              what it would do: jobs, hours, disk
  python sweep/run.py --space norm_layers --corpus DIR           on your own speech/ and noise/ folders
  python sweep/run.py --space norm_layers --seeds auto           more seeds only for candidates still in contention
  python sweep/run.py --space norm_layers --resolve 0.1          as many seeds as a difference of 0.1 dB needs
  python sweep/run.py --resume NAME                              continue after a crash or Ctrl-C
  python sweep/run.py --resume NAME --max-hours 20               continue with more hours, or --samples, --seeds
  python sweep/stop.py NAME                                      stop it cleanly, from another shell
  python sweep/status.py NAME                                    alive? how far? what to type next
  python sweep/leaderboard.py NAME                               the table again; --by, --compare, --watch
  python sweep/enhance.py NAME in.wav out.wav                    listen to the winner on a recording
  python sweep/replay.py NAME JOB                                train a job again and compare the bits
  python sweep/clean.py                                          list what caches and checkpoints take, and free it

settings come from flags, then the environment (SPEECH_SWEEP_CORPUS, SPEECH_SWEEP_PRESET, SPEECH_SWEEP_OUTPUT,
SPEECH_SWEEP_STUDY_URI, SPEECH_SWEEP_CACHE, SPEECH_SWEEP_NOTIFY, MLFLOW_TRACKING_URI, AWS_*), then defaults;
--dry-run shows which.

exit status: 0 an answer was reached; 2 bad input (nothing was started); 1 anything else; 130 stopped before the
answer (Ctrl-C, SIGTERM, a stop request, --max-hours, or a database or storage that does not come back).
"""


def build_parser() -> argparse.ArgumentParser:
    """Option names avoid every name that `ray submit` takes for itself."""
    parser = command_parser("run", _DESCRIPTION, _EXAMPLES)
    _add_question(parser.add_argument_group("what to ask").add_argument)
    _add_budget(parser.add_argument_group("how much to spend (defaults come from the preset)").add_argument)
    _add_places(parser.add_argument_group("where").add_argument)
    _add_views(parser.add_argument_group("look first, read later").add_argument)
    return parser


def _add_question(add: Callable[..., object]) -> None:
    text = "the question: a name that --list-spaces shows, or a Python file of your own"
    add("--space", metavar="NAME", help=text)
    text = """how much work: smoke (a minute, scores mean nothing), demo (the default without a GPU), small or paper
    (published weights: a GPU and a corpus); --list-spaces shows which a space has"""
    add("--preset", metavar="NAME", help=text)
    text = "the groups to ask about, comma-separated, under the name that suits the space"
    add(*group_flags(), metavar="A,B", dest="upstreams", help=text)
    text = """a folder of speech/ and noise/ (or clean/ and noisy/), a prepared corpus (folder or s3://), or 'demo'
    (synthetic, the default)"""
    add("--corpus", metavar="PATH", help=text)
    text = """a corpus of its own whose train split is pre-trained on, and the second task of multi-task training
    (default: --corpus)"""
    add("--pretraining-corpus", metavar="PATH", help=text)


def _add_budget(add: Callable[..., object]) -> None:
    add("--samples", metavar="N", type=_count_up_to(_MOST_SAMPLES), help="search trials per candidate")
    text = """finalist seeds per candidate, at least 3 for a verdict; or 'auto': 3 for all, up to 8 for candidates still
    in contention, fewer where only a tie can come of them"""
    add("--seeds", metavar="N", type=_seeds, help=text)
    text = """choose seeds and test audio for the least cost that detects a difference of D, in the deciding metric's
    unit, with 80 %% power; after three seeds their spread sets the number once (see docs/verdict.md)"""
    add("--resolve", metavar="D", help=text)
    text = "choose seeds and test audio for the smallest detectable difference that H core-hours pay for"
    add("--within", metavar="H", type=_hours, help=text)
    text = "stop cleanly after H hours of driving, over all starts"
    add("--max-hours", metavar="H", type=_hours, help=text)
    add("--steps", metavar="N", type=_count_up_to(_MOST_STEPS), help="training steps per job")
    add("--labelled-minutes", metavar="M", help="minutes of labelled speech to train on, or 'all'")
    text = "never wait for a generation of search trials: keeps many workers busy, but is not reproducible"
    add("--async", action="store_true", dest="asynchronous", help=text)
    add("--seed", metavar="N", type=_seed, help="seed of the sweep itself, 0 (the default) or above")
    text = "fix a field of the method's configuration for every candidate; may be repeated (see --help-config)"
    add("--set", metavar="FIELD=VALUE", action="append", default=[], dest="settings", help=text)
    text = """score the finalists by these metrics too, which are shown but decide nothing: dnsmos (no reference needed;
    pip install ".[dnsmos]"), nb_pesq, sdr; one that needs a model as METRIC=PLACE, a hub id, a path or s3://..., as in
    wer=facebook/wav2vec2-base-960h,cer (error rates of a CTC recogniser; pip install ".[wer]")"""
    add("--also", metavar="METRIC[=PLACE],..", help=text)


def _add_places(add: Callable[..., object]) -> None:
    add("--name", metavar="NAME", help="the sweep's name (default: space, date, time, four hex digits)")
    text = "continue this sweep; --samples, --seeds, --max-hours may be raised, --upstreams added"
    add("--resume", metavar="NAME", help=text)
    text = "results go to BASE/NAME: a folder or s3://bucket/prefix (default ./sweeps)"
    add("--output", metavar="BASE", help=text)
    text = """MLflow: sqlite:///..., postgresql://... or http(s)://... (default: mlflow.db next to the results)"""
    add("--tracking-uri", metavar="URI", help=text)
    text = "Optuna's study: sqlite:///... or postgresql://... (default: study.db next to the results)"
    add("--study-uri", metavar="URI", help=text)
    text = """GPU fraction per job, such as 0.25 for four jobs on one (default: with full-size models measured by a
    short training run, else 0)"""
    add("--gpus-per-trial", metavar="SHARE", type=_gpu_share, help=text)
    text = "train every job here, also where an earlier sweep has trained the same one"
    add("--no-reuse", action="store_true", help=text)
    text = "post a small JSON object to this web address when the sweep finishes, fails or stops early"
    add("--notify", metavar="URL", help=text)


def _add_views(add: Callable[..., object]) -> None:
    add("--dry-run", action="store_true", help="print the plan with its cost and start nothing")
    text = "with --dry-run: a machine's price per hour and its number of cores and GPUs, such as 0.34/8"
    add("--price", metavar="PRICE/CORES[/GPUS]", type=_machine_price, help=text)
    add("--list-spaces", action="store_true", help="print the questions, their presets and cost")
    text = f"print the fields --set knows, and their values: {', '.join(METHODS)}, or a space's name"
    add("--help-config", metavar="METHOD", help=text)
    text = "print the result (with --dry-run: the plan) as one JSON object on the last line"
    add("--json", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> int:
    parser = build_parser()
    if arguments.list_spaces:
        from sweep.commands.list_spaces import list_spaces

        print(list_spaces(parser))
    elif arguments.help_config:
        from sweep.commands.config_help import config_help

        print(config_help(arguments.help_config))
    elif arguments == parser.parse_args([]):
        parser.print_help()
    else:
        return _plan_and_start(arguments)
    return 0


def _plan_and_start(arguments: argparse.Namespace) -> int:
    from sweep.core.stopping import interrupted_by_sigterm
    from sweep.driver.whose import refuse_clash
    from sweep.settings.dry_run import cautions, corpus_notes, describe
    from sweep.settings.new_plan import plan_from_arguments
    from trainables.base.storage.storage import Storage

    notify = _notify_address(arguments)
    planned = plan_from_arguments(arguments, os.environ, Path.cwd())
    if arguments.dry_run:
        refuse_clash(planned, Storage(planned.plan.output), must_reach=False)
        print(describe(planned, arguments.price, _known(planned)))
        if arguments.json:
            print(json.dumps(planned.plan.to_json()))
        return 0
    if planned.stored is None:
        for note in (*corpus_notes(planned.plan), *cautions(planned.plan)):
            print(f"note: {note}", file=sys.stderr)
    try:
        with interrupted_by_sigterm():
            return _drive(planned, notify, arguments.json)
    except KeyboardInterrupt as stop:
        reason = f" ({stop})" if str(stop) else ""
        print(f"stopped{reason}{_next_after(planned.plan)}", file=sys.stderr)
        return 130


def _known(planned: "Planned") -> "Known | None":
    """What a new sweep need not train; a resumed one shows how much is done, and costs are those of all."""
    from sweep.engine.forecast import corpora_known, known_jobs
    from sweep.engine.reuse import Reuse

    plan = planned.plan
    if planned.stored is not None or not planned.reuse or not corpora_known(plan):
        return None
    return known_jobs(plan, Reuse.of(plan))


def _drive(planned: "Planned", notify: str | None, as_json: bool) -> int:
    from sweep.core.stopping import TooManyFailures
    from sweep.driver.driver import drive
    from sweep.engine.scoring import ScoringFailed
    from sweep.engine.stage_runner import StageFailed
    from sweep.progress.notification import notifying

    try:
        with notifying(notify, planned.plan) as notifier:
            result = drive(planned)
            notifier.finished(result)
    except (StageFailed, ScoringFailed, TooManyFailures) as error:
        print(f"error: {error}{_next_after(planned.plan)}", file=sys.stderr)
        return 1
    except UserError:
        raise
    except Exception:  # a defect, of ours or of a library
        print(f"{traceback.format_exc()}{_next_after(planned.plan)}", file=sys.stderr)
        return 1
    # Here, when everything is closed: nothing is printed below it.
    print_answer(planned.plan, planned.plan.output, result)
    if as_json:
        print(json.dumps(result))
    return 0


def _next_after(plan: "Plan") -> str:
    """What to type after a sweep without an answer; before plan.json was written there is nothing to resume."""
    from trainables.base.storage.storage import Storage

    try:
        started = Storage(plan.output).exists(layout.PLAN)
    except Exception:  # boto3 and the file system each have their own kinds, and may be why the sweep has ended
        started = True
    if not started:
        return " before anything had started: run the same command again"
    commands = (command_line(command, plan.output) for command in ("run --resume", "status"))
    return "\n" + next_lines("to continue, or to see how far it is", *commands)


def _notify_address(arguments: argparse.Namespace) -> str | None:
    """The web address of --notify or its variable, checked before anything starts; it is not stored in the plan."""
    from sweep.progress.notification import VARIABLE, check_address

    url: str | None = arguments.notify or os.environ.get(VARIABLE) or None
    if url:
        check_address(url)
    return url


def _number(text: str, kind: Callable[[str], N], fits: Callable[[N], bool], what: str) -> N:
    value: N | None
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {what}")
    return value


def _whole(text: str, lowest: int, highest: int) -> int:
    return _number(text, int, lambda value: lowest <= value <= highest, f"a whole number from {lowest} to {highest:,}")


def _count_up_to(highest: int) -> Callable[[str], int]:
    return lambda text: _whole(text, 1, highest)


def _seeds(text: str) -> int | str:
    return text if text == "auto" else _whole(text, 1, _MOST_SEEDS)


def _seed(text: str) -> int:
    return _whole(text, 0, _LARGEST_SEED)


def _gpu_share(text: str) -> float:
    return _number(text, float, lambda share: 0 <= share <= 1, "a fraction of a GPU: a number from 0 to 1")


def _hours(text: str) -> float:
    return _number(text, float, lambda hours: 0 < hours < float("inf"), "a number of hours above 0")


def _machine_price(text: str) -> MachinePrice:
    try:
        return read_price(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a price and a number of cores: write it like 0.34/8, or 1.21/8/1 with a GPU"
        ) from error
