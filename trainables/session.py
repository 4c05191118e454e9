"""The training loop of any method, free of Ray: an assignment goes in, rounds of plain floats come out.

A session may stop after any round and resume in another process from `state()`; it then computes the same bits as
an uninterrupted one, because every draw is keyed by (seed, purpose, step).
"""

import json
import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import pack, unpack
from trainables.config.registry import build_method, config_class
from trainables.evaluation import evaluation_clips, score_clips
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import OPTIMIZER, PROGRESS
from trainables.job.stages import Artifacts, Stage
from trainables.method import Method, When
from trainables.metrics.catalogue import merit
from trainables.metrics.level_monitors import SEGMENTAL, level_monitors
from trainables.metrics.scorer import Outcome, finite, mean_of_ok
from trainables.training.epochs import epochs_at
from trainables.training.learning_rate import lr_factor
from trainables.training.plateau import plateau_factor

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import Batch, EvaluationClip

_MODEL = "model.pt"


class Diverged(RuntimeError):
    """A loss or gradient is not finite, or no estimate can be scored; the message says at which step."""


class TrainingSession:
    """One job in training.

    Attributes:
        step: optimizer steps done.
        reports: one dict of plain floats for each round done, the newest last; part of `state()`.
    """

    def __init__(self, assignment: Assignment, corpus: "Corpus", artifacts: Artifacts):
        self.assignment = assignment
        self.step = 0
        self.reports: list[dict[str, Any]] = []
        self._last_valid: list[np.ndarray] | None = None  # estimates of the last step's validation, the aid ablated
        self._corpus = corpus
        self._config = config_class(assignment.method).from_dict(assignment.config)
        self.method = build_for(assignment, artifacts)
        self.method.pretraining_corpus = _pretraining_corpus(assignment)
        self._optimizer = self.method.optimizer()
        speech = corpus.speech(assignment.data.source_split("train"))
        self._train_speech = sum(speech.seconds), len(speech), corpus.kind == "mixtures"
        self._peak_rates = [group["lr"] for group in self._optimizer.param_groups]

    @property
    def finished(self) -> bool:
        return self.step >= self.assignment.steps

    def run_round(self) -> dict[str, Any]:
        """Train `round_steps` steps (fewer where the budget ends), then score the valid set.

        Returns the report: step, score (aid ablated), score_current, failed_clips, gain, polarity and segmental
        SNR (dB) of the estimates, the round's mean losses as loss_*, the method's own curves and the seconds spent.

        Raises:
            Diverged: a loss or gradient is not finite, or no valid clip can be scored.
        """
        start = time.perf_counter()
        if self.step == 0:
            self.method.observe(self._corpus, self.assignment.data)
        losses = self._train(min(self.step + self.assignment.round_steps, self.assignment.steps))
        observed = self.method.observe(self._corpus, self.assignment.data)
        diagnostics = self.method.diagnostics()
        trained = time.perf_counter()
        scores = self._validate()
        seconds = {"seconds_train": trained - start, "seconds_score": time.perf_counter() - trained}
        self.reports.append({**diagnostics, **observed, **losses, **scores, **seconds, "step": self.step})
        return self.reports[-1]

    def estimates(self, split: str) -> list[tuple["EvaluationClip", np.ndarray]]:
        """Each clip of the split's evaluation set with its estimate, float32; the aid ablated.

        An estimate is shaped as the clip's `clean`: (samples,), or (sources, samples).
        """
        self.method.before_inference(self._when(self.step), ablate=True)
        clips = evaluation_clips(self._corpus, self.assignment.data, split)
        inferred = self._last_valid if split == "valid" else None
        return list(zip(clips, self._infer(clips) if inferred is None else inferred, strict=True))

    @torch.no_grad()
    def measures(
        self, estimates: Sequence[tuple["EvaluationClip", np.ndarray]], wanted: Collection[str]
    ) -> dict[str, dict[str, Outcome]]:
        """Utterance -> metric -> what the method measured of its estimates, which `estimates` has just returned.

        Why there is no number, where there is none: no measure may cost a night's scores.
        """
        clips, audio = [clip for clip, _ in estimates], [estimate for _, estimate in estimates]
        failed = Outcome(None, "not_measured")
        found: Sequence[Mapping[str, float]] = [{}] * len(clips)
        self.method.eval()
        if wanted:
            try:
                found = self.method.measures(wanted, clips, audio)
            except Exception as error:  # the rows say how
                failed = Outcome(None, f"error: {type(error).__name__}: {error}")
        return {
            clip.utterance: {name: finite(values[name]) if name in values else failed for name in wanted}
            for clip, values in zip(clips, found, strict=True)
        }

    def state(self) -> dict[str, bytes]:
        """Everything a session needs to resume, as files by name."""
        progress = {"step": self.step, "reports": self.reports}
        return {
            _MODEL: pack(self.method.state_dict()),
            OPTIMIZER: pack(self._optimizer.state_dict()),
            PROGRESS: json.dumps(progress).encode(),
        }

    def load_state(self, files: dict[str, bytes]) -> None:
        """Resume from `files`, which `state()` returned; after the last step they need no optimizer."""
        progress = json.loads(files[PROGRESS])
        self.step, self.reports = progress["step"], progress["reports"]
        load_weights(self.method, files)
        self._last_valid = None
        if not self.finished:
            self._optimizer.load_state_dict(unpack(files[OPTIMIZER], self.method.device))

    def _when(self, step: int) -> When:
        data = self.assignment.data
        epoch = int(epochs_at(step, data, *self._train_speech))
        return When(step=step, epoch=epoch, steps=self.assignment.steps)

    def _train(self, last: int) -> dict[str, float]:
        """Train up to step `last`; returns mean losses and the mean gradient norm before clipping."""
        self.method.train()
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        while self.step < last:
            for values in self._train_step():
                for name, value in values.items():
                    sums[name] = sums.get(name, 0.0) + value
                    counts[name] = counts.get(name, 0) + 1
            self.step += 1
        return {name: total / counts[name] for name, total in sums.items()}

    def _train_step(self) -> list[dict[str, float]]:
        """The losses of every update of this step."""
        when, seed = self._when(self.step), self.assignment.seed
        began = self.method.phase_start(when)
        if began == self.step:
            self.method.begin_phase(self._corpus, self.assignment.data, seed, when)
            self._optimizer = self.method.optimizer()
        self._set_learning_rate(when, began)
        batches = self.method.draw_batches(self._corpus, self.assignment.data, seed, self.step)
        updates = []
        for index, batch in enumerate(batches):
            seed_global_generators(seed, "train", self.step if index == 0 else f"{self.step}, update {index}")
            updates.append(self._update(batch, when))
            self.method.after_step(self._when(self.step + 1))
        return updates

    def _update(self, batch: "Batch", when: When) -> dict[str, float]:
        with torch.autocast("cuda", torch.bfloat16, enabled=self.method.device.type == "cuda"):
            losses = self.method.training_losses(batch.to(self.method.device), when)
        self._optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        clip = math.inf if self._config.clip is None else self._config.clip
        norm = torch.nn.utils.clip_grad_norm_(self.method.parameters(), clip)
        values = {f"loss_{name}": float(value.detach()) for name, value in losses.items()}
        values["gradient_norm"] = float(norm)
        values["clipped"] = float(norm > clip)
        _check_finite(values, self.step)
        self._optimizer.step()
        return values

    def _set_learning_rate(self, when: When, began: int) -> None:
        """Of the step at `when`, in the phase that began with step `began`."""
        factor = self.method.learning_rate_factor(self._when(self.step - began))
        if factor is None:
            factor = lr_factor(when.progress, self._config.warmup_share, self._config.lr_floor)
        scores = [merit(self.assignment.metric, r["score"]) for r in self.reports if r["step"] > began]
        factor *= plateau_factor(scores, self._config)
        for group, peak in zip(self._optimizer.param_groups, self._peak_rates, strict=True):
            group["lr"] = peak * factor

    def _validate(self) -> dict[str, float]:
        """The deciding metric on the valid set, with the training-only aid off and as it is now."""
        when = self._when(self.step)
        self.method.before_inference(when, ablate=True)
        # Buffers are all that `before_inference` may change.
        ablated = [buffer.clone() for buffer in self.method.buffers()]
        watched = (SEGMENTAL,) if self.method.sources == 1 else ()
        clips = evaluation_clips(self._corpus, self.assignment.data, "valid")
        estimates = self._infer(clips)
        self._last_valid = estimates if self.finished else None
        rows = self._score(clips, estimates, self.assignment.metric, *watched)
        score, failed = self._mean(rows)
        self.method.before_inference(when)
        same = all(map(torch.equal, ablated, self.method.buffers()))
        current = score if same else self._mean(self._score(clips, self._infer(clips), self.assignment.metric))[0]
        curves = self.method.validation_curves(self._valid_pairs(), when)
        scores = {"score": score, "score_current": current, "failed_clips": failed}
        return {**scores, **level_monitors(rows), **curves}

    def _valid_pairs(self) -> list[tuple[Tensor, Tensor]]:
        """Noisy and clean, (samples,) each, of every valid clip that is long enough for the method."""
        clips = evaluation_clips(self._corpus, self.assignment.data, "valid")
        device, shortest = self.method.device, self.method.minimum_samples()
        return [
            (torch.tensor(clip.noisy, device=device), torch.tensor(clip.clean, device=device))
            for clip in clips
            if len(clip.noisy) >= shortest
        ]

    def _score(self, clips: list["EvaluationClip"], estimates: list[np.ndarray], *metrics: str) -> list[dict[str, Any]]:
        """One row per clip and metric."""
        return score_clips(clips, estimates, dict.fromkeys(metrics), self.assignment.data)

    def _mean(self, rows: list[dict[str, Any]]) -> tuple[float, int]:
        """Mean of the deciding metric over the valid clips that could be scored, and how many could not."""
        mean, _, failed = mean_of_ok(rows, self.assignment.metric)
        if mean is None:
            reasons = ", ".join(sorted({row["status"] for row in rows}))
            raise Diverged(f"none of {failed} valid clips could be scored at step {self.step}: {reasons}")
        return mean, failed

    @torch.no_grad()
    def _infer(self, clips: list["EvaluationClip"]) -> list[np.ndarray]:
        """One estimate per clip, each inferred alone and at its full length."""
        self.method.eval()
        return [infer_one(self.method, clip.noisy) for clip in clips]


