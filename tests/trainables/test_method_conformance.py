"""Every method passes one suite."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.storage.artifacts import StoredArtifacts
from tests.support.methods.conformance import MethodConformance, PaddingConformance
from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.base.storage.storage import Storage
from trainables.config.registry import build_method, config_class, run_stage
from trainables.job.stages import in_order
from trainables.method import Method


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> StoredArtifacts:
    return StoredArtifacts(Storage(tmp_path_factory.mktemp("stages")))


class TestToy(MethodConformance):
    """The suite itself, tried on the smallest method, which an installed package adds."""

    method_name = "toy"
    config = {"lr": 1e-3}  # noqa: RUF012

    @pytest.fixture
    def make(self, toy_package: Path) -> Callable[[int], Method]:
        config = config_class(self.method_name).from_dict(self.config)
        return lambda seed: build_method(self.method_name, config, {}, seed)


class NormalizedSSLConformance(PaddingConformance):
    """Its stages are really run, with two steps of pre-training."""

    method_name = "normalized_ssl"

    @pytest.fixture
    def make(self, corpus: Corpus, artifacts: StoredArtifacts) -> Callable[[int], Method]:
        config = config_class(self.method_name).from_dict(self.config)
        stages = config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
        for stage in in_order(stages):
            run_stage(stage, corpus, artifacts)
        contents = {stage.kind: artifacts.read(stage.key) for stage in stages}
        return lambda seed: build_method(self.method_name, config, contents, seed)


class TestSpectralBaseline(NormalizedSSLConformance):
    config = {"upstream": "tera", "init": "random"}  # noqa: RUF012


class TestSpectralNormalized(NormalizedSSLConformance):
    config = {"upstream": "tera", "norm_layers": [2], "pretraining_steps": 2}  # noqa: RUF012


class TestWaveformBaseline(NormalizedSSLConformance):
    config = {"upstream": "wav2vec2", "init": "random"}  # noqa: RUF012


class TestWaveformNormalized(NormalizedSSLConformance):
    config = {"upstream": "wav2vec2", "norm_layers": [1, 3], "pretraining_steps": 2}  # noqa: RUF012


class SeparationConformance(PaddingConformance):
    """Its stages are really run, with two steps of pre-training."""

    method_name = "separation"
    make = NormalizedSSLConformance.make


class TestSeparationFromScratch(SeparationConformance):
    config = {"clip": None}  # noqa: RUF012


class TestSeparationOfThree(SeparationConformance):
    config = {"model": "dptnet", "sources": 3, "sample_rate": 16000}  # noqa: RUF012


class TestSandglasset(SeparationConformance):
    config = {"model": "sandglasset", "blocks": 2, "chunk": 16, "pit": "soft"}  # noqa: RUF012


class TestFallingTemperature(SeparationConformance):
    config = {"sources": 3, "pit": "soft", "temperature_end": 0.05}  # noqa: RUF012


class TestSeparationPretrained(SeparationConformance):
    config = {"model": "dprnn", "strategy": "ptft", "pretraining_steps": 2}  # noqa: RUF012


class TestSeparationNormalized(SeparationConformance):
    config = {"strategy": "ptft", "norm_blocks": [2], "pretraining_steps": 2}  # noqa: RUF012


class TestSeparationMultitask(SeparationConformance):
    config = {"strategy": "multitask", "pretrain_task": "mama"}  # noqa: RUF012


class TestFrozenBody(NormalizedSSLConformance):
    config = {"upstream": "tera", "freeze_body": True, "pretraining_steps": 2}  # noqa: RUF012


class TestAdapters(NormalizedSSLConformance):
    config = {"upstream": "tera", "adapters": "only", "pretraining_steps": 2}  # noqa: RUF012


class TestAdaptersAndAdversary(NormalizedSSLConformance):
    config = {  # noqa: RUF012
        "upstream": "wav2vec2",
        "adapters": "both",
        "adversary_layer": 9,
        "adversary_schedule": "as_k",
        "pretraining_steps": 2,
    }


class TestNoiseTypesAndNoisyPretraining(NormalizedSSLConformance):
    config = {  # noqa: RUF012
        "upstream": "tera",
        "adversary_layer": 2,
        "adversary_domains": "noise",
        "pretraining_input": "noisy",
        "pretraining_steps": 2,
    }


class TestDraft(NormalizedSSLConformance):
    config = {"upstream": "wav2vec2", "adapters": "draft", "draft_steps": 2, "pretraining_steps": 2}  # noqa: RUF012


class TestWeightedSites(NormalizedSSLConformance):
    config = {"upstream": "tera", "readout": "weighted_ln", "norm_layers": [1], "pretraining_steps": 2}  # noqa: RUF012


class TestBSSE(NormalizedSSLConformance):
    config = {  # noqa: RUF012
        "upstream": "wav2vec2",
        "readout": "bsse",
        "pretraining_input": "denoise",
        "pretraining_steps": 2,
    }


class TestMockingjay(NormalizedSSLConformance):
    config = {  # noqa: RUF012
        "upstream": "mockingjay",
        "norm_layers": [1],
        "clean_stats": "corpus",
        "similarity_pairs": 1,
        "pretraining_steps": 2,
    }


class TestHubert(NormalizedSSLConformance):
    config = {"upstream": "hubert", "norm_layers": [2], "pretraining_steps": 2}  # noqa: RUF012


class TestWavLM(NormalizedSSLConformance):
    config = {"upstream": "wavlm", "norm_layers": [9], "pretraining_steps": 2}  # noqa: RUF012


class ContrastiveSEConformance(PaddingConformance):
    method_name = "contrastive_se"

    @pytest.fixture
    def make(self) -> Callable[[int], Method]:
        config = config_class(self.method_name).from_dict(self.config)
        return lambda seed: build_method(self.method_name, config, {}, seed)


class WaveformSEConformance(PaddingConformance):
    method_name = "waveform_se"
    make = ContrastiveSEConformance.make


class TestDemucs(WaveformSEConformance):
    config = {"network": "demucs", "remix": True, "band_mask": 0.2, "shift_seconds": 0.1, "echo": 0.5}  # noqa: RUF012


class TestDemucsInBothDirections(WaveformSEConformance):
    config = {"network": "demucs", "causal": False, "w_mstft": 0.0, "w_si_sdr": 1.0}  # noqa: RUF012


class TestSEConformer(WaveformSEConformance):
    config = {"network": "se_conformer", "w_l1": 0.0, "w_mstft": 0.0, "w_si_sdr": 1.0}  # noqa: RUF012


class TestConvTasNetForEnhancement(WaveformSEConformance):
    config = {"network": "conv_tasnet", "clip": 5.0}  # noqa: RUF012


class TestNormalContrastive(ContrastiveSEConformance):
    config = {"target": "none"}  # noqa: RUF012


class TestByol(ContrastiveSEConformance):
    config = {"target": "byol", "schedule": "round", "round_period": 0.25}  # noqa: RUF012


class TestSimSiamBalanced(ContrastiveSEConformance):
    config = {"target": "simsiam", "weighting": "balanced", "optimizer": "adamw"}  # noqa: RUF012


class PositionInvariantConformance(PaddingConformance):
    """Its stages are really run, with two steps of pre-training each."""

    method_name = "position_invariant"
    make = NormalizedSSLConformance.make


SMALL_STAGES = {"front_steps": 2, "pretraining_steps": 2}


class TestPositionUntouched(PositionInvariantConformance):
    config = {"variant": "none", **SMALL_STAGES}  # noqa: RUF012


class TestPositionFrames(PositionInvariantConformance):
    config = {"variant": "mse", "l2norm": "on", "layers": [1, 3], "upstream": "wavlm", **SMALL_STAGES}  # noqa: RUF012


class TestPositionPadded(PositionInvariantConformance):
    config = {"variant": "mse_pad", "front_end": "conv_tasnet", "upstream": "wav2vec2", **SMALL_STAGES}  # noqa: RUF012


class TestPositionSoftDTW(PositionInvariantConformance):
    config = {"variant": "softdtw", "lambda_sisdr": 0.1, "lav_weight": 0.1, "band": 0.2, **SMALL_STAGES}  # noqa: RUF012


class TestPositionSpeed(PositionInvariantConformance):
    config = {"variant": "mse_speed_interp", "speed_branch": "noisy", "planted_position": 1.0, **SMALL_STAGES}  # noqa: RUF012
