"""What a system costs to run: multiply-accumulates per second of audio, and its real-time factor on one core.

Multiply-accumulates are those of matrix products, convolutions, recurrence and attention, counted by PyTorch's own
counter while `infer` runs; additions, activations, norms and Fourier transforms are not among them. Fused kernels
(oneDNN's LSTM, attention) hide their products from that counter, which then gives 0 without a word. So
they are switched off while it counts, and an operation unknown to it whose name says that it multiplies is an error.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from trainables.method import Method

# Parts of the names of operations that multiply matrices or convolve.
_MULTIPLYING = ("conv", "rnn", "lstm", "gru", "attention", "mm", "linear", "matmul", "baddb")


class Uncounted(RuntimeError):
    """An operation that multiplies, which the counter does not know; the message names it."""


def multiply_accumulates(method: Method, mixture: Tensor, sample_rate: int) -> float:
    """Per second of audio, of `method.infer` on (1, samples) at `sample_rate` in Hz, on the CPU.

    Attention grows with the square of the length: systems are compared on the same mixture.

    Raises:
        Uncounted: a part of the network would be left out.
    """
    counter, watch = FlopCounterMode(display=False), _Watch()
    with _evaluating(method), _plain_kernels(), watch, counter:
        method.infer(mixture)
    if watch.unknown:
        raise Uncounted(f"the counter of multiply-accumulates does not know {', '.join(sorted(watch.unknown))}")
    return counter.get_total_flops() / 2 * sample_rate / mixture.shape[-1]


def real_time_factors(
    methods: Sequence[Method], mixture: Tensor, sample_rate: int, repeats: int = 5
) -> list[tuple[float, float]]:
    """(median, spread) of each method's seconds of computing per second of audio, on one thread of this machine.

    They take turns, so that a machine that slows down slows all of them; one round before counts for nothing. `spread`
    is the distance of the quartiles.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds = [[_seconds(method, mixture) for method in methods] for _ in range(repeats + 1)][1:]
    finally:
        torch.set_num_threads(threads)
    audio = mixture.shape[-1] / sample_rate
    found = []
    for each in zip(*rounds, strict=True):
        low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
        found.append((middle / audio, (high - low) / audio))
    return found


def _seconds(method: Method, mixture: Tensor) -> float:
    with _evaluating(method):
        start = time.perf_counter()
        method.infer(mixture)
        return time.perf_counter() - start


class _Watch(TorchDispatchMode):
    """Notes the operations that multiply but that the counter has no formula for."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if func.overloadpacket not in flop_registry and any(part in name for part in _MULTIPLYING):
            self.unknown.add(name)
        return func(*args, **(kwargs or {}))


@contextmanager
def _evaluating(method: Method) -> Iterator[None]:
    training = method.training
    method.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        method.train(training)


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """No fused recurrence, no fused encoder layers, no fused attention."""
    fast, onednn = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.set_flags(_enabled=False)[0]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch.backends.mkldnn.set_flags(_enabled=onednn)
