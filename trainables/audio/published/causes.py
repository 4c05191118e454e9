"""From what a sample shows to what is probably wrong: the likeliest cause first, each with its remedy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainables.audio.corpus.remarks import first_of
from trainables.audio.published.evidence import SPEEDS, UNRELATED, Evidence
from trainables.base.paths import shown

DROWNED = 0.05  # of the rows may hold less speech than can be recognized
LEVEL = 0.5  # dB by which speech in the noisy sides may differ from the clean ones
SPREAD = 1.0  # dB of standard deviation between rows, from which each file has a level of its own
NARROW = 0.85  # of the band that the rate allows
_RATES = (4000, 6000, 8000, 11_025, 12_000)  # Hz, from which files are upsampled
_SAME_SPEED = 0.1  # by which a printed duration may be off
# What can be harmless, so that it counts only where scores differ: one channel twice, a level no metric depends on.
HARMLESS = {"channel", "level"}


@dataclass(frozen=True)
class Cause:
    """`name`: pairing, rate, delay, split, channel, level or sign."""

    name: str
    text: str


def likely_causes(seen: Evidence) -> tuple[Cause, ...]:
    """All that the evidence points to, the most decisive first: wrong pairs also have wrong levels, and so on."""
    return tuple(cause for found in (_pairing, _delay, _split, _rate, _channel, _level) for cause in found(seen))


def _pairing(seen: Evidence) -> Iterator[Cause]:
    strangers = sum(each.correlation < UNRELATED for each in seen.matches)
    # A few rows may be that noisy; a partner elsewhere proves the fault.
    if strangers <= DROWNED * len(seen.matches) and not seen.partner and seen.speed is None:
        return
    share = f"in {strangers} of {len(seen.matches)} rows the noisy side does not hold the clean side's speech"
    if seen.speed is not None:
        yield Cause(
            "rate",
            f"{share}, but does when played {_times(seen.speed)}: one of the two was written with the wrong sample "
            "rate; write both sides again from the originals",
        )
    elif seen.partner:
        one, other = (shown(each) for each in seen.partner)
        yield Cause(
            "pairing",
            f"{share}; the clean side of {one} belongs to the noisy side of {other}: files were renamed or paired by "
            "position; unpack both archives again",
        )
    else:
        yield Cause(
            "pairing",
            f"{share}, nor does another row's: the two folders are of different material; unpack both archives again",
        )


def _delay(seen: Evidence) -> Iterator[Cause]:
    delays = [each.delay for each in seen.matches if each.correlation >= UNRELATED]
    late = [delay for delay in delays if delay]
    if len(late) * 2 > len(delays):
        middle = float(np.median(late))
        yield Cause(
            "delay",
            f"the noisy side is {abs(middle):.0f} samples ({1000 * abs(middle) / (2 * seen.nyquist):.1f} ms) "
            f"{'late' if middle > 0 else 'early'} in {len(late)} of {len(delays)} rows: one side was trimmed, or went "
            "through a filter; use the original files",
        )


def _split(seen: Evidence) -> Iterator[Cause]:
    if seen.speakers:
        yield Cause(
            "split",
            f"the test split has speakers that the published one has not ({first_of(sorted(seen.speakers))}): another "
            "set lies in its place; unpack the test archives again",
        )
    elif seen.known_from:
        one, other = (shown(each) for each in seen.known_from)
        yield Cause(
            "split",
            f"{one} of test is {other} of train under another name: training material lies in the test folder; unpack "
            "the test archives again",
        )


def _rate(seen: Evidence) -> Iterator[Cause]:
    ratio = seen.hours_ratio
    speeds = [each for speed in SPEEDS for each in (speed, 1 / speed) if not 0.85 < each < 1.18]
    if ratio is not None and any(abs(ratio / speed - 1) <= _SAME_SPEED for speed in speeds):
        yield Cause(
            "rate",
            f"the split lasts {ratio:.2g} times as long as published: the files' headers state a sample rate that is "
            f"not that of their samples; write them again with {ratio:.2g} times the rate",
        )
    elif ratio is not None:
        yield Cause(
            "split",
            f"the split lasts {ratio:.2g} times as long as published: files are missing, cut or padded; unpack the "
            "test archives again",
        )
    if seen.band < NARROW * seen.nyquist:
        yield Cause(
            "rate",
            f"above {seen.band:.0f} Hz there is nothing, {seen.nyquist:.0f} Hz are possible: the files were made from "
            f"ones at about {min(_RATES, key=lambda rate: abs(rate - 2 * seen.band))} Hz; start from the originals",
        )


def _channel(seen: Evidence) -> Iterator[Cause]:
    if seen.channels:
        yield Cause(
            "channel",
            "files with several channels were averaged to one, the published set has one: extract the channel that "
            "is meant",
        )


def _level(seen: Evidence) -> Iterator[Cause]:
    gains = np.array([each.gain for each in seen.matches if each.correlation >= UNRELATED])
    if not len(gains):
        return
    flipped = int((gains < 0).sum())
    if 2 * flipped > len(gains):
        yield Cause(
            "sign", f"the speech in the noisy side is inverted in {flipped} of {len(gains)} rows: invert one side"
        )
    levels = 20 * np.log10(np.maximum(np.abs(gains), 1e-6))
    middle, spread = float(np.median(levels)), float(np.std(levels))
    if spread > SPREAD:
        yield Cause(
            "level",
            f"the speech in the noisy side is from {levels.min():+.1f} to {levels.max():+.1f} dB of that in the clean "
            "side: files were normalized one by one; use the original levels",
        )
    elif abs(middle) > LEVEL:
        yield Cause(
            "level",
            f"the speech in the noisy side is {abs(middle):.1f} dB {'louder' if middle > 0 else 'softer'} than in the "
            "clean side: one side was scaled; use the original levels",
        )


def _times(speed: float) -> str:
    return f"{speed:.3g} times faster" if speed > 1 else f"{1 / speed:.3g} times slower"
