"""Algorithm 1: statistics, the affine map, the clean branch, and what happens at k = 0."""

import copy
import multiprocessing
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed

from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.feature_normalization import FeatureNormalization, batch_moments
from trainables.ssl.bodies.body import Body
from trainables.ssl.bodies.upstreams import build_body

UPSTREAMS = ["tera", "wav2vec2"]


def body_of(upstream: str) -> Body:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "init": "random"})
    return build_body(config.ssl, seed=0).eval()


def pair(batch: int = 4, samples: int = 8000, seed: int = 1) -> tuple[Tensor, Tensor]:
    """(noisy, clean): a modulated tone, and the same in noise."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16000
    pitch = 100.0 + 300.0 * torch.rand(batch, 1, generator=generator)
    clean = torch.sin(2 * torch.pi * pitch * time) * (1.0 + torch.sin(20.0 * time))
    return clean + torch.randn(batch, samples, generator=generator), clean


def statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """The textbook: mean and biased deviation per channel over batch and time."""
    flat = features.transpose(0, 1).flatten(1).double()
    return flat.mean(dim=1), flat.std(dim=1, unbiased=False)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_no_strength_is_bit_identical_to_off(upstream: str) -> None:
    body = body_of(upstream)
    noisy, clean = pair()
    off = FeatureNormalization(body, ()).walk(body, noisy, clean)
    zero = FeatureNormalization(body, (1, 2)).walk(body, noisy, clean)
    for plain, ours in zip(off.normalized, zero.normalized, strict=True):
        assert torch.equal(plain, ours)


def test_no_strength_never_runs_the_clean_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of("tera")
    normalization = FeatureNormalization(body, (1,))
    assert normalization.clean_body is not None
    monkeypatch.setattr(normalization.clean_body, "start", None)  # calling it would fail
    noisy, clean = pair()
    normalization.walk(body, noisy, clean)
    assert not normalization.running(1).weights.any()


@pytest.mark.parametrize(("upstream", "site"), [("tera", 0), ("tera", 2), ("wav2vec2", 1), ("wav2vec2", 8)])
def test_full_strength_gives_the_clean_statistics(upstream: str, site: int) -> None:
    """At the first batch the running statistics are the batch's."""
    body = body_of(upstream)
    normalization = FeatureNormalization(body, (site,))
    normalization.set_strength(1.0)
    noisy, clean = pair()
    ours = normalization.walk(body, noisy, clean).normalized[site]
    target_mean, target_deviation = statistics(body(clean)[site])
    mean, deviation = statistics(ours)
    varying = target_deviation > 1e-2  # the floor under the deviations shows in dead channels
    torch.testing.assert_close(mean, target_mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(deviation[varying], target_deviation[varying], atol=1e-4, rtol=2e-3)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_only_the_normalized_site_changes_before_the_next_layer(upstream: str) -> None:
    body = body_of(upstream)
    normalization = FeatureNormalization(body, (2,))
    normalization.set_strength(0.7)
    noisy, clean = pair()
    plain, walk = body(noisy), normalization.walk(body, noisy, clean)
    for site in (0, 1):
        assert torch.equal(walk.normalized[site], plain[site])
    assert torch.equal(walk.raw[2], plain[2])
    assert not torch.allclose(walk.normalized[2], plain[2], atol=1e-4)
    torch.testing.assert_close(walk.raw[3], body.advance(walk.normalized[2], 2))


def test_several_sites_use_a_clean_branch_that_is_not_normalized() -> None:
    """Site 3's target is the plain body on clean speech, although site 1 is normalized too (A7)."""
    body = body_of("wav2vec2")
    normalization = FeatureNormalization(body, (1, 3))
    normalization.set_strength(1.0)
    noisy, clean = pair()
    normalization.walk(body, noisy, clean)
    plain = body(clean)
    for site in (1, 3):
        mean, _ = statistics(plain[site])
        torch.testing.assert_close(normalization.running(site).clean_mean.double(), mean, atol=1e-5, rtol=1e-4)


def test_the_clean_branch_goes_no_further_than_the_last_active_site(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of("wav2vec2")
    normalization = FeatureNormalization(body, (1, 5))
    normalization.strengths[1] = 0.5  # site 5 rests
    reached = []

    def advance(x: Tensor, site: int, lengths: Tensor | None = None) -> Tensor:
        reached.append(site)
        return body.advance(x, site, lengths)

    assert normalization.clean_body is not None
    monkeypatch.setattr(normalization.clean_body, "advance", advance)
    noisy, clean = pair()
    normalization.walk(body, noisy, clean)
    assert reached == [0]


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_padding_is_left_out_of_the_statistics(upstream: str) -> None:
    """What lies in the padding, loud or silent, makes no difference to frames wholly before it."""
    body = body_of(upstream)
    features = body(pair()[0])[1]
    lengths = torch.tensor([8000, 8000, 4000, 4000])
    valid = [int(body.site_frames(n, 1)) for n in lengths.tolist()]
    spoiled = features.clone()
    for item, frames in enumerate(valid):
        spoiled[item, :, frames:] = 1e3
    expected = torch.cat([features[item, :, :frames] for item, frames in enumerate(valid)], dim=1)
    mean, deviation = batch_moments(body, spoiled, lengths, 1)
    torch.testing.assert_close(mean, expected.mean(dim=1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(deviation, expected.std(dim=1, unbiased=False), atol=1e-4, rtol=1e-4)


def test_statistics_carry_no_gradient() -> None:
    body = body_of("tera").train()
    normalization = FeatureNormalization(body, (1,))
    normalization.set_strength(0.8)
    noisy, clean = pair()
    normalization.walk(body, noisy, clean).normalized[-1].sum().backward()
    assert not any(buffer.requires_grad for buffer in normalization.buffers())
    assert all(parameter.grad is None for parameter in normalization.parameters())


def test_without_clean_speech_running_statistics_serve_and_stay() -> None:
    body = body_of("wav2vec2")
    normalization = FeatureNormalization(body, (2,))
    normalization.set_strength(0.5)
    noisy, clean = pair()
    trained = normalization.walk(body, noisy, clean)
    before = copy.deepcopy(normalization.state_dict())
    inferred = normalization.walk(body, noisy)
    assert torch.equal(inferred.normalized[-1], trained.normalized[-1])
    assert all(torch.equal(before[name], value) for name, value in normalization.state_dict().items())


def test_diagnostics_name_every_site() -> None:
    body = body_of("tera")
    normalization = FeatureNormalization(body, (0, 2))
    normalization.set_strength(0.5)
    normalization.walk(body, *pair())
    found = normalization.diagnostics()
    names = ("k", "log_ratio_mean", "log_ratio_max", "mean_distance")
    assert set(found) == {f"site{site}/{name}" for site in (0, 2) for name in names}
    ratio = normalization.running(2).ratio
    assert found["site2/log_ratio_max"] == pytest.approx(float(ratio.log().abs().max()))
    assert found["site2/k"] == 0.5


@pytest.mark.slow
def test_two_processes_hold_the_statistics_of_the_whole_batch(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    meeting = f"file://{tmp_path}/meeting"
    results = context.Queue()
    workers = [context.Process(target=_half_batch, args=(rank, meeting, results)) for rank in range(2)]
    for worker in workers:
        worker.start()
    halves = [torch.tensor(results.get(timeout=600)) for _ in workers]
    for worker in workers:
        worker.join()
    body = body_of("wav2vec2")
    whole = torch.stack(batch_moments(body, body(pair()[0])[2], None, 2))
    for half in halves:
        torch.testing.assert_close(half, whole, atol=1e-5, rtol=1e-4)


def _half_batch(rank: int, meeting: str, results: "Queue[list[list[float]]]") -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    body = body_of("wav2vec2")
    mine = body(pair()[0][2 * rank : 2 * rank + 2])[2]
    results.put(torch.stack(batch_moments(body, mine, None, 2)).tolist())
    distributed.destroy_process_group()
