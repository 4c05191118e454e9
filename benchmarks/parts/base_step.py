"""A training step of normalized SSL at base size: ours, and the published model whole, as one would wire it up.

The peer is `transformers`' Wav2Vec2Model with all its twelve layers and random weights. It follows the paper to the
letter: the noisy mixture and, without gradients, the paired clean speech go through the whole model, and hooks on it
read the features and normalize the input of the second convolution by Algorithm 1. Decoder, loss, optimizer, batch
and precision are ours for both.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from benchmarks.harness.findings import Comparison, Fact, Finding
from benchmarks.harness.part import Context, in_turn, middle
from trainables.audio.examples.mixing import Batch
from trainables.base.determinism import make_deterministic
from trainables.method import When
from trainables.normalization.moments import Moments, affine, deviation_ratio, moments
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.decoders import build_decoder
from trainables.normalized_ssl.method import NormalizedSSL
from trainables.ssl.bodies.upstreams import build_body

LAYER = 2  # the paper's, of wav2vec 2.0
STRENGTH = 0.8
WHEN = When(step=0, epoch=0, steps=100)
SAMPLE_RATE = 16000


def measure(context: Context) -> list[Finding]:
    make_deterministic(1, context.device)
    batch = _batch(context.size(8, 1), context.size(SAMPLE_RATE, 1600), context.device)
    method, stock = our_method(), StockModel()
    shape = f"{len(batch.noisy)} x {batch.noisy.shape[1] / SAMPLE_RATE:g} s"
    context.say(f"{shape} a step, ours and the whole model in turn")
    ours, theirs = in_turn(
        context.size(3, 1),
        partial(stepping(method.to(context.device), context.device), batch),
        partial(stepping(stock.to(context.device), context.device), batch),
    )
    sizes = [sum(parameter.numel() for parameter in each.parameters()) for each in (method, stock)]
    return [
        Comparison(
            what=f"wav2vec 2.0, base: a step of {shape}",
            unit="s",
            peer="transformers, whole model and whole clean branch",
            ours=ours,
            theirs=theirs,
            why="ours does not build the eleven transformer layers that no decoder reads, and its clean branch ends at "
            "the normalized layer; convolutions and decoder, with their gradients, are the same in both",
        ),
        Fact(
            what="parameters of body, clean branch and decoder",
            peer="transformers",
            ours=f"{sizes[0]:,}",
            theirs=f"{sizes[1]:,}",
        ),
        Fact(
            what="steps an hour",
            peer="transformers",
            ours=f"{3600 / middle(ours):,.0f}",
            theirs=f"{3600 / middle(theirs):,.0f}",
        ),
    ]


def configuration(size: str = "base") -> NormalizedSSLConfig:
    """Of wav2vec 2.0, the paper's layer normalized."""
    values: dict[str, Any] = {"upstream": "wav2vec2", "size": size, "norm_layers": [LAYER], "k0": STRENGTH}
    return NormalizedSSLConfig.from_dict(values)


def our_method(size: str = "base") -> NormalizedSSL:
    """As a sweep trains it, but with random weights: nothing is downloaded."""
    config = configuration(size)
    body = build_body(config.ssl, 0)
    return NormalizedSSL(config, body, build_decoder(config, body, 0))


class StockModel(NormalizedSSL):
    """The same losses and decoder on top of `transformers`' whole model and a frozen copy of it."""

    def __init__(self) -> None:
        config = NormalizedSSLConfig.from_dict({**configuration().to_dict(), "norm_layers": []})
        body = build_body(config.ssl, 0)
        super().__init__(config, body, build_decoder(config, body, 0))
        self.body = cast(Any, nn.Identity())
        self.hub = Wav2Vec2Model(Wav2Vec2Config(apply_spec_augment=False, layerdrop=0.0))
        self.clean_hub = copy.deepcopy(self.hub).requires_grad_(False).eval()
        (self._site,) = configuration().norm_sites
        self._target: Moments | None = None
        self.running: dict[str, Tensor] = {}

    def training_losses(self, batch: Batch, when: When) -> dict[str, Tensor]:
        with torch.no_grad():
            clean = features(self.clean_hub, batch.clean, self._site)
        self._target = moments(clean[self._site])
        decoded = self.decoder(features(self.hub, batch.noisy, self._site, self._normalized), batch.noisy)
        return self._losses(decoded, batch.clean, None)

    def parameter_groups(self) -> list[dict[str, Any]]:
        trained = [*self.hub.parameters(), *self.decoder.parameters()]
        return [{"params": trained, "lr": self.config.lr_head}]

    def _normalized(self, features: Tensor) -> Tensor:
        """Algorithm 1 with momentum 0.99 and 0.999, on (batch, channels, frames)."""
        assert self._target is not None
        found = moments(features)
        ratio = deviation_ratio(found, self._target)
        for name, value, momentum in (
            ("noisy", found[0], 0.99),
            ("clean", self._target[0], 0.99),
            ("ratio", ratio, 0.999),
        ):
            before = self.running.get(name, value)
            self.running[name] = momentum * before + (1 - momentum) * value
        return affine(
            features, torch.tensor(STRENGTH), self.running["noisy"], self.running["clean"], self.running["ratio"]
        )


def features(
    hub: Wav2Vec2Model, wave: Tensor, site: int, change: Callable[[Tensor], Tensor] = lambda found: found
) -> list[Tensor]:
    """What the decoder reads, with one of the convolutions' outputs changed; by hooks.

    Waveform, seven convolutions, projection, first transformer layer, (batch, channels, frames) each.
    """
    convolved: list[Tensor] = [wave[:, None]]

    def keep(layer: nn.Module, given: object, output: Tensor) -> Tensor:
        convolved.append(change(output) if len(convolved) == site else output)
        return convolved[-1]

    layers = cast(nn.ModuleList, hub.feature_extractor.conv_layers)
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        hidden = hub(wave, output_hidden_states=True).hidden_states
    finally:
        for hook in hooks:
            hook.remove()
    return [*convolved, hidden[0].transpose(1, 2), hidden[1].transpose(1, 2)]


def _batch(count: int, samples: int, device: str) -> Batch:
    noise = torch.Generator().manual_seed(0)
    clean = torch.randn(count, samples, generator=noise)
    noisy = clean + 0.5 * torch.randn(count, samples, generator=noise)
    return Batch(noisy, clean, torch.full((count,), samples)).to(torch.device(device))


def stepping(method: NormalizedSSL, device: str) -> Callable[[Batch], None]:
    """A training step: losses, gradients, clipping, update; on CUDA in bfloat16, as in a session."""
    optimizer = method.optimizer()
    method.train()
    if isinstance(method, StockModel):
        method.clean_hub.eval()

    def step(batch: Batch) -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):
            losses = method.training_losses(batch, WHEN)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(method.parameters(), 5.0)
        optimizer.step()
        assert torch.isfinite(losses["total"])
        if device == "cuda":
            torch.cuda.synchronize()

    return step
