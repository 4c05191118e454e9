"""Result rows as a sweep writes them, from an array of scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LABELS = ("none", "layer1", "layer2", "layer3", "random")
SEEDS = (11, 12, 13)


def candidates(labels: Sequence[str] = LABELS) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "config": {"norm_layers": (int(label[-1]),) if label.startswith("layer") else ()},
            "baseline": label in ("none", "random"),
        }
        for label in labels
    ]


def noisy_scores(n_utterances: int) -> NDArray[np.float64]:
    return np.linspace(-2.0, 2.0, n_utterances)


def scores(
    means: Sequence[float],
    n_seeds: int = 3,
    n_utterances: int = 60,
    spread: float = 0.05,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(candidates, seeds, utterances): the noisy input improved by `means`, with some chance."""
    rng = np.random.default_rng(seed)
    chance = spread * rng.standard_normal((len(means), n_seeds, n_utterances))
    return np.array(means)[:, None, None] + noisy_scores(n_utterances) + chance


def result_rows(
    values: NDArray[np.float64],
    labels: Sequence[str] = LABELS,
    seeds: Sequence[int] = SEEDS,
    n_speakers: int = 4,
    n_types: int = 3,
    metric: str = "si_sdr",
    split: str = "test",
) -> pd.DataFrame:
    """One row per candidate, seed and utterance of `values`, and the noisy input's; NaN is a failed score."""
    n_utterances = values.shape[-1]
    jobs = [
        (label, seed, values[c, s]) for c, label in enumerate(labels) for s, seed in enumerate(seeds[: values.shape[1]])
    ]
    jobs.append(("noisy", -1, noisy_scores(n_utterances)))
    frames = [
        pd.DataFrame(
            {
                "group": "tera",
                "candidate": label,
                "phase": "final",
                "seed": seed,
                "job": f"tera/final/{label}/seed-{seed}",
                "split": split,
                "utterance": [f"u{index:04d}" for index in range(n_utterances)],
                "speaker": [f"s{index % n_speakers:02d}" for index in range(n_utterances)],
                "noise_type": [f"noise{index % n_types}" for index in range(n_utterances)],
                "snr_db": 0.0,
                "metric": metric,
                "value": value,
                "status": np.where(np.isfinite(value), "ok", "non_finite"),
                "gain": 1.0,
                "polarity": 1,
                "lag": 0,
            }
        )
        for label, seed, value in jobs
    ]
    return pd.concat(frames, ignore_index=True)
