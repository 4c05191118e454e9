"""Soft-DTW forward and backward, next to the two libraries that have it: pysdtw and tslearn.

All get the same cost matrices, of the lengths of 4 s at speed 0.8, and of 15 s; timed is the recursion with its
gradient, round by round in turn. Threads wait passively (OMP_WAIT_POLICY, which every part has): else torch's spin for
milliseconds on the cores of whichever library comes next. Memory is the peak over one call in a process of its own,
for each cell of the batch's matrices (Linux).
"""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.harness.findings import Comparison, Fact, Finding
from benchmarks.harness.part import Context, in_turn
from trainables.losses.soft_dtw import soft_dtw, squared_distances

GAMMA = 0.1
CHANNELS = 64
LENGTHS = ((8, 199, 249), (8, 750, 750))  # batch, rows, columns
PEERS = ("pysdtw", "tslearn")
Loss = Callable[[Tensor], Tensor]  # (batch, m, n) costs -> (batch,)
_WHY = {
    "pysdtw": "pysdtw runs a batch on all cores and keeps float32 between its passes; ours takes two threads and "
    "counts in float64",
    "tslearn": "tslearn runs one item of the batch after the other; ours takes two threads",
}


def measure(context: Context) -> list[Finding]:
    torch.set_num_threads(2)
    found: list[Finding] = []
    for lengths in LENGTHS if not context.small else ((2, 12, 10),):
        shape = "x".join(map(str, lengths))
        costs = _costs(*lengths)
        context.say(shape)
        losses = {name: None if name in context.missing else loss_of(name) for name in PEERS}
        mine = _Call(loss_of("ours"), costs)
        theirs = {name: None if loss is None else _Call(loss, costs) for name, loss in losses.items()}
        seconds, *others = in_turn(context.size(7, 1), mine, *theirs.values())
        for name, taken in zip(PEERS, others, strict=True):
            found.append(
                Comparison(
                    what=f"soft-DTW of {shape}, value and gradient",
                    unit="s",
                    peer=name,
                    ours=seconds,
                    theirs=taken,
                    why=_WHY[name],
                )
            )
            if call := theirs[name]:
                found.append(_agreement(mine, call, name, shape, context))
    return found


class _Call:
    """Value and gradient, and what the last call gave."""

    def __init__(self, loss: Loss, costs: Tensor) -> None:
        self._loss, self._costs = loss, costs
        self.values = self.gradient = torch.empty(0)

    def __call__(self) -> None:
        source = self._costs.clone().requires_grad_()
        values = self._loss(source)
        values.sum().backward()
        assert source.grad is not None
        self.values, self.gradient = values.detach(), source.grad


def _agreement(mine: _Call, theirs: _Call, name: str, shape: str, context: Context) -> Fact:
    """How far apart values and gradients are, and the bytes that a cell of the matrices takes at the peak."""
    apart = float((mine.values - theirs.values).abs().max())
    if apart > 1e-4 * max(1.0, float(mine.values.abs().max())):
        raise AssertionError(f"{name} gives other values, by up to {apart}")
    slope = float((mine.gradient - theirs.gradient).abs().max() / mine.gradient.abs().max())
    cells = mine.gradient.numel()
    peaks = [f"{_peak(each, shape) / cells:.0f} bytes a cell" for each in ("ours", name)]
    what = f"memory at {shape}; values within {apart:.1e}, gradients within {slope:.1e} of the largest"
    return Fact(what=what, peer=name, ours=peaks[0], theirs=peaks[1])


def loss_of(name: str) -> Loss:
    """Both libraries take sequences, and a function that makes costs of them."""
    if name == "pysdtw":
        import pysdtw

        return lambda costs: pysdtw.SoftDTW(GAMMA, lambda *_: costs, use_cuda=False)(*_of_lengths(costs))
    if name == "tslearn":
        from tslearn.metrics import SoftDTWLossPyTorch

        return lambda costs: SoftDTWLossPyTorch(GAMMA, dist_func=lambda *_: costs)(*_of_lengths(costs))
    return lambda costs: soft_dtw(costs, GAMMA)


def _costs(batch: int, rows: int, columns: int) -> Tensor:
    """Squared distances of random unit frames, within [0, 4]."""
    noise = torch.Generator().manual_seed(0)
    frames = (torch.randn(batch, size, CHANNELS, generator=noise) for size in (rows, columns))
    return squared_distances(*(functional.normalize(each, dim=-1) for each in frames))


def _of_lengths(costs: Tensor) -> tuple[Tensor, Tensor]:
    batch, rows, columns = costs.shape
    return torch.zeros(batch, rows, 1), torch.zeros(batch, columns, 1)


@cache
def _peak(name: str, shape: str) -> float:
    command = [sys.executable, "-m", "benchmarks.parts.soft_dtw", name, shape]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def bytes_of_one_call(name: str, shape: str) -> int:
    """What the process grows by at most, over what it takes once everything is compiled."""
    batch, rows, columns = map(int, shape.split("x"))
    costs, loss = _costs(batch, rows, columns), loss_of(name)
    _Call(loss, _costs(2, 5, 6))()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    _Call(loss, costs)()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])


if __name__ == "__main__":
    print(bytes_of_one_call(sys.argv[1], sys.argv[2]))
