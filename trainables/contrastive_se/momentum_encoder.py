"""BYOL's target (Grill et al., 2020): a copy of the encoder, updated by an exponential average, without gradient."""

import copy

import torch
from torch import Tensor, nn


class MomentumEncoder(nn.Module):
    """Starts as a copy of `online`; `update` moves it towards it."""

    def __init__(self, online: nn.Module):
        super().__init__()
        self.encoder = copy.deepcopy(online).requires_grad_(False)

    @torch.no_grad()
    def forward(self, wave: Tensor, valid: Tensor | None = None) -> Tensor:
        """(batch, samples) -> t (batch, channels, frames); `valid` as for the encoder."""
        return self.encoder(wave) if valid is None else self.encoder(wave, valid)

    @torch.no_grad()
    def update(self, online: nn.Module, tau: float) -> None:
        """theta' <- tau theta' + (1 - tau) theta; running statistics are copied, being averages already."""
        torch._foreach_lerp_(list(self.encoder.parameters()), list(online.parameters()), 1.0 - tau)
        for mine, theirs in zip(self.encoder.buffers(), online.buffers(), strict=True):
            mine.copy_(theirs)

    @torch.no_grad()
    def distance(self, online: nn.Module) -> float:
        """||theta - theta'|| over all weights."""
        pairs = zip(self.encoder.parameters(), online.parameters(), strict=True)
        return float(torch.stack([(mine - theirs).square().sum() for mine, theirs in pairs]).sum().sqrt())
