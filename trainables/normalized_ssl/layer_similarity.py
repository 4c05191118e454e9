"""How close the fine-tuned upstream's noisy features stay to the pre-trained one's clean features, per layer.

The curve of the paper's Fig. 3: on fixed validation pairs, the cosine between both features at each frame,
averaged over frames and then over pairs. Expected there: normalizing a low layer keeps it high; the highest
layer starts high and then falls.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.normalized_ssl.adapters import Adapters
from trainables.normalized_ssl.feature_normalization import FeatureNormalization, Walk
from trainables.ssl.bodies.body import Body

Pair = tuple[Tensor, Tensor]  # noisy and clean, (samples,) each, at the same gain


class CleanReference:
    """The pre-trained body, frozen; not an nn.Module, so it is neither trained nor part of a checkpoint."""

    def __init__(self, body: Body) -> None:
        self._body = body.frozen_prefix(body.sites - 1)

    @torch.no_grad()
    def similarity(
        self,
        body: Body,
        normalization: FeatureNormalization,
        pairs: Iterable[Pair],
        adapters: Adapters | None = None,
    ) -> dict[str, float]:
        """Name of each site ("site3") -> mean cosine, at the normalization's present strength."""
        rows = [
            self._of_pair(normalization.walk(body, noisy[None], adapters=adapters), clean) for noisy, clean in pairs
        ]
        means = torch.stack(rows).mean(dim=0)
        return {f"site{site}": float(value) for site, value in enumerate(means)}

    def _of_pair(self, walk: Walk, clean: Tensor) -> Tensor:
        """(sites,) mean cosines over frames."""
        wanted = self._body.to(clean.device)(clean[None])
        return torch.stack(
            [F.cosine_similarity(one, other, dim=1).mean() for one, other in zip(walk.normalized, wanted, strict=True)]
        )
