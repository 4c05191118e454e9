"""`judge`: a verdict on anyone's scores, from files, standard input, a sweep or an MLflow experiment."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sweep.commands.common import add_output_argument, command_parser
from trainables.base.errors import UserError

if TYPE_CHECKING:
    from sweep.judging.columns import Asked
    from sweep.judging.view import Judged

FORMATS = ("table", "markdown", "json", "csv", "latex")
_DESCRIPTION = """\
Which system is best, and is that more than chance? Give scores per utterance (or per seed) of two or more systems:
CSV, TSV, JSON lines or Parquet, compressed or not, long (a row per score) or wide (a column per system), one file or
one per system; files as ESPnet, SpeechBrain, VERSA and SpeechScore write them; the name of a sweep. Columns are
guessed by name and said; a flag names any that was guessed wrong, and where two could be meant, you are asked.
"""
_EXAMPLES = """\
examples
  python sweep/judge.py scores.csv                        system,utterance,pesq or utterance,A,B,C: said back
  python sweep/judge.py A.csv B.csv --metric si_sdr       a file per system; A-seed1.csv A-seed2.csv: seeds of A
  python sweep/judge.py scores.csv --nominate valid.csv   the leader named on other data: narrower intervals
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser("judge", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("scores", metavar="SCORES", nargs="*", help="files, - for standard input, or a sweep's name")
    columns = parser.add_argument_group("columns, where the guess is wrong")
    for role, meaning in {
        "candidate": "what is compared: a system, a model",
        "seed": "which training run of it",
        "utterance": "what was scored: scores are paired by it",
        "speaker": "whose utterance; from ten speakers up, they are the unit of chance",
        "group": "a verdict for each",
        "value": "the scores",
    }.items():
        columns.add_argument(f"--{role}", metavar="COL", help=meaning)
    columns.add_argument("--metric", metavar="NAME", help="the column of scores, or their name in a column of metrics")
    columns.add_argument("--wide", action="store_true", help="each column of numbers is a system")
    columns.add_argument(
        "--speaker-from", metavar="REGEX", help="speakers from the utterances' names, such as '^(p[0-9]+)_'"
    )
    better = parser.add_mutually_exclusive_group()
    better.add_argument("--lower", action="store_true", help="lower scores are better (known of WER, LSD and others)")
    better.add_argument("--higher", action="store_true", help="higher scores are better")
    parser.add_argument(
        "--nominate",
        metavar="FILE",
        action="append",
        default=[],
        help="scores of a validation split, which name the leader; once for each file",
    )
    parser.add_argument("--baseline", metavar="LABEL", help="show every candidate's gain over this one")
    parser.add_argument(
        "--apart",
        metavar="LABEL",
        action="append",
        default=[],
        help="its scores scatter unlike the others' by nature, so they are not pooled; once for each",
    )
    parser.add_argument("--margin", metavar="X", help="differences that surely lie within ±X count as equivalent")
    parser.add_argument("--alpha", metavar="A", default="0.05", help="intervals span 1 - A (default 0.05)")
    parser.add_argument("--unit", choices=("utterance", "speaker"), help="the unit of chance; speaker: its mean")
    mlflow = parser.add_argument_group("an MLflow experiment, one value a run")
    mlflow.add_argument("--mlflow", metavar="URI", help="its address; --candidate and --seed name a tag or parameter")
    mlflow.add_argument("--experiment", metavar="NAME", help="its name; needs --metric")
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print it (default table)")
    parser.add_argument("--html", metavar="FILE", help="also write one self-contained page")
    add_output_argument(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    alpha = _number("--alpha", arguments.alpha, lambda value: 0 < value < 0.5, "between 0 and 0.5")
    margin = None
    if arguments.margin is not None:
        margin = _number("--margin", arguments.margin, lambda value: 0 < value < math.inf, "above 0")
    if bool(arguments.mlflow) != bool(arguments.experiment):
        raise UserError("--mlflow URI and --experiment NAME go together: give both")
    if bool(arguments.mlflow) == bool(arguments.scores):
        raise UserError(
            "--mlflow is instead of files: give one of both"
            if arguments.scores
            else "which scores? give files, - for standard input, a sweep's name, or --mlflow and --experiment"
        )
    if arguments.html and _is_among(arguments.html, [*arguments.scores, *arguments.nominate]):
        raise UserError(f"--html {arguments.html}: it holds scores, and the page would replace them: name another file")
    judged = _judged(arguments, alpha, margin)
    if arguments.html:
        _write_page(judged, arguments.html)
    from sweep.judging.view import judged_view
    from sweep.report.output_formats import print_view

    if arguments.format in ("table", "csv"):  # the others have it in their text
        print(judged.said, file=sys.stderr)
    print_view(judged_view(judged), arguments.format)
    return 0


def _judged(arguments: argparse.Namespace, alpha: float, margin: float | None) -> "Judged":
    from sweep.judging.judged import Question, judged_scores

    question = Question(
        asked=_asked(arguments),
        speaker_from=arguments.speaker_from,
        lower=arguments.lower,
        higher=arguments.higher,
        baseline=arguments.baseline,
        apart=tuple(arguments.apart),
        margin=margin,
        alpha=alpha,
        unit=arguments.unit,
    )
    if arguments.mlflow:
        from sweep.judging.mlflow_runs import read_experiment

        table, asked = read_experiment(arguments.mlflow, arguments.experiment, question.asked)
        return judged_scores([table], [("", None)], replace(question, asked=asked), arguments.nominate)
    from sweep.judging.sources import is_file, labels, read_source

    if len(arguments.scores) == 1 and not is_file(arguments.scores[0]):
        return _judged_sweep(arguments)
    tables = [read_source(name) for name in arguments.scores]
    return judged_scores(tables, labels(arguments.scores), question, arguments.nominate)


def _judged_sweep(arguments: argparse.Namespace) -> "Judged":
    from sweep.judging.own_rows import judged_sweep

    fixed = {
        f"--{name}": getattr(arguments, name) for name in ("nominate", "baseline", "apart", "margin", "unit", "lower")
    }
    for flag, value in fixed.items():
        if value:
            raise UserError(f"{flag}: {arguments.scores[0]} is no file, and a sweep has its own: leave it out")
    return judged_sweep(arguments.scores[0], arguments.output, arguments.metric)


def _asked(arguments: argparse.Namespace) -> "Asked":
    from sweep.judging.columns import Asked

    return Asked(**{name: getattr(arguments, name) for name in Asked.__dataclass_fields__})


def _number(flag: str, text: str, allowed: Callable[[float], bool], words: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not allowed(value):
        raise UserError(f"{flag} {text[:40]!r}: give a number {words}")
    return value


def _is_among(file: str, others: Sequence[str]) -> bool:
    from pathlib import Path

    return any(Path(file).resolve() == Path(other).resolve() for other in others)


def _write_page(judged: "Judged", file: str) -> None:
    from pathlib import Path

    from sweep.judging.page import judged_page

    page = judged_page(judged)
    try:
        Path(file).write_text(page, encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UserError(
            f"--html {file}: cannot be written ({error.strerror}); name a file in a folder that exists"
        ) from error
