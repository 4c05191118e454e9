"""The similarity curve: what it measures, and that measuring changes nothing."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from trainables.method import When
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.method import NormalizedSSL, build
from trainables.ssl.bodies.upstreams import build_body, pack_body

MIDDLE = When(step=5, epoch=0, steps=10)


def make(upstream: str, **values: Any) -> NormalizedSSL:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "similarity_pairs": 2, **values})
    artifacts = {"pretraining": pack_body(build_body(config.ssl, 7))} if config.needs_pretraining else {}
    return build(config, artifacts, seed=0).eval()


def pairs(count: int = 3) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    clean = 0.1 * torch.randn(count, 4000, generator=generator)
    noise = 0.1 * torch.randn(count, 4000, generator=generator)
    return list(zip(clean + noise, clean, strict=True))


@pytest.mark.parametrize(("upstream", "sites"), [("tera", 4), ("wav2vec2", 10)])
def test_clean_input_to_an_untouched_body_is_entirely_similar(upstream: str, sites: int) -> None:
    same = [(clean, clean) for _, clean in pairs()]
    found = make(upstream).validation_curves(same, MIDDLE)
    assert len(found) == 2 * sites
    assert all(value == pytest.approx(1.0, abs=1e-5) for value in found.values())


def test_it_is_the_mean_over_frames_then_pairs_of_the_asked_number_of_pairs() -> None:
    method = make("tera")
    found = method.validation_curves(pairs(), MIDDLE)
    expected = []
    for noisy, clean in pairs()[:2]:
        gain = 1 / noisy.square().mean().sqrt()
        ours, wanted = method.body((noisy * gain)[None])[3], method.body((clean * gain)[None])[3]
        expected.append(F.cosine_similarity(ours, wanted, dim=1).mean().item())
    assert found["similarity/site3"] == pytest.approx(sum(expected) / 2, abs=1e-5)


def test_it_compares_with_the_upstream_as_pretrained() -> None:
    method = make("wav2vec2")
    before = method.validation_curves(pairs(), MIDDLE)
    with torch.no_grad():
        for parameter in method.body.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    after = method.validation_curves([(clean, clean) for _, clean in pairs()], MIDDLE)
    assert before.keys() == after.keys()
    assert after["similarity/site9"] < 0.99


def test_curves_are_measured_at_the_present_strength_and_at_0() -> None:
    method = make("tera", norm_layers=[2], k0=1.0, k_shape="constant")
    method.train()
    from types import SimpleNamespace

    noisy, clean = (torch.stack(each) for each in zip(*pairs(), strict=True))
    batch: Any = SimpleNamespace(noisy=3 * noisy + 0.1, clean=clean, lengths=None)
    method.training_losses(batch, MIDDLE)
    method.eval()
    found = method.validation_curves(pairs(), MIDDLE)
    assert found["similarity/site0"] == found["similarity_k0/site0"]
    assert found["similarity/site1"] != found["similarity_k0/site1"]


def test_it_is_no_part_of_the_state_and_off_by_default() -> None:
    assert make("tera").state_dict().keys() == make("tera", similarity_pairs=0).state_dict().keys()
    assert make("tera", similarity_pairs=0).validation_curves(pairs(), MIDDLE) == {}
    assert make("tera", init="random").validation_curves(pairs(), MIDDLE) == {}
