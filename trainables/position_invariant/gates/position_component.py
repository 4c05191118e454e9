"""Compute the gate that stages.py lists: a JSON object of plain floats."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from trainables.base.determinism import deterministic
from trainables.evaluation import evaluation_clips
from trainables.job.assignment import DataSettings
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.position_invariant.measuring import contents_of
from trainables.position_invariant.reference import Reference, level_gain
from trainables.ssl.description import SSLModel
from trainables.ssl.representation import shortcut_indices

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The shortcut index of clean valid clips at every transformer layer, over the bodies it rests on."""
    model = SSLModel.from_stage(stage.config["reference"])
    clips = evaluation_clips(corpus, DataSettings(**stage.config["data"]), "valid")
    by_body = []
    with deterministic(stage.threads, stage.device):
        for below in stage.rests_on:
            reference = Reference(model, artifacts.read(below.key), (model.layers,))
            reference.to(torch.device(stage.device))
            waves = [torch.tensor(clip.clean, device=stage.device) for clip in clips]
            level = [wave * level_gain(wave[None])[0] for wave in waves]
            distinct = [level[place] for place in sorted(set(contents_of(level)))]
            kept = [layers for layers in map(reference.layers, distinct) if len(layers[0]) > 1]
            by_layer = ([layers[place] for layers in kept] for place in range(model.layers))
            by_body.append([shortcut_indices(features) if len(kept) > 1 else [] for features in by_layer])
            progress(len(by_body), len(stage.rests_on))
    indices = np.asarray(by_body).mean(0)  # (layers, utterances)
    rows = [{"layer": layer, **with_interval(of_layer)} for layer, of_layer in enumerate(indices, start=1)]
    return json.dumps({"layers": rows}, sort_keys=True).encode()


def with_interval(indices: NDArray[np.float64], alpha: float = 0.05) -> dict[str, Any]:
    """The mean of per-utterance indices, None below 2, and its jackknife interval over utterances, None below 3.

    Each index is a mean over pairs with all other utterances, so leaving one out takes its pairs out of all others:
    with r the sums over pairs, the rest's mean is (sum r - 2 r_u) / ((n - 1) (n - 2)).
    """
    utterances = len(indices)
    value = float(np.mean(indices)) if utterances > 1 else None
    if value is None or utterances < 3:
        return {"value": value, "interval": None}
    sums = indices * (utterances - 1)
    left_out = (sums.sum() - 2 * sums) / ((utterances - 1) * (utterances - 2))
    error = np.sqrt((utterances - 1) * left_out.var())
    half = float(special.stdtrit(utterances - 1, 1 - alpha / 2) * error)
    return {"value": value, "interval": [value - half, value + half]}
