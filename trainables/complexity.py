"""What a system costs to run: parameters, multiply-accumulates per second of audio, real-time factor on one core.

Parameters are those that `infer` reads: heads, branches and classifiers that only train are not deployed.
Multiply-accumulates are those of matrix products, convolutions, recurrence and attention, counted by PyTorch's own
counter while `infer` runs; additions, activations, norms and Fourier transforms are not among them. Fused kernels
(oneDNN's LSTM, attention) hide their products from that counter, which then gives 0 without a word. So they are
switched off while it counts, and there is no number where an operation that it does not know multiplies, by its name.
"""

import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from trainables.base.determinism import deterministic
from trainables.base.randomness import generator
from trainables.enhancer import trained_method
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import Checkpoints
from trainables.job.stages import Artifacts
from trainables.method import Method

MIXTURE_SECONDS = 4.0  # of the noise that systems are measured on
# Parts of the names of operations that multiply matrices or convolve.
_MULTIPLYING = re.compile(r"conv|rnn|lstm|gru|attention|mm(_|$)|linear|matmul|baddb")


class Complexity(NamedTuple):
    """Of a network as it is deployed; the same on every machine.

    `mac_per_second` is None where an operation multiplies that the counter does not know: it is in `uncounted`.
    """

    parameters: int
    mac_per_second: float | None  # multiply-accumulates per second of audio
    uncounted: tuple[str, ...] = ()


class RunningCost(NamedTuple):
    """Of a trained job. The last two are of this machine."""

    complexity: Complexity
    real_time_factor: float  # median
    real_time_factor_spread: float  # distance of the quartiles


def running_costs(
    assignments: Sequence[Assignment], checkpoints: Checkpoints, artifacts: Artifacts
) -> list[RunningCost]:
    """Of finished jobs of one sample rate, on the CPU, each as its last checkpoint has it; all are in memory at once.

    Raises:
        RuntimeError: a job has no checkpoint at its last step.
    """
    with deterministic(threads=1):
        methods = []
        for assignment in assignments:
            stored = checkpoints.newest(assignment.job)
            if stored is None or stored[0] < assignment.steps:
                raise RuntimeError(f"{assignment.job}: no checkpoint at step {assignment.steps} is left")
            methods.append(trained_method(assignment, artifacts, stored[1]))
        rate = assignments[0].data.sample_rate
        noise = generator(0, "cost of running").standard_normal(round(MIXTURE_SECONDS * rate))
        mixture = 0.1 * torch.tensor(noise, dtype=torch.float32)[None]
        found = [complexity(method, mixture, rate) for method in methods]
        times = real_time_factors(methods, mixture, rate)
    return [RunningCost(each, *factors) for each, factors in zip(found, times, strict=True)]


def complexity(method: Method, mixture: Tensor, sample_rate: int) -> Complexity:
    """Of `method.infer` on (1, samples) at `sample_rate` in Hz, on the CPU.

    Attention grows with the square of the length: systems are compared on mixtures of the same length.
    """
    counter, watch = FlopCounterMode(display=False), _Watch()
    with _evaluating(method), _plain_kernels(), watch, counter:
        method.infer(mixture)
    read = (each for each in method.parameters() if each.untyped_storage().data_ptr() in watch.storages)
    parameters = sum(each.numel() for each in read)
    if watch.unknown:
        return Complexity(parameters, None, tuple(sorted(watch.unknown)))
    return Complexity(parameters, counter.get_total_flops() / 2 * sample_rate / mixture.shape[-1])


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
    """Notes what operations read, and those that multiply but that the counter has no formula for."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: set[str] = set()
        self.storages: set[int] = set()  # addresses: a view of a parameter has that of the whole

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if func.overloadpacket not in flop_registry and _MULTIPLYING.search(name):
            self.unknown.add(name)
        tensors = (leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor))
        self.storages.update(tensor.untyped_storage().data_ptr() for tensor in tensors)
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
