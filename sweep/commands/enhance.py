"""`enhance`: runs a sweep's winner on a recording and writes the result."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweep.commands.common import add_output_argument, command_parser
from trainables.base.errors import UserError
from trainables.base.paths import shown
from trainables.base.user_path import user_path

_DESCRIPTION = """\
Enhance or separate a recording with a sweep's winner.

A sweep's name stands for the leader of its group, with the seed that was best on valid; an MLflow run id stands for
that sweep, candidate or finalist. Any sample rate from 8 to 192 kHz and any number of channels: the recording is
resampled to the model's rate and back. Enhancement processes each channel separately and writes as many; separation
averages the channels and writes one file per voice: out-1.wav, out-2.wav. The level is the recording's, by least
squares: speech is as loud as it was, of several voices the loudest. Files are 32-bit float WAV, so that nothing is
clipped; a peak above full scale is mentioned.
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
    parser.add_argument("source", metavar="IN.wav", help="the recording: WAV, FLAC, MP3, Ogg, AIFF, ...")
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
    parts = _parts(target, enhance.sources)
    _refuse_input(source, parts)
    peaks = _write(parts, enhance(audio, rate), rate)
    print(f"{', '.join(map(shown, parts))}: {shown(source)} by {enhance.job}")
    for path, peak in peaks.items():
        if peak > 1:
            print(
                f"note: {shown(path)} peaks at {peak:.2f} of full scale: turn it down before playing or converting it"
            )
    return 0


def _check_files(source: Path, target: Path) -> None:
    """Raise `UserError` for bad paths before seconds are spent on loading a model."""
    if target.suffix.lower() != ".wav":
        raise UserError(f"{shown(target)}: the output is a .wav file; give it that suffix")
    if not os.path.isdir(target.parent):
        raise UserError(f"{shown(target)}: there is no folder {shown(target.parent)}; create it, or choose another")
    if os.path.isdir(target):
        raise UserError(f"{shown(target)}: is a folder; give the name of a file")
    _refuse_input(source, [target])


def _refuse_input(source: Path, targets: Sequence[Path]) -> None:
    """Raise `UserError` if writing would replace the recording, under whatever name."""
    for target in targets:
        if os.path.exists(source) and os.path.exists(target) and source.samefile(target):
            raise UserError(f"{shown(target)}: that is the recording itself; give another name")


def _read(path: Path) -> tuple[Any, int]:
    """(samples, channels) float32 and the sample rate; floats may pass full scale. Raises `UserError`."""
    from trainables.audio.corpus.audio_files import INTEGERS, read_sound

    audio, rate = read_sound(path, loudest=INTEGERS)
    return audio.astype("float32"), rate


def _parts(target: Path, sources: int) -> list[Path]:
    """The files to write: one, or one per voice."""
    if sources == 1:
        return [target]
    return [target.with_stem(f"{target.stem}-{number}") for number in range(1, sources + 1)]


def _write(parts: Sequence[Path], audio: Any, rate: int) -> dict[Path, float]:
    """Each file's peak, as a share of full scale. Raises `UserError`, and then leaves nothing half written."""
    import numpy as np
    import soundfile

    peaks = {}
    for path, samples in zip(parts, audio if len(parts) > 1 else [audio], strict=True):
        partial = path.with_name(f".writing-{os.getpid()}.wav")
        try:
            soundfile.write(os.fsencode(partial), samples, rate, subtype="FLOAT")
            os.replace(partial, path)
        except (OSError, soundfile.SoundFileError) as error:
            partial.unlink(missing_ok=True)
            raise UserError(f"cannot write {shown(path)}: {shown(str(error))}") from error
        peaks[path] = float(np.abs(samples).max(initial=0.0))
    return peaks
