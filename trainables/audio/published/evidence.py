"""What the audio of a sample says about how a corpus was read: pairing, delay, level, sign, band, duration, speakers.

Only ratios and positions, which hold for any corpus of clean speech and the same speech plus noise.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import SEVERAL_CHANNELS
from trainables.audio.corpus.corpus import Corpus, MixtureTable, PairedTable, Table
from trainables.audio.published.comparison import Comparison, split_table
from trainables.audio.published.figures import Published, rounding

Samples = NDArray[np.float32]

UNRELATED = 0.45  # correlation at the best delay below which two recordings do not hold the same speech (-6 dB SNR)
ALIKE = 0.6  # and above which they surely do
SPEEDS = (3.0, 2.0, 1.5, 48 / 44.1, 44.1 / 16, 22.05 / 16, 24 / 22.05, 32 / 22.05)  # ratios of usual sample rates
EMPTY = -60.0  # dB of the whole: what lies above the band
_SEARCHED_CLEAN, _SEARCHED_NOISY = 2, 1000  # rows compared with one another in search of the right partner
_SIGNATURE = 2048  # samples around the middle


@dataclass(frozen=True)
class Match:
    """How a recording holds another: correlation (0 to 1) at the best of all delays, that delay, gain and sign there.

    `delay`: samples by which the noisy side is late. `gain`: level of the speech in it, signed; 1 is right.
    """

    correlation: float
    delay: int
    gain: float


@dataclass(frozen=True)
class Evidence:
    """What a sample of one split shows. Of mixtures, only `band`, `hours_ratio` and `channels` are looked at."""

    matches: tuple[Match, ...]
    partner: tuple[str, str] | None  # ids: this clean side is that noisy side's
    speed: float | None  # at which the noisy side, played so much faster, holds the clean one
    hours_ratio: float | None  # the split's duration over the published one; None where rounding explains it
    band: float  # Hz: above it there is nothing
    nyquist: float  # Hz
    speakers: frozenset[str]  # that the published split does not have
    known_from: tuple[str, str] | None  # ids: this row of the split is that one of train
    channels: bool  # were several averaged?


def look(corpus: Corpus, published: Published, comparison: Comparison) -> Evidence:
    """Looks at the rows that were scored; where their sides don't match, also at others of the split."""
    table = split_table(corpus, comparison.split)
    rows = comparison.drawn
    paired = isinstance(table, PairedTable)
    matches = tuple(match(table.clean(row), table.noisy(row)) for row in rows) if isinstance(table, PairedTable) else ()
    strangers = [row for row, each in zip(rows, matches, strict=False) if each.correlation < UNRELATED]
    partner, speed = None, None
    if isinstance(table, PairedTable) and strangers:
        partner = _partner(table, strangers)
        speed = None if partner else _speed(table, strangers)
    return Evidence(
        matches=matches,
        partner=partner,
        speed=speed,
        hours_ratio=_hours_ratio(table, published),
        band=_band(table, rows),
        nyquist=corpus.sample_rate / 2,
        speakers=_other_speakers(table, published),
        # A corpus on S3 would be copied here whole.
        known_from=_known_from(corpus, table, rows) if paired and not corpus.uri.startswith("s3:") else None,
        channels=any(SEVERAL_CHANNELS in note for note in corpus.summary()["notes"]),
    )


def match(clean: Samples, noisy: Samples) -> Match:
    """Over all delays at which the two overlap; (samples,) each, of any lengths."""
    from scipy import fft

    clean, noisy = (each.astype(np.float64) - each.mean(dtype=np.float64) for each in (clean, noisy))
    size = fft.next_fast_len(len(clean) + len(noisy), real=True)
    products = fft.irfft(np.conj(fft.rfft(clean, size)) * fft.rfft(noisy, size), size)
    peak = int(np.argmax(np.abs(products)))
    energy = float(clean @ clean)
    scale = math.sqrt(energy * float(noisy @ noisy))
    found = float(products[peak])
    delay = peak if peak < len(noisy) else peak - size
    return Match(abs(found) / scale if scale else 0.0, delay, found / energy if energy else 0.0)


def _partner(table: PairedTable, strangers: list[int]) -> tuple[str, str] | None:
    """The first clean side, of a few, that another row's noisy side holds."""
    for row in strangers[:_SEARCHED_CLEAN]:
        clean = table.clean(row)
        for other in range(min(len(table), _SEARCHED_NOISY)):
            if other != row and match(clean, table.noisy(other)).correlation > ALIKE:
                return table.ids[row], table.ids[other]
    return None


def _speed(table: PairedTable, strangers: list[int]) -> float | None:
    """The ratio of usual rates by which a noisy side must be played faster to hold its clean side, or its beginning."""
    import soxr

    clean, noisy = table.clean(strangers[0]), table.noisy(strangers[0])
    rate = table.corpus.sample_rate
    for speed in (each for ratio in SPEEDS for each in (ratio, 1 / ratio)):
        faster = soxr.resample(noisy, rate * speed, rate)
        shared = min(len(faster), len(clean))
        if match(clean[:shared], faster[:shared]).correlation > ALIKE:
            return speed
    return None


def _other_speakers(table: Table, published: Published) -> frozenset[str]:
    return frozenset(table.speakers) - published.speakers if published.speakers else frozenset()


def _hours_ratio(table: Table, published: Published) -> float | None:
    if not published.hours:
        return None
    hours, printed, slack = sum(table.seconds) / 3600, float(published.hours), rounding(published.hours)
    return None if printed - slack <= hours <= printed + slack else hours / printed


def _band(table: PairedTable | MixtureTable, rows: Iterable[int]) -> float:
    """The frequency (Hz) above which the noisy sides together hold less than `EMPTY` of their energy."""
    size = 1024
    power = np.zeros(size // 2 + 1)
    for row in rows:
        signal = table.noisy(row) if isinstance(table, PairedTable) else table.sources(row).sum(axis=0)
        frames = np.resize(signal, (max(1, len(signal) // size), size)) * np.hanning(size)
        power += np.square(np.abs(np.fft.rfft(frames))).sum(axis=0)
    above = np.cumsum(power[::-1])[::-1]
    held = int(np.searchsorted(-above, -above[0] * 10 ** (EMPTY / 10)))
    return min(held, size // 2) * table.corpus.sample_rate / size


def _known_from(corpus: Corpus, table: Table, rows: Iterable[int]) -> tuple[str, str] | None:
    """A row of the sample whose clean side is also in train, under whatever name."""
    train = split_table(corpus, "train")
    known = {signature: train.ids[row] for row in range(len(train)) if (signature := _signature(train, row))}
    found = ((table.ids[row], known.get(_signature(table, row))) for row in rows)
    return next(((name, other) for name, other in found if other is not None), None)


def _signature(table: Table, row: int) -> bytes:
    """A hash of the length and the middle; empty where that is digital silence, which proves nothing."""
    samples = table.samples(row)
    start = max(0, samples // 2 - _SIGNATURE // 2)
    middle = table.audio(row, start, start + _SIGNATURE)
    return hashlib.sha256(middle.tobytes() + str(samples).encode()).digest() if np.ptp(middle) else b""
