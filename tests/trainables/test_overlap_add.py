"""A long recording in pieces comes out as it would whole, as far as the method allows."""

from itertools import cycle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.overlap_add import in_pieces

RATE = 100


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(1, 3000), piece_seconds=st.floats(2.5, 6.0))
def test_what_changes_nothing_gives_the_recording_back(samples: int, piece_seconds: float) -> None:
    audio = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    lengths = []

    def unchanged(part: np.ndarray) -> np.ndarray:
        lengths.append(len(part))
        return part[None]

    np.testing.assert_allclose(in_pieces(unchanged, audio, RATE, piece_seconds)[0], audio, atol=1e-6)
    assert max(lengths) <= 1.5 * round(piece_seconds * RATE)


def test_a_short_recording_is_one_piece() -> None:
    calls = []

    def unchanged(part: np.ndarray) -> np.ndarray:
        calls.append(len(part))
        return part[None]

    in_pieces(unchanged, np.zeros(499, np.float32), RATE, 4.0)
    assert calls == [499]


@pytest.mark.parametrize("sources", [2, 3])
def test_sources_keep_their_order_though_every_piece_names_them_anew(sources: int) -> None:
    time = np.arange(2000, dtype=np.float32) / RATE
    voices = np.stack([np.sin(2 * np.pi * (3 + 4 * n) * time + n) for n in range(sources)]).astype(np.float32)
    shifts = cycle(range(sources))

    def separated(part: np.ndarray) -> np.ndarray:
        """The part's first sample says where it is."""
        start = round(float(part[0]))
        return np.roll(voices[:, start : start + len(part)], next(shifts), axis=0)

    found = in_pieces(separated, np.arange(2000, dtype=np.float32), RATE, 4.0)
    np.testing.assert_allclose(found, voices, atol=1e-5)
