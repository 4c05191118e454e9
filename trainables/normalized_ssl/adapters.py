"""Residual adapters: small layers between a pre-trained body's own, a rival of feature normalization.

Houlsby et al., "Parameter-efficient transfer learning for NLP", ICML 2019, and Fan and Alwan, "DRAFT", Interspeech
2022, for self-supervised speech models:

    x + W2 gelu(W1 LN(x)),  W2 = 0 at the start

so training begins with the body as it was, to the bit (DRAFT's first code, LN(x + f(x)), does not). Houlsby puts two
into a transformer layer; ours stand behind whole layers, at any site, since a waveform body keeps one transformer layer
and the mismatch of noise sits below it.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional


class ResidualAdapter(nn.Module):
    """(batch, channels, frames) -> the same; each frame by itself.

    51,488 parameters for 768 channels and a bottleneck of 32.
    """

    def __init__(self, channels: int, bottleneck: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.down = nn.Linear(channels, bottleneck)
        self.up = nn.Linear(bottleneck, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, features: Tensor) -> Tensor:
        frames = features.transpose(1, 2)
        return features + self.up(functional.gelu(self.down(self.norm(frames)))).transpose(1, 2)


class Adapters(nn.Module):
    """One adapter for each of the chosen sites of a body."""

    def __init__(self, channels: Sequence[int], sites: Iterable[int], bottleneck: int):
        """`channels` of every site of the body; `sites` are outputs of layers, 1 and above.

        Raises:
            ValueError: the body has no such layer.
        """
        super().__init__()
        chosen = sorted(set(sites))
        if missing := [site for site in chosen if not 1 <= site < len(channels)]:
            raise ValueError(f"sites={missing}: outputs of layers 1 to {len(channels) - 1}")
        self.adapters = nn.ModuleDict({str(site): ResidualAdapter(channels[site], bottleneck) for site in chosen})

    def forward(self, features: Tensor, site: int) -> Tensor:
        """Features at `site`, (batch, channels, frames), through its adapter; unchanged where there is none."""
        return self.adapters[str(site)](features) if str(site) in self.adapters else features

    def sizes(self) -> dict[str, float]:
        """To plot: the RMS of every adapter's second layer, 0 at the start."""
        return {
            f"adapter{site}/size": float(cast(ResidualAdapter, adapter).up.weight.detach().square().mean().sqrt())
            for site, adapter in self.adapters.items()
        }
