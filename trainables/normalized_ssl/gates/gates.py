"""Compute the gates that stages.py lists; each result is a JSON object of plain floats."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trainables.audio.features import rms
from trainables.base.determinism import deterministic
from trainables.evaluation import evaluation_clips
from trainables.job.assignment import Assignment, DataSettings
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.metrics.scorer import Scorer
from trainables.normalized_ssl.gates.mismatch import Floats, SiteShift, measure, site_shift
from trainables.session import TrainingSession
from trainables.ssl.bodies.body import Body
from trainables.ssl.bodies.upstreams import build_body, load_artifact
from trainables.ssl.description import SSLModel

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import EvaluationClip

_METRIC = "si_sdr"
_ARMS = ("pretrained", "random")


def transfer_gap(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The head's SI-SDR (dB) on the frozen pretrained and the frozen random body, per valid utterance.

    Both see the same initial head, mixtures and order, and both bodies start from the same random weights.
    """
    scores = {}
    with deterministic(stage.threads, stage.device):
        for done, init in enumerate(_ARMS):
            scores[init] = _score_head(stage, init, corpus, artifacts)
            progress(done + 1, len(_ARMS))
    clips = evaluation_clips(corpus, _data(stage), "valid")
    rows = [
        {
            "utterance": clip.utterance,
            "speaker": clip.speaker,
            "noise_type": clip.noise_type,
            **{init: scores[init][clip.utterance] for init in _ARMS},
        }
        for clip in clips
    ]
    return _to_bytes({"seed": stage.seed, "utterances": rows})


def _score_head(stage: Stage, init: str, corpus: "Corpus", artifacts: Artifacts) -> dict[str, float | None]:
    """Train the head alone on a frozen body; SI-SDR (dB) of each valid utterance, None where not scored."""
    method = {**stage.config["method"], "init": init}
    assignment = Assignment(
        job=f"{method['upstream']}/transfer_gap/{init}/seed-{stage.seed}",
        config=method,
        seed=stage.seed,
        steps=method["gate_steps"],
        round_steps=method["gate_steps"],
        metric=_METRIC,
        corpus_uri=stage.corpus_uri,
        corpus_fingerprint=stage.corpus_fingerprint,
        data=_data(stage),
        stages=tuple(below.to_json() for below in stage.rests_on),
        threads=stage.threads,
        device=stage.device,
    )
    session = TrainingSession(assignment, corpus, artifacts)
    session.run_round()
    clips, estimates = zip(*session.estimates("valid"), strict=True)
    rows = Scorer([_METRIC], corpus.sample_rate).score(
        [clip.utterance for clip in clips], [clip.clean for clip in clips], list(estimates)
    )
    return {row["utterance"]: row["value"] for row in rows}


def mismatch(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """Distance of noisy from clean features at each site of the pretrained bodies, on valid clips (mismatch.py)."""
    model = SSLModel.from_stage(stage.config["pretraining"])
    clips = evaluation_clips(corpus, _data(stage), "valid")
    by_body: list[list[SiteShift]] = []
    with deterministic(stage.threads, stage.device):
        for below in stage.rests_on:
            body = build_body(model, below.seed)
            load_artifact(body, artifacts.read(below.key))
            by_body.append(_shifts(body.to(stage.device).eval(), clips))
            progress(len(by_body), len(stage.rests_on))
    sites = [{"site": site, **measure([shifts[site] for shifts in by_body])} for site in range(len(by_body[0]))]
    return _to_bytes({"sites": sites})


def _shifts(body: Body, clips: list["EvaluationClip"]) -> list[SiteShift]:
    """One per site. Mixtures are scaled to unit RMS and clean speech by the same gain, as in training."""
    noisy = [_features(body, clip.noisy, clip.noisy) for clip in clips]
    clean = [_features(body, clip.clean, clip.noisy) for clip in clips]
    return [site_shift([item[site] for item in noisy], [item[site] for item in clean]) for site in range(body.sites)]


@torch.no_grad()
def _features(body: Body, wave: np.ndarray, leveled_by: np.ndarray) -> list[Floats]:
    """(channels, frames) at every site."""
    gain = 1 / rms(torch.tensor(leveled_by)[None]).clamp_min(1e-6)
    features = body((torch.tensor(wave)[None] * gain).to(next(body.parameters()).device))
    return [site[0].double().cpu().numpy() for site in features]


def _data(stage: Stage) -> DataSettings:
    return DataSettings(**stage.config["data"])


def _to_bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
