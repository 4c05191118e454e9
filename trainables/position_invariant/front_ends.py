"""The enhancement networks that are fine-tuned, causal DEMUCS and Conv-TasNet, behind one interface."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import where_padded
from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import pack, unpack
from trainables.networks.enhancement_networks import BUILDERS, SIZES, as_waves, shortest_input


def sizes_of(fields: dict[str, Any]) -> dict[str, int]:
    """The network's arguments; `fields` are those of `PositionInvariantConfig.front_end_fields`."""
    sizes = SIZES[fields["front_end"], fields["size"]]
    return {**sizes, "hidden": fields["hidden"]} if not sizes else dict(sizes)


class FrontEnd(nn.Module):
    """A network behind one interface; padding has no part in an estimate."""

    def __init__(self, fields: dict[str, Any]):
        super().__init__()
        sizes = sizes_of(fields)
        self.network = BUILDERS[fields["front_end"]](**sizes)
        self.shortest = shortest_input(sizes)

    def forward(self, noisy: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples), of which `lengths` (batch,) are valid -> (batch, samples), zeros beyond.

        DEMUCS divides by the deviation of its whole input, so items of a padded batch go through by length.
        """
        padded = where_padded(noisy, lengths)
        if padded is None:
            return self._enhanced(noisy)
        estimate = torch.zeros_like(noisy)
        for length in sorted(set(padded.tolist())):
            rows = (padded == length).nonzero()[:, 0]
            alone = self._enhanced(noisy[rows, :length])
            estimate = estimate.index_copy(0, rows, functional.pad(alone, (0, noisy.shape[1] - length)).to(estimate))
        return estimate

    def _enhanced(self, noisy: Tensor) -> Tensor:
        missing = max(0, self.shortest - noisy.shape[1])
        return as_waves(self.network(functional.pad(noisy, (0, missing)))[..., : noisy.shape[1]])


def build_front_end(fields: dict[str, Any], seed: int) -> FrontEnd:
    """With weights drawn from `seed`, the same for every candidate."""
    seed_global_generators(seed, "front-end")
    return FrontEnd(fields)


def pack_front_end(front_end: FrontEnd, **extra: Any) -> bytes:
    """The artifact of the stage "front_end"."""
    state = {name: value.detach().cpu() for name, value in front_end.network.state_dict().items()}
    return pack({"network": state, **extra})


def load_front_end(front_end: FrontEnd, artifact: bytes) -> None:
    """The weights of `pack_front_end`."""
    front_end.network.load_state_dict(unpack(artifact)["network"])
