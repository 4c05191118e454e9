"""DPTNet's learning rate: a warm-up by steps, then a decay by epochs.

Chen, Mao, Liu, "Dual-Path Transformer Network", Interspeech 2020, section 3.2, with the constants of the
public recipe. A scale of 0.2 makes the two parts meet (peak 3.95e-4); the recipe's script forgets to pass it,
which gives 1.0 and a peak of 1.98e-3.
"""

WARMUP_STEPS = 4000
WIDTH = 64
PLATEAU_RATE = 4e-4


def noam_rate(step: int, epoch: int, scale: float) -> float:
    """The learning rate itself.

    Warm-up: scale * 64^-0.5 * step * 4000^-1.5;  then 4e-4 * 0.98^((epoch - 1) // 2), epochs counted from 1.
    """
    if step < WARMUP_STEPS:
        return scale * WIDTH**-0.5 * (step + 1) * WARMUP_STEPS**-1.5
    return PLATEAU_RATE * 0.98 ** (epoch // 2)
