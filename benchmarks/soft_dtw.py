"""Soft-DTW forward and backward, next to the two libraries that have it: pysdtw and tslearn.

    pip install pysdtw tslearn                  in an environment of its own; what is missing is named and left out
    python benchmarks/soft_dtw.py               the lengths of 4 s at speed 0.8, and of 15 s
    python benchmarks/soft_dtw.py 8x300x200     others: batch x rows x columns

All get the same cost matrices; timed is the recursion with its gradient, round by round in turn.
Threads wait passively: else torch's spin for milliseconds on the cores of whichever library comes next.
Memory is the peak over one call in a process of its own, for each cell of the batch's matrices.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

os.environ["OMP_WAIT_POLICY"] = "passive"  # read when torch is loaded

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses.soft_dtw import soft_dtw, squared_distances

GAMMA = 0.1
CHANNELS = 64
LENGTHS = ("8x199x249", "8x750x750")
Loss = Callable[[Tensor], Tensor]  # (batch, m, n) costs -> (batch,)


def main() -> None:
    options = _options()
    if options.memory:
        print(_bytes_of_one_call(options.memory, options.lengths[0]))
        return
    torch.set_num_threads(options.threads)
    known = {name: loss for name in ("ours", "pysdtw", "tslearn") if (loss := _loss(name))}
    for lengths in options.lengths:
        print(f"\n{lengths}, gamma {GAMMA}, {options.threads} threads, median of {options.rounds} rounds")
        _compare(known, lengths, options)


def _compare(known: dict[str, Loss], lengths: str, options: argparse.Namespace) -> None:
    costs = _costs(lengths)
    found = {name: _call(loss, costs) for name, loss in known.items()}  # compiles, too
    taken: dict[str, list[float]] = {name: [] for name in known}
    for _ in range(options.rounds):
        for name, loss in known.items():
            start = time.perf_counter()
            _call(loss, costs)
            taken[name].append(time.perf_counter() - start)
    values, gradient = found["ours"]
    cells = np.prod([int(size) for size in lengths.split("x")])
    for name in known:
        seconds = float(np.median(taken[name]))
        apart = float((found[name][0] - values).abs().max())
        assert apart < 1e-4 * max(1.0, float(values.abs().max())), f"{name} gives other values"
        slope = float((found[name][1] - gradient).abs().max() / gradient.abs().max())
        print(
            f"  {name:<8}{1e3 * seconds:9.1f} ms ({min(taken[name]) * 1e3:.1f} to {max(taken[name]) * 1e3:.1f}), "
            f"{seconds / np.median(taken['ours']):6.2f} of ours; values within {apart:.1e}, gradients within "
            f"{slope:.1e} of the largest; {_peak(name, lengths) / cells:.0f} bytes a cell",
            flush=True,
        )


def _costs(lengths: str) -> Tensor:
    """Squared distances of random unit frames, within [0, 4]."""
    batch, rows, columns = map(int, lengths.split("x"))
    noise = torch.Generator().manual_seed(0)
    frames = (torch.randn(batch, size, CHANNELS, generator=noise) for size in (rows, columns))
    return squared_distances(*(functional.normalize(each, dim=-1) for each in frames))


def _call(loss: Loss, costs: Tensor) -> tuple[Tensor, Tensor]:
    """Values and their gradient."""
    source = costs.clone().requires_grad_()
    values = loss(source)
    values.sum().backward()
    assert source.grad is not None
    return values.detach(), source.grad


def _loss(name: str) -> Loss | None:
    """None where the library is not installed. Both take sequences, and a function that makes costs of them."""
    try:
        if name == "pysdtw":
            import pysdtw

            return lambda costs: pysdtw.SoftDTW(GAMMA, lambda *_: costs, use_cuda=False)(*_of_lengths(costs))
        if name == "tslearn":
            from tslearn.metrics import SoftDTWLossPyTorch

            return lambda costs: SoftDTWLossPyTorch(GAMMA, dist_func=lambda *_: costs)(*_of_lengths(costs))
    except ImportError:
        print(f"{name} is not installed and left out: pip install {name}")
        return None
    return lambda costs: soft_dtw(costs, GAMMA)


def _of_lengths(costs: Tensor) -> tuple[Tensor, Tensor]:
    batch, rows, columns = costs.shape
    return torch.zeros(batch, rows, 1), torch.zeros(batch, columns, 1)


def _peak(name: str, lengths: str) -> float:
    command = [sys.executable, __file__, lengths, "--memory", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def _bytes_of_one_call(name: str, lengths: str) -> int:
    """What the process grows by at most, over what it takes once everything is compiled (Linux)."""
    loss = _loss(name)
    assert loss is not None
    costs = _costs(lengths)
    _call(loss, _costs("2x5x6"))
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    _call(loss, costs)
    return _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time soft-DTW next to pysdtw and tslearn.")
    parser.add_argument("lengths", nargs="*", default=LENGTHS, metavar="BxMxN", help="batch, rows, columns")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2, help="of ours; the others take all cores")
    parser.add_argument("--memory", metavar="NAME", help="print the peak of one call in bytes and nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    main()
