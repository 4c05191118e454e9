"""Forward, permutation-invariant loss and backward of the three separators at full size, next to asteroid's.

On a CPU one short mixture a step, on CUDA the paper's batch and crop. Both get the same mixtures, in turn; the loss is
ours for both. The sizes are those of asteroid's recipes, which ours are checked against.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness.findings import Comparison, Finding
from benchmarks.harness.part import Context, in_turn
from trainables.losses.permutation import pit_loss
from trainables.networks.conv_tasnet import conv_tasnet
from trainables.networks.dual_path import dprnn_tasnet
from trainables.networks.dual_path_transformer import dptnet
from trainables.separation.architectures import ARCHITECTURES

RATE = 8000  # Hz
# name -> (builder, crop in seconds, the paper's batch)
NETWORKS: dict[str, tuple[Callable[..., nn.Module], float, int]] = {
    "convtasnet": (conv_tasnet, 3.0, 24),
    "dprnn": (dprnn_tasnet, 2.0, 24),
    "dptnet": (dptnet, 4.0, 4),
}
# Of the dual-path networks of asteroid, whose defaults are other than their papers'.
FRAMES = {"n_src": 2, "kernel_size": 2, "stride": 1, "n_filters": 64, "chunk_size": 250, "sample_rate": RATE}
_CPU_CROP = 0.25  # s: seconds a step


def measure(context: Context) -> list[Finding]:
    torch.set_num_threads(1)
    found: list[Finding] = []
    for name, (build, crop, paper_batch) in NETWORKS.items():
        batch = paper_batch if context.device == "cuda" else 1
        seconds = crop if context.device == "cuda" else _CPU_CROP
        voices = _voices(batch, context.size(round(seconds * RATE), 1200), context.device)
        ours = _step(build(2, **ARCHITECTURES[name]["paper"]), voices, context.device)
        theirs = None if context.missing else _step(toolkits(name), voices, context.device)
        context.say(f"{name}, {batch} x {voices.shape[-1] / RATE:g} s")
        taken, others = in_turn(context.size(3, 1), ours, theirs)
        found.append(
            Comparison(
                what=f"{name}: a step of {batch} x {voices.shape[-1] / RATE:g} s",
                unit="s",
                peer="asteroid",
                ours=taken,
                theirs=others,
                why="one network, layer by layer; torch's own convolutions, LSTMs and attention are nearly all of it",
            )
        )
    return found


def _voices(batch: int, samples: int, device: str) -> Tensor:
    """(batch, 2, samples) of noise, the same at every call."""
    noise = torch.Generator().manual_seed(0)
    return torch.randn(batch, 2, samples, generator=noise).to(device)


def _step(network: nn.Module, voices: Tensor, device: str) -> Callable[[], None]:
    network.to(device).train()

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):
            loss, _ = pit_loss(network(voices.sum(1)), voices)
        loss.backward()
        if device == "cuda":
            torch.cuda.synchronize()
        assert torch.isfinite(loss)

    return step


def toolkits(name: str) -> nn.Module:
    """asteroid's network of the same size."""
    from asteroid.models import ConvTasNet, DPRNNTasNet, DPTNet

    if name == "convtasnet":
        return ConvTasNet(n_src=2, sample_rate=RATE)
    frames: dict[str, Any] = FRAMES
    if name == "dprnn":
        return DPRNNTasNet(**frames, mask_act="relu")
    return DPTNet(**frames, ff_hid=256, encoder_activation="relu")