def _pretraining_corpus(assignment: Assignment) -> "Corpus | None":
    if not assignment.pretraining_corpus_uri:
        return None
    from trainables.audio.corpus.corpus import Corpus

    return Corpus.open(assignment.pretraining_corpus_uri, fingerprint=assignment.pretraining_corpus_fingerprint)


def infer_one(method: Method, noisy: np.ndarray) -> np.ndarray:
    """float32 (samples,) -> (samples,), or (sources, samples) if the method has several; shorter input is padded."""
    short = max(0, method.minimum_samples() - len(noisy))
    padded = functional.pad(torch.tensor(noisy), (0, short)).to(method.device)
    estimate = method.infer(padded[None])[0, :, : len(noisy)].float().cpu().numpy()
    return estimate if method.sources > 1 else estimate[0]


def build_for(assignment: Assignment, artifacts: Artifacts) -> Method:
    """The assignment's method before its first step; `load_weights` gives it those of a checkpoint."""
    config = config_class(assignment.method).from_dict(assignment.config)
    stages = [Stage.from_json(stage) for stage in assignment.stages]
    contents = {stage.kind: artifacts.read(stage.key) for stage in stages}
    seed_global_generators(assignment.seed, "init")
    return build_method(assignment.method, config, contents, assignment.seed).to(assignment.device)


def load_weights(method: Method, files: dict[str, bytes]) -> None:
    """Load a checkpoint's weights; `files` as `TrainingSession.state` returned them."""
    method.load_state_dict(unpack(files[_MODEL], method.device))


def _check_finite(values: dict[str, float], step: int) -> None:
    for name in ("loss_total", "gradient_norm"):
        if not math.isfinite(values[name]):
            raise Diverged(f"{name} is {values[name]} at step {step}")
