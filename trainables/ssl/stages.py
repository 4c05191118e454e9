"""The stages that make a self-supervised model, the same for every method that rests on one; torch-free.

What computes them is registered once, in trainables/config/registry.py: two methods may share an artifact.
"""

from dataclasses import replace
from typing import Unpack

from trainables.base.published.files import require_reachable
from trainables.base.published.source import identity
from trainables.job.stages import Stage, StagePlace
from trainables.ssl.description import SSLModel
from trainables.ssl.published_weights.source import resolve
from trainables.ssl.upstream_table import UPSTREAM_TABLE

# Bump when a change of code changes what pre-training produces (pretraining/pretraining.py).
PRETRAINING_VERSION = 8
# Bump when a change of code changes the units (pretraining/speech_units.py).
UNITS_VERSION = 3
# Bump when a change of code changes what is taken from a checkpoint (published_weights/reading.py).
CHECKPOINT_VERSION = 1


def body_stage(model: SSLModel, seed: int, **place: Unpack[StagePlace]) -> Stage:
    """Published weights at base size, else the pre-training of a tiny body; of kind "pretraining"."""
    return _published(model) if model.size == "base" else _pretraining(model, seed, place)


def require_weights(model: SSLModel) -> None:
    """Raise `UserError` where the model needs published weights and a path or s3:// address has none."""
    if model.size == "base":
        require_reachable(resolve(model.upstream, model.checkpoint))


def _pretraining(model: SSLModel, seed: int, place: StagePlace) -> Stage:
    return Stage(
        kind="pretraining",
        name=f"{model.upstream} ({model.size}) pre-training, seed {seed}",
        runner="ssl_pretraining",
        version=PRETRAINING_VERSION,
        config=model.body_fields(),
        seed=seed,
        pretrains=True,
        rests_on=_units(model, seed, place),
        **place,
    )


def _published(model: SSLModel) -> Stage:
    """The public weights: the same for every seed, corpus and device."""
    source = resolve(model.upstream, model.checkpoint)
    return Stage(
        kind="pretraining",
        name=f"{model.upstream} (base) checkpoint",
        runner="ssl_published_weights",
        version=CHECKPOINT_VERSION,
        config={
            **model.body_fields(),
            "checkpoint": source,
            "identity": identity(source),
        },
        seed=0,
        corpus_uri="",
        corpus_fingerprint="",
    )


def _units(model: SSLModel, seed: int, place: StagePlace) -> tuple[Stage, ...]:
    """The k-means units that HuBERT and WavLM learn to predict: the same stage for both."""
    if not UPSTREAM_TABLE[model.upstream].predicts_units:
        return ()
    stage = Stage(
        kind="speech_units",
        name=f"k-means units, seed {seed}",
        runner="ssl_speech_units",
        version=UNITS_VERSION,
        config={},
        seed=seed,
        pretrains=True,
        **place,
    )
    return (replace(stage, device="cpu"),)
