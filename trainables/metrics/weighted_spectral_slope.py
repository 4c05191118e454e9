"""WSS: distance between the spectral slopes of two signals in critical bands. Conventions in `framing`.

Klatt: "Prediction of perceived phonetic distance from critical-band spectra", ICASSP 1982; as in Hu &
Loizou 2008.
"""

from functools import lru_cache

import numpy as np

from trainables.metrics.framing import mean_of_least_distorted, windowed_frames

# fmt: off
CENTRES = np.array([  # Hz
    50.0, 120.0, 190.0, 260.0, 330.0, 400.0, 470.0, 540.0, 617.372, 703.378, 798.717, 904.128, 1020.38,
    1148.30, 1288.72, 1442.54, 1610.70, 1794.16, 1993.93, 2211.08, 2446.71, 2701.97, 2978.04, 3276.17,
    3597.63,
])
BANDWIDTHS = np.array([  # Hz
    70.0, 70.0, 70.0, 70.0, 70.0, 70.0, 70.0, 77.3724, 86.0056, 95.3398, 105.411, 116.256, 127.914,
    140.423, 153.823, 168.154, 183.457, 199.776, 217.153, 235.631, 255.255, 276.072, 298.126, 321.465,
    346.136,
])
# fmt: on
GLOBAL_PEAK_WEIGHT, LOCAL_PEAK_WEIGHT = 20.0, 1.0  # dB; Klatt's K_max and K_locmax
ENERGY_FLOOR = 1e-10


def weighted_spectral_slope(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Mean WSS distance of `estimate` from `reference`, both (samples,) at `sample_rate` Hz; 0 is perfect.

    Raises Unscorable("too_short") under 37.5 ms.
    """
    clean = _band_levels(windowed_frames(reference, sample_rate), sample_rate)
    degraded = _band_levels(windowed_frames(estimate, sample_rate), sample_rate)
    weights = (_slope_weights(clean) + _slope_weights(degraded)) / 2
    squares = np.square(np.diff(clean, axis=0) - np.diff(degraded, axis=0))
    return mean_of_least_distorted((weights * squares).sum(axis=0) / weights.sum(axis=0))


def _band_levels(frames: np.ndarray, sample_rate: int) -> np.ndarray:
    """(frames, frame samples) -> (bands, frames) in dB."""
    fft_size = 2 ** int(np.ceil(np.log2(2 * frames.shape[1])))
    power = np.abs(np.fft.rfft(frames, fft_size)[:, :-1]) ** 2
    energies = _critical_band_filters(fft_size // 2, sample_rate) @ power.T
    return 10 * np.log10(np.maximum(energies, ENERGY_FLOOR))


@lru_cache(maxsize=4)
def _critical_band_filters(bins: int, sample_rate: int) -> np.ndarray:
    """Gaussian filters of equal area, (bands, bins), zero below 0.0015, Loizou's "-30 dB point"."""
    bins_per_hz = bins / (sample_rate / 2)
    centres = np.floor(CENTRES * bins_per_hz)[:, None]
    widths = (BANDWIDTHS * bins_per_hz)[:, None]
    area = np.log(BANDWIDTHS[0] / BANDWIDTHS)[:, None]
    filters = np.exp(-11 * ((np.arange(bins) - centres) / widths) ** 2 + area)
    return np.where(filters > np.exp(-30 / (2 * 2.303)), filters, 0.0)


def _slope_weights(levels: np.ndarray) -> np.ndarray:
    """Klatt's weight of each slope: high near spectral peaks. (bands, frames) -> (bands - 1, frames)."""
    below_highest = levels.max(axis=0) - levels[:-1]
    below_nearby = _nearby_peaks(levels) - levels[:-1]
    by_highest = GLOBAL_PEAK_WEIGHT / (GLOBAL_PEAK_WEIGHT + below_highest)
    by_nearby = LOCAL_PEAK_WEIGHT / (LOCAL_PEAK_WEIGHT + below_nearby)
    return by_highest * by_nearby


def _nearby_peaks(levels: np.ndarray) -> np.ndarray:
    """Level of the peak that each slope climbs towards, (bands, frames) -> (bands - 1, frames), in dB.

    Loizou's code stops one band short of the peak where the slope climbs to the right; every published
    score carries that, so it is kept.
    """
    rising = np.diff(levels, axis=0) > 0
    to_left, to_right = levels[:-1].copy(), levels[:-1].copy()
    for band in range(1, len(rising)):
        to_left[band] = np.where(rising[band - 1], levels[band], to_left[band - 1])
    for band in range(len(rising) - 2, -1, -1):
        to_right[band] = np.where(rising[band + 1], to_right[band + 1], levels[band])
    return np.where(rising, to_right, to_left)
