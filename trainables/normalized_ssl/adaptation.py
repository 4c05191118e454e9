"""Adapters learn noisy speech before they learn to enhance it: the stage behind adapters="draft".

Fan and Alwan, "DRAFT", Interspeech 2022: adapters alone are trained on the target domain by the body's own
self-supervised objective, then adapters and body together on the task. Here the target domain is the training split's
speech in its noises, every crop, at -5 to 20 dB. The heads of the objective begin anew, since a body is stored without
them, and the body stays as it was.
"""

from typing import TYPE_CHECKING

import torch

from trainables.base.determinism import deterministic
from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import pack, unpack
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.normalized_ssl.adapters import Adapters
from trainables.ssl.bodies.upstreams import build_body, load_artifact
from trainables.ssl.description import SSLModel
from trainables.ssl.pretraining.pretraining import build_objective, train_objective
from trainables.ssl.upstream_table import UPSTREAM_TABLE

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the adapters' state, and `info`, the curves of the objective as plain floats."""
    model = SSLModel.from_stage(stage.config)
    (below,) = stage.rests_on
    with deterministic(stage.threads, stage.device):
        body = build_body(model, stage.seed)
        load_artifact(body, artifacts.read(below.key))
        body.requires_grad_(False)
        seed_global_generators(stage.seed, "initial adapters")
        adapters = Adapters(body.channels, stage.config["sites"], stage.config["bottleneck"])
        body.adapters = adapters
        objective = build_objective(body, model.upstream, below, artifacts)
        peak, steps = UPSTREAM_TABLE[model.upstream].pretraining_rate, stage.config["steps"]
        curves = train_objective(objective, peak, corpus, stage, "mixtures", steps, progress)
        return pack({"adapters": adapters.cpu().state_dict(), "info": curves})


def unpack_adapters(artifact: bytes) -> dict[str, torch.Tensor]:
    """The adapters' state."""
    return unpack(artifact)["adapters"]
