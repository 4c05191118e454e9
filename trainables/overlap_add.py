"""A long recording in pieces: a body with attention takes memory with the square of the length.

Neighbouring pieces share a second, over which one fades into the other. Where there are several sources, each piece
may name them in another order, so the order that agrees best over the shared second is taken.
"""

from collections.abc import Callable
from itertools import permutations

import numpy as np

PIECE_SECONDS = 30.0
SHARED_SECONDS = 1.0


def in_pieces(
    estimate: Callable[[np.ndarray], np.ndarray],
    audio: np.ndarray,
    sample_rate: int,
    piece_seconds: float = PIECE_SECONDS,
) -> np.ndarray:
    """(samples,) -> (sources, samples), where `estimate` does so for up to one and a half pieces."""
    piece, shared = round(piece_seconds * sample_rate), round(SHARED_SECONDS * sample_rate)
    stop = _end(0, piece, len(audio))
    whole = estimate(audio[:stop])
    while stop < len(audio):
        start, stop = stop - shared, _end(stop - shared, piece, len(audio))
        more = estimate(audio[start:stop])
        more = more[_order(whole[:, start:], more[:, :shared])]
        fade = np.linspace(0, 1, shared, dtype=np.float32)
        joint = (1 - fade) * whole[:, start:] + fade * more[:, :shared]
        whole = np.concatenate([whole[:, :start], joint, more[:, shared:]], axis=1)
    return whole


def _end(start: int, piece: int, length: int) -> int:
    """Where the piece ends; a remainder shorter than half a piece is taken with it."""
    return length if length - start < 1.5 * piece else start + piece


def _order(before: np.ndarray, now: np.ndarray) -> list[int]:
    """The order of the sources `now` that agrees best with those `before`, both (sources, samples)."""
    agreement = before @ now.T
    sources = range(len(now))
    return list(max(permutations(sources), key=lambda order: agreement[sources, order].sum()))
