"""Randomness keyed by (seed, purpose, step), never by history.

A resumed job, a reused worker and a fresh process must draw the same numbers at step n, so nothing here
depends on how many numbers were drawn before.
"""

import hashlib
import random

import numpy as np


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from the parts' text, the same on every machine and Python version."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, step: int | str = 0) -> np.random.Generator:
    """A numpy generator for one purpose at one step."""
    return np.random.default_rng(derive_seed(seed, purpose, step))


def seed_global_generators(seed: int, purpose: str, step: int | str = 0) -> None:
    """Seed torch, numpy and `random`: dropout and masking inside libraries draw from these."""
    import torch

    value = derive_seed(seed, purpose, step)
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)
