"""Forward and backward of the three separators at full size.

    python benchmarks/separators.py                            CPU, one mixture of the paper's crop each
    python benchmarks/separators.py --device cuda              the paper's batch and crop
    python benchmarks/separators.py --device cuda --toolkit    also asteroid's networks, if it is installed

Prints parameters, seconds a step and mixtures a second; with --toolkit also the ratio to asteroid's.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import Tensor, nn

from trainables.losses.permutation import pit_loss
from trainables.networks.conv_tasnet import conv_tasnet
from trainables.networks.dual_path import dprnn_tasnet
from trainables.networks.dual_path_transformer import dptnet
from trainables.separation.architectures import ARCHITECTURES

RATE = 8000
# name -> (builder, crop in seconds, the paper's batch)
NETWORKS: dict[str, tuple[Callable[..., nn.Module], float, int]] = {
    "convtasnet": (conv_tasnet, 3.0, 24),
    "dprnn": (dprnn_tasnet, 2.0, 24),
    "dptnet": (dptnet, 4.0, 4),
}


def main() -> None:
    options = _options()
    for name in options.networks or NETWORKS:
        build, crop, paper_batch = NETWORKS[name]
        batch = options.batch or (paper_batch if options.device == "cuda" else 1)
        samples = round((options.crop or crop) * RATE)
        network = build(2, **ARCHITECTURES[name]["paper"])
        seconds = _step_seconds(network, batch, samples, options)
        line = f"{name:<12}{_parameters(network):>10,} parameters, {batch} x {samples / RATE:g} s: "
        line += f"{seconds:.3f} s a step, {batch / seconds:.2f} mixtures/s"
        if options.toolkit:
            theirs = _step_seconds(_of_toolkit(name), batch, samples, options)
            line += f", asteroid {batch / theirs:.2f} ({theirs / seconds:.2f}x)"
        print(line, flush=True)


def _step_seconds(network: nn.Module, batch: int, samples: int, options: argparse.Namespace) -> float:
    """The median of a few steps: forward, PIT, backward; the first is warm-up."""
    torch.manual_seed(0)
    network.to(options.device).train()
    voices = torch.randn(batch, 2, samples, device=options.device)
    taken = [_timed(network, voices, options.device) for _ in range(options.repeats + 1)]
    return sorted(taken[1:])[options.repeats // 2]


def _timed(network: nn.Module, voices: Tensor, device: str) -> float:
    start = time.perf_counter()
    with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):
        loss, _ = pit_loss(network(voices.sum(1)), voices)
    loss.backward()
    if device == "cuda":
        torch.cuda.synchronize()
    assert torch.isfinite(loss)
    return time.perf_counter() - start


def _of_toolkit(name: str) -> nn.Module:
    """asteroid's network of the same size."""
    from asteroid.models import ConvTasNet, DPRNNTasNet, DPTNet

    frame = {
        "n_src": 2,
        "kernel_size": 2,
        "stride": 1,
        "n_filters": 64,
        "chunk_size": 250,
        "sample_rate": RATE,
    }
    if name == "convtasnet":
        return ConvTasNet(n_src=2, sample_rate=RATE)
    if name == "dprnn":
        return DPRNNTasNet(**frame, mask_act="relu")
    return DPTNet(**frame, ff_hid=256, encoder_activation="relu")


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the three separators at full size.")
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="which (default: all)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, help="mixtures a step (default: the paper's on CUDA, 1 on CPU)")
    parser.add_argument("--crop", type=float, help="seconds a mixture (default: the paper's)")
    parser.add_argument("--repeats", type=int, default=3, help="steps timed after one to warm up")
    parser.add_argument("--toolkit", action="store_true", help="time asteroid's networks as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
