"""The planted answer, and the options of the running statistics."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables.base.errors import UserError
from trainables.method import When
from trainables.normalization.running_statistics import RunningStatistics
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.feature_normalization import batch_moments
from trainables.normalized_ssl.method import NormalizedSSL, build
from trainables.normalized_ssl.planted_shift import PlantedShift
from trainables.ssl.bodies.upstreams import build_body, pack_body

START = When(step=0, epoch=0, steps=400)


def make(upstream: str, **values: Any) -> NormalizedSSL:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "w_mstft": 0.0, **values})
    return build(config, {"pretraining": pack_body(build_body(config.ssl, 7))}, seed=0).eval()


def batch(seed: int = 1) -> Any:
    """A `Batch`, but that nothing in it is padded: `lengths` is None."""
    generator = torch.Generator().manual_seed(seed)
    clean = 0.1 * torch.randn(2, 4000, generator=generator)
    noisy = clean + 0.05 * torch.randn(2, 4000, generator=generator)
    return SimpleNamespace(noisy=noisy, clean=clean, lengths=None)


def clean_features(method: NormalizedSSL, clean: Tensor) -> Tensor:
    """At site 1, of the clean branch."""
    body = method.normalization.clean_body
    assert body is not None
    return body(clean)[1]


def planted_in(method: NormalizedSSL) -> PlantedShift:
    planted = method.normalization.planted
    assert planted is not None
    return planted


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2"])
def test_it_disturbs_the_noisy_branch_and_leaves_the_clean_one_alone(upstream: str) -> None:
    plain, planted = make(upstream, norm_layers=[2]), make(upstream, norm_layers=[2], planted_layer=2)
    walks = [each.normalization.walk(each.body, batch().noisy) for each in (plain, planted)]
    assert torch.equal(walks[0].raw[0], walks[1].raw[0])
    assert not torch.allclose(walks[0].raw[1], walks[1].raw[1], atol=0.1)
    clean = [clean_features(each, batch().clean) for each in (plain, planted)]
    assert torch.equal(*clean)


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2"])
def test_normalizing_that_layer_takes_it_away(upstream: str) -> None:
    """At full strength the disturbed features end with the statistics of clean speech."""
    method = make(upstream, norm_layers=[2], planted_layer=2, k0=1.0, k_shape="constant", affine_stats="batch")
    method.training_losses(batch(), START)
    given = batch()
    walk = method.normalization.walk(method.body, given.noisy, given.clean)
    found = batch_moments(method.body, walk.normalized[1], None, 1)
    wanted = batch_moments(method.body, clean_features(method, given.clean), None, 1)
    ratio = (wanted[1] / batch_moments(method.body, walk.raw[1], None, 1)[1]).clamp(0.1, 10)
    usual = (ratio > 0.1) & (ratio < 10)
    torch.testing.assert_close(found[0], wanted[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1][usual], wanted[1][usual], atol=1e-3, rtol=1e-2)


def test_its_repair_is_part_of_the_network_and_never_ablated() -> None:
    method = make("tera", norm_layers=[2], planted_layer=2, k0=1.0, k_shape="constant")
    method.before_inference(When(step=9, epoch=0, steps=9), ablate=True)
    assert method.normalization.strengths.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_every_candidate_and_seed_has_the_same_one() -> None:
    one = planted_in(make("tera", planted_layer=2))
    other = planted_in(make("tera", planted_layer=2, norm_layers=[1]))
    assert torch.equal(one.scale, other.scale)
    assert torch.equal(one.shift, other.shift)


@pytest.mark.parametrize("layer", [0, 4, 1.5, True])
def test_there_must_be_such_a_layer(layer: float) -> None:
    with pytest.raises(UserError, match="planted_layer"):
        NormalizedSSLConfig.from_dict({"upstream": "tera", "planted_layer": layer})


# -- statistics -----------------------------------------------------------------------------------------------


def averaged(start: str, values: list[float], beta: float = 0.9) -> RunningStatistics:
    statistics = RunningStatistics(1, start)
    statistics.momentum = (beta, beta)
    for value in values:
        one = torch.tensor([value])
        statistics.update((one, torch.ones(1)), (2 * one, 2 * torch.ones(1)))
    return statistics


def exponential(first: float, values: list[float], beta: float = 0.9) -> float:
    """The textbook recursion m <- beta m + (1 - beta) x."""
    mean = first
    for value in values:
        mean = beta * mean + (1 - beta) * value
    return mean


def test_a_first_batch_copy_is_the_textbook_average_from_there() -> None:
    values = [3.0, -1.0, 2.0, 5.0]
    statistics = averaged("first_batch", values)
    assert float(statistics.noisy_mean) == pytest.approx(exponential(3.0, values[1:]))
    assert float(statistics.clean_mean) == pytest.approx(2 * exponential(3.0, values[1:]))
    assert float(statistics.ratio) == pytest.approx(2.0, rel=1e-4)


def test_an_identity_start_begins_at_mean_0_and_ratio_1() -> None:
    values = [3.0, -1.0, 2.0, 5.0]
    statistics = averaged("identity", values)
    assert float(statistics.noisy_mean) == pytest.approx(exponential(0.0, values))
    assert float(statistics.ratio) == pytest.approx(exponential(1.0, [2.0] * 4), rel=1e-4)


def test_a_corrected_start_is_the_average_over_1_minus_beta_to_the_t() -> None:
    values = [3.0, -1.0, 2.0, 5.0]
    corrected = exponential(0.0, values) / (1 - 0.9**4)
    assert float(averaged("corrected", values).noisy_mean) == pytest.approx(corrected)


def test_batch_statistics_train_with_the_batch_and_deploy_with_the_running_ones() -> None:
    settings = {"norm_layers": [2], "k0": 1.0, "k_end": 1.0}
    running, own = make("tera", **settings), make("tera", affine_stats="batch", **settings)
    for method in (running, own):
        for seed in (1, 2):
            method.training_losses(batch(seed), START)
    one, other = (
        each.normalization.walk(each.body, batch(3).noisy, batch(3).clean).normalized[1] for each in (running, own)
    )
    assert not torch.allclose(one, other)
    deployed = [each.normalization.walk(each.body, batch(4).noisy).normalized[1] for each in (running, own)]
    torch.testing.assert_close(*deployed)


@pytest.mark.parametrize(("reads", "raw"), [("raw", True), ("normalized", False)])
@pytest.mark.parametrize("site", ["input", "output"])
def test_what_skips_read_can_be_chosen_apart_from_the_site(reads: str, raw: bool, site: str) -> None:
    config = NormalizedSSLConfig.from_dict(
        {"upstream": "wav2vec2", "norm_layers": [2], "norm_site": site, "skip_reads": reads}
    )
    assert config.skips_read_raw == raw
