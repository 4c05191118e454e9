"""The contract of all methods.

A method is an `nn.Module` that knows its losses and how to enhance or separate; it knows nothing of
sweeps, storage or Ray. Schedules are functions of `When`, so a resumed run continues them exactly.
"""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables.audio.examples.mixing import training_batch

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import Batch, EvaluationClip
    from trainables.job.assignment import DataSettings

_BETAS = (0.9, 0.999)  # Adam's


@dataclass(frozen=True)
class When:
    """A moment of training: after `step` of the whole budget's `steps`."""

    step: int
    epoch: int
    steps: int

    @property
    def progress(self) -> float:
        """The share of the budget that is done, in [0, 1]."""
        return self.step / self.steps


class Method(nn.Module):
    """What every method offers the training session.

    Attributes:
        sources: how many estimates `infer` gives for a mixture.
        pretraining_corpus: a corpus of its own for what is not the task itself; None = the task's.
    """

    sources = 1
    pretraining_corpus: "Corpus | None" = None

    def draw_batches(self, corpus: "Corpus", data: "DataSettings", seed: int, step: int) -> Sequence["Batch"]:
        """The batches of one step, keyed by (seed, step), each worth an optimizer update; most methods have one."""
        return [training_batch(corpus, data, seed, step)]

    @abstractmethod
    def training_losses(self, batch: "Batch", when: When) -> dict[str, Tensor]:
        """Named scalar losses of one batch, including "total", the one that is minimised."""

    @abstractmethod
    def infer(self, mixture: Tensor) -> Tensor:
        """(batch, samples) mixtures -> (batch, sources, samples) estimates, same length."""

    def phase_start(self, when: When) -> int:
        """The step at which the phase of training that holds `when` began; a function of `when` alone.

        A new phase has a fresh optimizer, a plateau that has seen none of the scores before, and a
        `learning_rate_factor` that counts from its start. Most methods have a single phase.
        """
        return 0

    def begin_phase(self, corpus: "Corpus", data: "DataSettings", seed: int, when: When) -> None:
        """Called before the first batch of every phase is drawn: new weights, new labels.

        What must last until the next phase belongs in a buffer. Draws are keyed by `seed` and `when.step`.
        """

    def after_step(self, when: When) -> None:
        """Called after each optimizer step (momentum encoders live here)."""

    def before_inference(self, when: When, ablate: bool = False) -> None:
        """Called before validation and inference at `when`.

        `ablate` switches the training-only aid off (for normalized SSL: strength k = 0), which is what
        early stopping compares.
        """

    def observe(self, corpus: "Corpus", data: "DataSettings") -> dict[str, float]:
        """Plain floats measured on training examples after every round, and once before the first.

        State that must last until the next round belongs in a buffer. Must not draw from global generators.
        """
        return {}

    def learning_rate_factor(self, when: When) -> float | None:
        """The share of the peak rate at `when`, counted from the phase's start; None = the configuration's curve."""
        return None

    def diagnostics(self) -> dict[str, float]:
        """Plain floats to plot over training: strengths, |log r|, phase marks, collapse monitors."""
        return {}

    def validation_curves(self, pairs: Sequence[tuple[Tensor, Tensor]], when: When) -> dict[str, float]:
        """Plain floats measured on fixed validation pairs, noisy and clean (samples,), after each round.

        Leaves the method as `before_inference(when)` does.
        """
        return {}

    def measures(
        self, wanted: Collection[str], clips: Sequence["EvaluationClip"], estimates: Sequence[np.ndarray]
    ) -> Sequence[Mapping[str, float]]:
        """Metrics of each test clip that only the method can measure, such as those of features of its own.

        Called once, after inference. The rows of a clip's `wanted` names that are left out, or not finite, say so and
        have no value.

        Args:
            wanted: of the metrics that `MethodInfo.measures` lists.
            clips: of the test split, with `noisy` and `clean`.
            estimates: one for each clip, float32, shaped as its `clean`.
        """
        return [{} for _ in clips]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Optimizer groups, each with "params" and its peak "lr"."""
        raise NotImplementedError

    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer over `parameter_groups`; the session sets its learning rates."""
        # Fused: one pass over all parameters; looping over the many of a small model costs a tenth of its step.
        return torch.optim.Adam(self.parameter_groups(), betas=_BETAS, fused=True)

    def minimum_samples(self) -> int:
        """The shortest input `infer` takes; shorter ones are zero-padded by the caller and trimmed."""
        return 1

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device
