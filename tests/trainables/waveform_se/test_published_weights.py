"""A checkpoint is where training starts, and another network's is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sweep.storage.artifacts import StoredArtifacts
from tests.support.methods.asteroid_files import content_of_network, write
from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.config.registry import check_weights, run_stage
from trainables.job.stages import Stage
from trainables.networks.enhancement_networks import BUILDERS, SIZES
from trainables.networks.masking_separator import MaskingSeparator
from trainables.waveform_se.config import WaveformSEConfig
from trainables.waveform_se.method import build


def config(checkpoint: Path, **values: Any) -> WaveformSEConfig:
    return WaveformSEConfig.from_dict({"checkpoint": str(checkpoint), **values})


def stage_of(checkpoint: Path, **values: Any) -> Stage:
    (stage,) = config(checkpoint, **values).stages(1, corpus_uri="", corpus_fingerprint="")
    return stage


def demucs_file(path: Path, **changes: Any) -> tuple[Path, torch.nn.Module]:
    """A package of denoiser's of the tiny size."""
    torch.manual_seed(8)
    sizes = {**SIZES["demucs", "tiny"], **changes}
    network = BUILDERS["demucs"](**sizes)
    torch.save(
        {"class": "Demucs", "args": (), "kwargs": sizes | {"sample_rate": 16_000}, "state": network.state_dict()}, path
    )
    return path, network


@pytest.mark.parametrize("causal", [True, False])
def test_training_starts_from_the_file(causal: bool, tmp_path: Path) -> None:
    path, network = demucs_file(tmp_path / "best.th", causal=causal)
    stage, artifacts = stage_of(path, causal=causal), StoredArtifacts(Storage(tmp_path / "stages"))
    check_weights(stage)
    run_stage(stage, make_tiny_corpus(tmp_path / "corpus"), artifacts)
    contents = {stage.kind: artifacts.read(stage.key)}
    one, other = (build(config(path, causal=causal), contents, seed) for seed in (1, 2))
    for key, value in network.state_dict().items():
        assert torch.equal(one.network.state_dict()[key], value)
        assert torch.equal(other.network.state_dict()[key], value)


def test_the_stage_is_found_by_what_the_file_holds(tmp_path: Path) -> None:
    path, _ = demucs_file(tmp_path / "best.th")
    before = stage_of(path).key
    assert stage_of(path, lr=1e-4).key == before
    demucs_file(path, causal=False)
    assert stage_of(path).key != before


def test_the_other_way_of_the_lstm_is_refused(tmp_path: Path) -> None:
    path, _ = demucs_file(tmp_path / "best.th")
    with pytest.raises(UserError, match="causal is not given and means True, here False"):
        check_weights(stage_of(path, causal=False))


def test_asteroids_files_are_of_conv_tasnet(tmp_path: Path) -> None:
    sizes = SIZES["conv_tasnet", "tiny"]
    network = BUILDERS["conv_tasnet"](**sizes)
    assert isinstance(network, MaskingSeparator)
    path = write(tmp_path / "model.bin", content_of_network("convtasnet", network, sizes, n_src=1, sample_rate=16000))
    check_weights(stage_of(path, network="conv_tasnet"))
    with pytest.raises(UserError, match="n_filters=64, here 512"):
        check_weights(stage_of(path, network="conv_tasnet", size="base"))
    for network_name in ("demucs", "se_conformer"):
        with pytest.raises(UserError, match=str(path)):
            check_weights(stage_of(path, network=network_name))


@pytest.mark.parametrize("network", ["demucs", "se_conformer", "conv_tasnet"])
def test_a_folder_or_another_kind_of_file_is_refused(network: str, tmp_path: Path) -> None:
    (tmp_path / "file.th").write_text("no weights")
    for path in (tmp_path, tmp_path / "file.th"):
        with pytest.raises(UserError, match=str(path)) as refusal:
            check_weights(stage_of(path, network=network))
        assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_there_is_refused_by_the_plan(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint at"):
        config(tmp_path / "nothing.th").require_inputs()
