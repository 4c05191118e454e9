"""Position-invariant fine-tuning of an enhancement front-end (Meghanani & Hain): the method as the session sees it.

A pre-trained front-end M is fine-tuned so that a frozen self-supervised model F has the same features for enhanced as
for clean speech; the clean branch is shifted or changed in speed, so that being at the same position is of no help
(objective.py). What is deployed is M, nothing else.
"""

from collections.abc import Collection, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainables.method import Method, When
from trainables.position_invariant.config import RECEPTIVE_FIELD, PositionInvariantConfig, measure_names
from trainables.position_invariant.front_ends import FrontEnd, build_front_end, load_front_end
from trainables.position_invariant.measuring import measured
from trainables.position_invariant.objective import Objective
from trainables.position_invariant.planted_position import roughness
from trainables.position_invariant.reference import Reference
from trainables.training.learning_rate import linear_factor

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import Batch, EvaluationClip
    from trainables.job.assignment import DataSettings


def build(config: PositionInvariantConfig, artifacts: dict[str, bytes], seed: int) -> "PositionInvariant":
    """The front-end and the reference from their artifacts; `seed` draws nothing that lasts."""
    front_end = build_front_end(config.front_end_fields(), seed)
    load_front_end(front_end, artifacts["front_end"])
    reference = Reference(config.ssl, artifacts["pretraining"], config.compared_layers)
    return PositionInvariant(config, front_end, reference)


class PositionInvariant(Method):
    """The front-end; the reference is no part of its state, and never changes."""

    def __init__(self, config: PositionInvariantConfig, front_end: FrontEnd, reference: Reference):
        super().__init__()
        self.config = config
        self.front_end = front_end
        self._reference = reference
        self._objective = Objective(config, reference)
        self._roughness: float | None = None  # of the last enhanced batch, where a component is planted

    def draw_batches(self, corpus: "Corpus", data: "DataSettings", seed: int, step: int) -> Sequence["Batch"]:
        """One; none where nothing is updated."""
        return () if self.config.variant == "none" else super().draw_batches(corpus, data, seed, step)

    def training_losses(self, batch: "Batch", when: When) -> dict[str, Tensor]:
        self._reference.to(batch.noisy.device)
        return self._objective(self._enhance, batch.noisy, batch.clean, batch.lengths)

    def _enhance(self, noisy: Tensor, lengths: Tensor) -> Tensor:
        enhanced = self.front_end(noisy, lengths)
        if self.config.planted_position:
            self._roughness = float(roughness(enhanced.detach(), lengths).mean())
        return enhanced

    @torch.no_grad()
    def infer(self, mixture: Tensor) -> Tensor:
        return self.front_end(mixture)[:, None]

    def learning_rate_factor(self, when: When) -> float:
        return linear_factor(when.progress, self.config.warmup_share, self.config.lr_floor)

    def diagnostics(self) -> dict[str, float]:
        """Where a component is planted: the share of it that the last enhanced batch had."""
        return {} if self._roughness is None else {"planted_share": self._roughness}

    @torch.no_grad()
    def validation_curves(self, pairs: Sequence[tuple[Tensor, Tensor]], when: When) -> dict[str, float]:
        """Means of the measures of measuring.py over the first valid pairs."""
        chosen = pairs[: self.config.representation_pairs]
        if not chosen:
            return {}
        waves = [(self.front_end(noisy[None])[0], clean) for noisy, clean in chosen]
        rows = measured(self._reference.to(self.device), waves, measure_names(self.config.ssl.layers), again=True)
        names = {name for row in rows for name in row}
        return {f"representation/{name}": fmean(row[name] for row in rows if name in row) for name in sorted(names)}

    @torch.no_grad()
    def measures(
        self, wanted: Collection[str], clips: Sequence["EvaluationClip"], estimates: Sequence[np.ndarray]
    ) -> list[dict[str, float]]:
        """The measures of measuring.py for each test clip."""
        self._reference.to(self.device)
        audio = ((estimate, clip.clean) for clip, estimate in zip(clips, estimates, strict=True))
        waves = [tuple(torch.tensor(wave, device=self.device) for wave in pair) for pair in audio]
        return measured(self._reference, [(estimate, clean) for estimate, clean in waves], wanted)

    def parameter_groups(self) -> list[dict[str, Any]]:
        rate = 0.0 if self.config.variant == "none" else self.config.lr
        return [{"params": list(self.front_end.parameters()), "lr": rate}]

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameter_groups(), weight_decay=self.config.weight_decay, fused=True)

    def minimum_samples(self) -> int:
        return RECEPTIVE_FIELD
