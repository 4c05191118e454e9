"""Pre-training as a stage: cut into stretches without a trace, and files in asteroid's format in its place."""

import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from sweep.storage.artifacts import StoredArtifacts
from tests.support.methods.asteroid_files import content_of_network, write
from trainables.audio.corpus.corpus import Corpus
from trainables.base.errors import UserError
from trainables.base.tensors import unpack
from trainables.config.registry import run_stage
from trainables.job.stages import in_order
from trainables.separation import pretraining
from trainables.separation.config import SeparationConfig
from trainables.separation.method import build
from trainables.separation.separators import build_separator

SMALL = {
    "strategy": "ptft", "hidden": 8, "pretraining_batch": 2, "pretraining_crop_seconds": 0.25,
}  # fmt: skip


def run(config: SeparationConfig, corpus: Corpus, artifacts: StoredArtifacts) -> bytes:
    """The last stage's artifact."""
    stages = config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    for stage in in_order(stages):
        run_stage(stage, corpus, artifacts)
    return artifacts.read(stages[-1].key)


@pytest.mark.parametrize("task", ["se", "mama", "cc"])
def test_stretches_leave_no_trace(task: str, corpus: Corpus, artifacts: StoredArtifacts) -> None:
    def state(stretch: int) -> dict[str, torch.Tensor]:
        config = SeparationConfig.from_dict(
            {**SMALL, "pretrain_task": task, "pretraining_steps": 3, "pretraining_stretch": stretch}
        )
        return unpack(run(config, corpus, artifacts))["network"]

    whole, cut = state(3), state(1)
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_it_computes_deterministically_as_its_device_allows(
    corpus: Corpus, artifacts: StoredArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Mock(side_effect=InterruptedError)
    monkeypatch.setattr(pretraining, "deterministic", asked)
    config = SeparationConfig.from_dict(SMALL)
    stage, *_ = in_order(config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint, device="cuda"))
    with pytest.raises(InterruptedError):
        pretraining.run(stage, corpus, artifacts, lambda done, total: None)
    asked.assert_called_once_with(stage.threads, "cuda")


def test_it_teaches(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    config = SeparationConfig.from_dict({**SMALL, "pretraining_steps": 20, "pretraining_lr": 3e-3})
    curve = unpack(run(config, corpus, artifacts))["curve"]
    assert sum(curve[-5:]) < sum(curve[:5])


def asteroid_file(path: Path, config: SeparationConfig, **changes: Any) -> dict[str, torch.Tensor]:
    """Write a network of this size with one output; returns its weights under our names."""
    network = build_separator(config, 1, seed=9)
    write(path, content_of_network(config.model, network, config.architecture, **changes))
    return network.state_dict()


@pytest.mark.parametrize("model", ["convtasnet", "dprnn", "dptnet"])
def test_a_file_in_asteroids_format_takes_the_place_of_pre_training(
    model: str, corpus: Corpus, artifacts: StoredArtifacts, tmp_path: Path
) -> None:
    path = tmp_path / "enhancer.pth"
    weights = asteroid_file(path, SeparationConfig.from_dict({**SMALL, "model": model}))
    config = SeparationConfig.from_dict({**SMALL, "model": model, "checkpoint": str(path)})
    method = build(config, {"pretraining": run(config, corpus, artifacts)}, seed=1)
    loaded = method.network.state_dict()
    taken = [name for name in weights if not name.startswith("masker.head.output.")]
    assert all(torch.equal(loaded[name], weights[name]) for name in taken)


# 1 x 4 blocks have the weights of 2 x 2, and other dilations.
@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"hidden": 12}, "hid_chan=8, here 12 (--set hidden=8)"),
        ({"blocks": 1, "repeats": 4}, "n_blocks=2, here 1 (--set blocks=2)"),
        ({"sample_rate": 16000}, "sample_rate=8000, here 16000 (--set sample_rate=8000)"),
    ],
)
def test_a_file_of_another_network_is_refused(
    other: dict[str, Any], named: str, corpus: Corpus, artifacts: StoredArtifacts, tmp_path: Path
) -> None:
    path = tmp_path / "enhancer.pth"
    asteroid_file(path, SeparationConfig.from_dict({**SMALL, "blocks": 2, "repeats": 2}))
    config = SeparationConfig.from_dict({**SMALL, "blocks": 2, "repeats": 2, **other, "checkpoint": str(path)})
    with pytest.raises(UserError, match=re.escape(named)):
        run(config, corpus, artifacts)


def test_a_file_whose_weights_are_not_those_of_its_arguments_is_refused(
    corpus: Corpus, artifacts: StoredArtifacts, tmp_path: Path
) -> None:
    path = tmp_path / "enhancer.pth"
    asteroid_file(path, SeparationConfig.from_dict({**SMALL, "hidden": 12}), hid_chan=8)
    config = SeparationConfig.from_dict({**SMALL, "checkpoint": str(path)})
    with pytest.raises(UserError, match=r"masker\.blocks\..* is \(.*12.*\), here \(.*8.*\)"):
        run(config, corpus, artifacts)
