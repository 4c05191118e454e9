from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.config.registry import run_stage
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.noise_types import unpack_types


def test_the_stage_lists_the_training_splits_types_once_for_every_seed(corpus: Corpus) -> None:
    config = NormalizedSSLConfig.from_dict({"adversary_layer": 2, "adversary_domains": "noise"})
    (_, first), (_, second) = (
        config.stages(seed, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint, threads=seed, device="cpu")
        for seed in (1, 2)
    )
    assert first.key == second.key
    artifacts = MemoryArtifacts()
    run_stage(first, corpus, artifacts)
    assert unpack_types(artifacts.read(first.key)) == sorted(set(corpus.noise("train").types))


def test_without_it_the_stages_are_what_they_were(corpus: Corpus) -> None:
    config = NormalizedSSLConfig.from_dict({"adversary_layer": 2})
    (body,) = config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    assert body.kind == "pretraining"
