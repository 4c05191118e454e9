"""The assignments that a label strategy trains on, and what it remembers for them (see label_phases.py).

Validation, test and label switches always go by the best assignment.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainables.losses.permutation import assigned, best_assignment, pairwise_si_sdr
from trainables.method import When
from trainables.networks.masking_separator import MaskingSeparator
from trainables.separation.kept_assignments import (
    KeptAssignments,
    VoiceShares,
    conflict_percent,
    loudest_first,
    where_known,
)
from trainables.separation.label_phases import PHASES, Phase, counts_voices, keeps_labels, phase_number

if TYPE_CHECKING:
    from trainables.audio.examples.mixing import Batch


class Labels(nn.Module):
    """One strategy other than plain PIT, with buffers for what it remembers."""

    def __init__(self, strategy: str, mixtures: int | None, sources: int):
        """`mixtures` of the pool; a strategy that remembers needs one."""
        super().__init__()
        self.strategy = strategy
        self.kept: KeptAssignments | None = None
        self.shares: VoiceShares | None = None
        if keeps_labels(strategy):
            assert mixtures is not None, "its configuration refuses this"
            self.kept = KeptAssignments(mixtures, sources)
        if counts_voices(strategy):
            assert mixtures is not None, "its configuration refuses this"
            self.shares = VoiceShares(mixtures * sources, sources)

    def phase(self, when: When) -> Phase:
        """The phase that `when` belongs to."""
        return PHASES[self.strategy][self.phase_number(when)]

    def phase_number(self, when: When) -> int:
        """Of the phase, from 0."""
        return phase_number(self.strategy, when.step, when.steps)

    def expect(self, voices: Tensor) -> None:
        """Training is about to begin, on mixtures of these voices, (mixtures, sources) keys."""
        if self.kept is not None:
            self.kept.expect(voices)
        if self.shares is not None:
            self.shares.expect(voices)

    @torch.no_grad()
    def keep(self, network: MaskingSeparator, pool: "Iterable[Batch]", shuffled: bool, seed: int) -> None:
        """Remember the assignments that `network`, in evaluation mode, gives all mixtures of the pool.

        With `shuffled` each mixture gets another one's.
        """
        assert self.kept is not None
        for batch in pool:
            batch = batch.to(self.kept.keys.device)
            estimates = network(batch.noisy, batch.lengths)[:, : batch.clean.shape[1]]
            pairwise = pairwise_si_sdr(estimates, batch.clean, batch.lengths)
            self.kept.keep(_keys_of(batch), best_assignment(pairwise).order)
        if shuffled:
            self.kept.shuffle(seed)

    def losses(self, pairwise: Tensor, batch: "Batch", when: When) -> dict[str, Tensor]:
        """The negative mean SI-SDR in dB of the phase's assignments, as "separation" and as "total".

        With assignments other than the best ones also "conflict_percent": of how many of the mixtures that have one
        PIT would now choose another. A mixture without one is trained as in PIT.

        Args:
            pairwise: (batch, sources, outputs) in dB, of the batch's mixtures.
        """
        best = best_assignment(pairwise)
        labels = self.phase(when).labels
        if labels == "pit":
            loss = -best.score.mean()
            return {"separation": loss, "total": loss}
        order, known = self._look_up(labels, batch)
        loss = -assigned(pairwise, where_known(order, known, pairwise)).score.mean()
        conflict = pairwise.new_tensor(conflict_percent(order, known, best.order))
        if self.shares is not None and self.training:
            self.shares.visit(_keys_of(batch), best.order)
        return {"separation": loss, "conflict_percent": conflict, "total": loss}

    def _look_up(self, labels: str, batch: "Batch") -> tuple[Tensor, Tensor]:
        """(batch, sources) orders, and (batch,) whether they are known."""
        if labels == "energy":
            orders = loudest_first(batch.clean, batch.lengths)
            return orders, torch.ones_like(orders[:, 0], dtype=torch.bool)
        memory = self.shares if labels == "voice" else self.kept
        assert memory is not None
        return memory.look_up(_keys_of(batch))


def _keys_of(batch: "Batch") -> Tensor:
    assert batch.voices is not None, "a batch of mixtures without the keys of their voices"
    return batch.voices
