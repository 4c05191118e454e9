"""`prepare`: turns recordings into a corpus, with a progress bar, and describes what it made."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.commands.common import command_parser
from trainables.audio.recipes.recipe import DEMO
from trainables.audio.recipes.recipes import RECIPES
from trainables.base.errors import UserError
from trainables.base.paths import is_text, shown
from trainables.base.user_path import user_path

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.published.figures import Published

_DESCRIPTION = """\
Prepare a corpus once, for many sweeps.

TARGET becomes a folder (or s3:// prefix) with corpus.json and Arrow shards: 16 kHz mono, split into train, valid
and test with no speaker, noise type or recording in common. WAV, FLAC, AIFF, AU, CAF, SPHERE, Ogg and MP3 are read,
integers and floats alike. Other sample rates are resampled, several channels are averaged, copies are counted once,
and each is reported, as are files left out. Damaged, silent and ambiguous files are refused, all in one report. If it
is interrupted, run the same command again: finished shards are kept. Of a published set, a sample of the noisy input is
then scored and compared with the published figures; a warning names the likely cause where they differ.
"""
_EXAMPLES = """\
layouts of the folder recipe
  speech/<speaker>/*.wav and noise/<type>/*.wav     mixed on the fly while training
  clean/*.wav and noisy/*.wav, same names           p226_001.wav is of speaker p226
  speech/train/<speaker>/, noise/dev/<type>/        folders named after splits decide the splits
  MANIFEST.csv next to them, columns path, split and speaker_or_noise_type, decides the splits if it exists

examples
  python sweep/prepare.py folder ~/recordings ~/corpora/mine
  python sweep/prepare.py folder ~/recordings s3://bucket/corpora/mine
  python sweep/prepare.py demo builtin s3://bucket/corpora/demo
then
  python sweep/run.py --space norm_layers --corpus ~/corpora/mine
"""


def build_parser() -> argparse.ArgumentParser:
    recipes = [f"  {name:<26} {recipe.summary}\n{'SOURCE':>35}: {recipe.source}" for name, recipe in RECIPES.items()]
    parser = command_parser("prepare", _DESCRIPTION, "\n".join(["recipes", *recipes, "", _EXAMPLES]))
    parser.add_argument("recipe", metavar="RECIPE", help="the kind of material, from the list below")
    parser.add_argument("source", metavar="SOURCE", help="the folder that holds it, as its recipe says below")
    parser.add_argument("target", metavar="TARGET", help="a local folder or s3://bucket/prefix to write to")
    return parser


def run(arguments: argparse.Namespace) -> int:
    try:
        _prepare(arguments.recipe, arguments.source, arguments.target)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("run the same command again to continue from the last finished shard") from None
    return 0


def _prepare(recipe: str, source: str, target: str) -> None:
    from trainables.audio.corpus.corpus_writer import write_corpus
    from trainables.base.storage.storage import InputStorage

    if not target.strip():
        raise UserError("TARGET is empty: give a folder or s3://bucket/prefix to write the corpus to")
    if recipe != DEMO:
        _require_reachable(source)
        _require_apart(source, target)
    destination = InputStorage(target).uri
    if not is_text(destination):
        raise UserError(f"TARGET {shown(target)}: holds control characters or bytes that are not UTF-8; give another")
    listing = RECIPES[recipe].list_source(user_path(source).absolute())
    for note in listing.notes:
        print(f"note: {note}", file=sys.stderr)
    with _progress_bar("preparing") as progress:
        corpus = write_corpus(listing, destination, progress)
    summary = corpus.summary()
    for note in summary["notes"][len(listing.notes) :]:  # known only once the audio was read
        print(f"note: {note}", file=sys.stderr)
    _describe(corpus.uri, summary)
    _check_input(corpus, RECIPES[recipe].published)


def _check_input(corpus: "Corpus", published: "Sequence[Published]") -> None:
    """Compare a known corpus's noisy input with the published figures: says what differs, and refuses nothing."""
    if not published:
        return
    from trainables.audio.published.check import check_input

    with _progress_bar("scoring a sample") as progress:
        checked = check_input(corpus, published, progress=progress)
    if checked is None:
        return
    print("\n".join(checked.lines()))
    for warning in checked.warnings():
        print(f"warning: {warning}", file=sys.stderr)


def _require_reachable(source: str) -> None:
    """Raise `UserError` if the source cannot be entered; its recipe checks that it exists and what it holds."""
    if not source.strip():
        raise UserError("SOURCE is empty: give the folder that holds the recordings")
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.stat(os.path.join(user_path(source), "."))  # stat of "." needs permission to enter
    except OSError as error:
        raise UserError(f"SOURCE {shown(source)}: {error.strerror}; give a folder that can be entered") from error


def _require_apart(source: str, target: str) -> None:
    """A corpus inside the recordings would be read as recordings, and the other way round."""
    if target.startswith("s3:"):
        return
    read, written = (Path(os.path.realpath(user_path(each))) for each in (source, target))
    if read == written or read in written.parents or written in read.parents:
        where = "is" if read == written else "lies inside" if read in written.parents else "contains"
        raise UserError(
            f"TARGET {target} {where} SOURCE {source}: a corpus needs a folder of its own; give one elsewhere"
        )


@contextmanager
def _progress_bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, apart from the result on standard output."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _describe(uri: str, summary: dict[str, Any]) -> None:
    synthetic = ", synthetic" if summary["synthetic"] else ""
    print(f"{uri}: {summary['kind']}{synthetic}, fingerprint {summary['fingerprint']}")
    for split, counts in summary["splits"].items():
        noise = f", {counts['noise_types']} noise types, {counts['noise_seconds'] / 60:.1f} min" * bool(
            counts["noises"]
        )
        print(
            f"  {split:5}  {counts['speakers']} speakers, {counts['utterances']} utterances, "
            f"{counts['speech_seconds'] / 60:.1f} min{noise}"
        )
