"""The interface of every upstream's body: a walk from site to site.

A site is a position between layers where features can be normalized. Site 0 is the input of layer 1, site l
the output of layer l. The caller of a walk may change the features at a site before the next step, so feature
normalization is one loop for all families.
"""

import copy

from torch import Tensor, nn

from trainables.audio.features import Count
from trainables.base.padding import valid_mask, where_padded


class Body(nn.Module):
    """An entry, which makes site 0 of a waveform, and one step per layer.

    Features at every site are (batch, channels, frames).
    """

    def __init__(self, entry: nn.Module, steps: list[nn.Module], channels: tuple[int, ...]):
        super().__init__()
        self.entry = entry
        self.steps = nn.ModuleList(steps)
        self.channels = channels  # of every site
        self.adapters: nn.Module | None = None  # only while these are pre-trained through the body

    @property
    def sites(self) -> int:
        """How many there are: one more than layers."""
        return len(self.steps) + 1

    def start(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples) at 16 kHz -> features at site 0.

        `lengths` (batch,) are the valid samples of a padded batch, None where no item is padded.
        """
        return self.entry(wave, lengths)

    def advance(self, features: Tensor, site: int, lengths: Tensor | None = None) -> Tensor:
        """Features at `site` -> features at `site + 1`; `lengths` as for `start`."""
        return self.steps[site](features)

    def adapted(self, features: Tensor, site: int) -> Tensor:
        """Features at a site, (batch, channels, frames), through its adapter, where the body has one."""
        return features if self.adapters is None else self.adapters(features, site)

    def site_frames(self, samples: Count, site: int) -> Count:
        """Frames at `site` for that many samples of audio."""
        raise NotImplementedError

    def forward(self, wave: Tensor, lengths: Tensor | None = None) -> list[Tensor]:
        """Features at every site, none of them changed; an item's valid frames are what they are alone."""
        lengths = where_padded(wave, lengths)
        features = [self.start(wave, lengths)]
        for site in range(self.sites - 1):
            features.append(self.advance(features[-1], site, lengths))
        return features

    def frozen_prefix(self, last_site: int) -> "Body":
        """A copy up to `last_site`: evaluation mode, no gradient, never updated."""
        prefix = copy.copy(self)
        prefix._modules = {
            "entry": copy.deepcopy(self.entry),
            "steps": copy.deepcopy(self.steps[:last_site]),
        }
        prefix.channels = self.channels[: last_site + 1]
        prefix.requires_grad_(False)
        return prefix.train(False)


def valid_frames(body: Body, lengths: Tensor | None, site: int, features: Tensor) -> Tensor:
    """(batch, 1, frames) mask at a site, 1 where the frame lies wholly within the valid samples."""
    counts = None if lengths is None else body.site_frames(lengths, site).clamp(min=1)
    return valid_mask(features[:, 0], counts)[:, None]
