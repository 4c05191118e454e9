"""What a decoder reads as the last features: a learnt mean of several sites, a rival of feature normalization.

SUPERB (Yang et al., Interspeech 2021) reads every self-supervised model this way, sum_l softmax(w)_l x_l with w = 0 at
the start. BSSE (Hung et al., "Boosting self-supervised embeddings for speech enhancement", Interspeech 2022) puts a
LayerNorm with an affine map of its own on each site first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """One scalar for each site, and with `normed` a LayerNorm: 6,144 more parameters for four sites of 768 channels."""

    def __init__(self, channels: int, sites: Sequence[int], normed: bool = False):
        """`sites`: of equal width, `channels`, and equal frame rate."""
        super().__init__()
        self.sites = tuple(sites)
        self.weights = nn.Parameter(torch.zeros(len(self.sites)))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in self.sites if normed)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features at every site of the body -> the mean of the chosen ones, (batch, channels, frames)."""
        chosen = [features[site] for site in self.sites]
        if self.norms:
            pairs = zip(self.norms, chosen, strict=True)
            chosen = [norm(each.transpose(1, 2)).transpose(1, 2) for norm, each in pairs]
        return torch.einsum("s,sbcf->bcf", self.weights.softmax(0), torch.stack(chosen))

    def shares(self) -> dict[str, float]:
        """To plot: each site's share, softmax(w)."""
        found = self.weights.detach().softmax(0).tolist()
        return {f"readout/site{site}": share for site, share in zip(self.sites, found, strict=True)}
