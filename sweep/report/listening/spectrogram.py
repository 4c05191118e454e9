"""Spectrograms as small palette images without axes."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 400, 128  # pixels
RANGE_DB = 70.0  # from the darkest colour to the brightest
_WINDOW_SECONDS = 0.032
_COLOURS = 64  # fewer than a palette can hold: the images are a third smaller and look the same


def power_db(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """(ROWS, COLUMNS) in dB, lowest frequency first; each pixel is the maximum over the bins it covers."""
    window = 2 * ROWS * max(1, round(_WINDOW_SECONDS * sample_rate / (2 * ROWS)))
    padded = np.pad(audio, window // 2)
    starts = np.linspace(0, len(padded) - window, COLUMNS).astype(int)
    frames = padded[starts[:, None] + np.arange(window)] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, :-1] ** 2
    loudest = power.reshape(COLUMNS, ROWS, -1).max(axis=-1)
    return (10 * np.log10(loudest + 1e-12)).T.astype(np.float32)


def picture(decibels: NDArray[np.float32], brightest: float) -> bytes:
    """A PNG of `power_db`, with `brightest` dB in the brightest colour; share it to compare images."""
    from PIL import Image

    level = np.clip(1 + (decibels - brightest) / RANGE_DB, 0, 1)
    image = Image.fromarray(np.flipud((level * (_COLOURS - 1)).round().astype(np.uint8)), mode="P")
    image.putpalette(_palette())
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@cache
def _palette() -> bytes:
    from matplotlib import colormaps

    return (colormaps["magma"](np.linspace(0, 1, _COLOURS))[:, :3] * 255).round().astype(np.uint8).tobytes()
