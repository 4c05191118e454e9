"""The ingredients of the composite measures, scalar by scalar, as Hu & Loizou (2008) define them.

Shares nothing with the code under test: frames are cut by index, the spectrum is a plain Fourier sum over
a matrix, recursions run element by element.
"""

import math

import numpy as np

EPS = 2.220446049250313e-16
CENTRES = [50, 120, 190, 260, 330, 400, 470, 540, 617.372, 703.378, 798.717, 904.128, 1020.38, 1148.30]
CENTRES += [1288.72, 1442.54, 1610.70, 1794.16, 1993.93, 2211.08, 2446.71, 2701.97, 2978.04, 3276.17, 3597.63]
WIDTHS = [70, 70, 70, 70, 70, 70, 70, 77.3724, 86.0056, 95.3398, 105.411, 116.256, 127.914, 140.423, 153.823]
WIDTHS += [168.154, 183.457, 199.776, 217.153, 235.631, 255.255, 276.072, 298.126, 321.465, 346.136]

FFT = 1024
_ANGLES = 2 * np.pi / FFT * np.outer(np.arange(FFT // 2), np.arange(480))
_COSINES, _SINES = np.cos(_ANGLES), np.sin(_ANGLES)


def frames(signal: np.ndarray) -> list[list[float]]:
    """480-sample frames every 120 samples at 16 kHz, but for the last whole one."""
    window = [0.5 * (1 - math.cos(2 * math.pi * n / 481)) for n in range(1, 481)]
    samples = [float(x) + EPS for x in signal]
    count = math.floor(len(samples) / 120 - 480 / 120)
    return [[samples[120 * f + n] * window[n] for n in range(480)] for f in range(count)]


def best_95_percent(values: list[float]) -> float:
    kept = sorted(values)[: round(0.95 * len(values))]
    return sum(kept) / len(kept)


def segsnr(reference: np.ndarray, estimate: np.ndarray) -> float:
    per_frame = []
    for clean, degraded in zip(frames(reference), frames(estimate), strict=True):
        signal = sum(x * x for x in clean)
        noise = sum((x - y) ** 2 for x, y in zip(clean, degraded, strict=True))
        per_frame.append(min(max(10 * math.log10(signal / (noise + EPS) + EPS), -10), 35))
    return sum(per_frame) / len(per_frame)


def levinson_durbin(lags: list[float]) -> list[float]:
    """Predictor coefficients a_1 .. a_p of the autocorrelation lags r_0 .. r_p."""
    coefficients: list[float] = []
    error = lags[0]
    for order in range(1, len(lags)):
        predicted = sum(a * lags[order - 1 - k] for k, a in enumerate(coefficients))
        reflection = (lags[order] - predicted) / error
        mirrored = coefficients[::-1]
        coefficients = [a - reflection * b for a, b in zip(coefficients, mirrored, strict=True)]
        coefficients.append(reflection)
        error *= 1 - reflection * reflection
    return coefficients


def prediction_error(lags: list[float], coefficients: list[float]) -> float:
    inverse = [1.0] + [-a for a in coefficients]
    return sum(inverse[i] * lags[abs(i - j)] * inverse[j] for i in range(len(inverse)) for j in range(len(inverse)))


def llr(reference: np.ndarray, estimate: np.ndarray) -> float:
    per_frame = []
    for clean, degraded in zip(frames(reference), frames(estimate), strict=True):
        clean_lags, degraded_lags = (
            [sum(f[n] * f[n + k] for n in range(480 - k)) for k in range(17)] for f in (clean, degraded)
        )
        numerator = prediction_error(clean_lags, levinson_durbin(degraded_lags))
        denominator = prediction_error(clean_lags, levinson_durbin(clean_lags))
        per_frame.append(math.log(numerator / denominator))
    return best_95_percent(per_frame)


def band_weights(centre: float, width: float) -> dict[int, float]:
    """{bin: weight} of one critical band, down to its -30 dB point."""
    middle, spread = math.floor(centre / 8000 * 512), width / 8000 * 512
    shape = [math.exp(-11 * ((k - middle) / spread) ** 2 + math.log(70) - math.log(width)) for k in range(512)]
    return {k: weight for k, weight in enumerate(shape) if weight > math.exp(-30 / (2 * 2.303))}


BANDS = [band_weights(centre, width) for centre, width in zip(CENTRES, WIDTHS, strict=True)]


def band_levels(frame: list[float]) -> list[float]:
    power = (_COSINES @ frame) ** 2 + (_SINES @ frame) ** 2
    energies = [sum(weight * power[k] for k, weight in band.items()) for band in BANDS]
    return [10 * math.log10(max(energy, 1e-10)) for energy in energies]


def peak_near(levels: list[float], band: int) -> float:
    """Walk uphill from the slope between `band` and `band + 1`; one band short when walking right."""
    slopes = [levels[k + 1] - levels[k] for k in range(24)]
    position = band
    if slopes[band] > 0:
        while position < 24 and slopes[position] > 0:
            position += 1
        return levels[position - 1]
    while position >= 0 and slopes[position] <= 0:
        position -= 1
    return levels[position + 1]


def slope_weight(levels: list[float], band: int) -> float:
    by_highest = 20 / (20 + max(levels) - levels[band])
    by_nearby = 1 / (1 + peak_near(levels, band) - levels[band])
    return by_highest * by_nearby


def wss(reference: np.ndarray, estimate: np.ndarray) -> float:
    per_frame = []
    for clean_frame, degraded_frame in zip(frames(reference), frames(estimate), strict=True):
        clean, degraded = band_levels(clean_frame), band_levels(degraded_frame)
        total = weights = 0.0
        for band in range(24):
            weight = (slope_weight(clean, band) + slope_weight(degraded, band)) / 2
            difference = (clean[band + 1] - clean[band]) - (degraded[band + 1] - degraded[band])
            total, weights = total + weight * difference**2, weights + weight
        per_frame.append(total / weights)
    return best_95_percent(per_frame)


def ratings(wb_pesq: float, llr_mean: float, wss_mean: float, segsnr_mean: float) -> tuple[float, ...]:
    """(CSIG, CBAK, COVL) from their ingredients."""
    signal = 3.093 - 1.029 * llr_mean + 0.603 * wb_pesq - 0.009 * wss_mean
    background = 1.634 + 0.478 * wb_pesq - 0.007 * wss_mean + 0.063 * segsnr_mean
    overall = 1.594 + 0.805 * wb_pesq - 0.512 * llr_mean - 0.007 * wss_mean
    return tuple(max(1, min(5, rating)) for rating in (signal, background, overall))
