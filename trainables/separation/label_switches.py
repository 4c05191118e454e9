"""How often PIT changes its assignment of outputs to voices.

After every round the network separates the same training mixtures, and each mixture's best assignment is
compared with the round before: switch = share of mixtures whose assignment changed. The first value compares
with the network as training found it (round 1 against round 0). If all outputs swap at once
nothing has become unstable, so the symmetric switch takes the best of all global relabellings: min over them of
the share that disagrees; for two voices min(switch, 1 - switch).

Huang et al., section 3.3 and Fig. 2.
"""

from itertools import permutations
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainables.losses.permutation import best_assignment, margin, pairwise_si_sdr
from trainables.networks.masking_separator import MaskingSeparator

if TYPE_CHECKING:
    from trainables.audio.examples.mixing import Batch

AMBIGUOUS = 0.5  # dB: below this margin the assignment is arbitrary


class LabelSwitches(nn.Module):
    """Keeps each mixture's assignment from one measurement to the next, in buffers."""

    orders: Tensor
    measured: Tensor

    def __init__(self, mixtures: int, sources: int):
        super().__init__()
        self.sources = sources
        self.register_buffer("orders", torch.zeros(mixtures, sources, dtype=torch.int64))
        self.register_buffer("measured", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def measure(self, network: MaskingSeparator, batches: "list[Batch]") -> dict[str, float]:
        """Shares in percent and margins in dB; {} at the first measurement.

        `batches` hold the same mixtures in the same order at every call.
        """
        device = self.orders.device
        pairwise = torch.cat([self._pairwise(network, batch.to(device)) for batch in batches])
        before, self.orders = self.orders, best_assignment(pairwise).order
        if not self.measured:
            self.measured.fill_(True)
            return {}
        margins = margin(pairwise)
        return {
            "switch_percent": switch_percent(before, self.orders),
            "switch_symmetric_percent": symmetric_switch_percent(before, self.orders),
            "margin_mean": float(margins.mean()),
            "margin_p10": float(margins.quantile(0.1)),
            "ambiguous_percent": 100 * float((margins < AMBIGUOUS).float().mean()),
        }

    def _pairwise(self, network: MaskingSeparator, batch: "Batch") -> Tensor:
        estimates = network(batch.noisy, batch.lengths)[:, : self.sources]
        return pairwise_si_sdr(estimates, batch.clean, batch.lengths)


def switch_percent(before: Tensor, after: Tensor) -> float:
    """(mixtures, sources) orders each: the percentage that changed."""
    return 100 * float((before != after).any(dim=1).float().mean())


def symmetric_switch_percent(before: Tensor, after: Tensor) -> float:
    """The same after the global relabelling of outputs that leaves the fewest changes."""
    relabellings = torch.tensor(list(permutations(range(before.shape[1]))), device=before.device)
    return min(switch_percent(relabelling[before], after) for relabelling in relabellings)
