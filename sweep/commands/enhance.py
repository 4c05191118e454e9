"""`enhance`: runs a sweep's winner on a recording and writes the result."""

import argparse
import os
from pathlib import Path
from typing import Any

from sweep.commands.common import add_output_argument, command_parser
from trainables.base.errors import UserError
from trainables.base.user_path import user_path

_DESCRIPTION = """\
Enhance or separate a recording with a sweep's winner.

A sweep's name stands for the leader of its group, with the seed that was best on valid; an MLflow run id stands for
that sweep, candidate or finalist. Any sample rate from 8 to 192 kHz and any number of channels: the recording is
resampled to the model's rate and back, its level is kept. Enhancement processes each channel separately and writes
as many; separation averages the channels and writes one file per voice: out-1.wav, out-2.wav. Files are 32-bit float
WAV, so that nothing is clipped.
"""
_EXAMPLES = """\
examples
  python sweep/enhance.py NAME in.wav out.wav
  python sweep/enhance.py NAME in.wav out.wav --group tera       where the sweep has several groups
  python sweep/enhance.py 3f0c...e1 in.flac out.wav              an MLflow run id

from Python
  from sweep.winners import load_winner
  enhance = load_winner("NAME", group="tera")
  enhanced = enhance(noisy, sample_rate)
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser("enhance", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("run_or_name", metavar="RUN_OR_NAME", help="a sweep's name, or an MLflow run id")
    parser.add_argument("source", metavar="IN.wav", help="the recording: WAV or FLAC")
    parser.add_argument("target", metavar="OUT.wav", help="where to write; an existing file is replaced")
    parser.add_argument("--group", metavar="GROUP", help="which group's leader, such as an upstream's name")
    add_output_argument(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    source, target = user_path(arguments.source), user_path(arguments.target)
    _check_files(source, target)
    audio, rate = _read(source)
    from sweep.commands.winning_model import load_winner  # imports pandas, and torch when it loads

    enhance = load_winner(arguments.run_or_name, arguments.group, arguments.output)
    written = _write(target, enhance(audio, rate), rate, enhance.sources)
    print(f"{', '.join(map(str, written))}: {source} by {enhance.job}")
    return 0


def _check_files(source: Path, target: Path) -> None:
    """Raise `UserError` for bad paths before seconds are spent on loading a model."""
    if target.suffix.lower() != ".wav":
        raise UserError(f"{target}: the output is a .wav file; give it that suffix")
    if not os.path.isdir(target.parent):
        raise UserError(f"{target}: there is no folder {target.parent}; create it, or choose another")
    if os.path.exists(source) and os.path.exists(target) and source.samefile(target):
        raise UserError(f"{target}: that is the recording itself; give another name")


def _read(path: Path) -> tuple[Any, int]:
    """(samples, channels) float32 and the sample rate. Raises `UserError`."""
    import numpy as np
    import soundfile

    from trainables.audio.corpus.audio_files import read_header

    rate = read_header(path).sample_rate
    try:
        audio, _ = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); replace it") from error
    if not np.isfinite(audio).all():
        raise UserError(f"{path}: holds values that are not finite numbers; replace it")
    return audio, rate


def _write(target: Path, audio: Any, rate: int, sources: int) -> list[Path]:
    import soundfile

    parts = {target: audio}
    if sources > 1:
        parts = {target.with_stem(f"{target.stem}-{n}"): part for n, part in enumerate(audio, start=1)}
    for path, samples in parts.items():
        try:
            soundfile.write(str(path), samples, rate, subtype="FLOAT")
        except (OSError, soundfile.SoundFileError) as error:
            raise UserError(f"cannot write {path}: {error}") from error
    return list(parts)
