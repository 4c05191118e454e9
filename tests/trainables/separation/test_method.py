"""The method as the session sees it; what all methods promise is in the conformance suite."""

import math
from dataclasses import replace
from itertools import permutations
from typing import Any, cast

import pytest
import torch
from torch import nn

from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import Batch
from trainables.base.padding import valid_mask
from trainables.job.assignment import DataSettings
from trainables.losses.permutation import pairwise_si_sdr
from trainables.method import When
from trainables.networks.masking_separator import MaskingSeparator
from trainables.separation.config import SeparationConfig
from trainables.separation.method import Separation, build
from trainables.separation.separators import build_separator, pack_network

START = When(step=0, epoch=0, steps=10)
DATA = DataSettings(batch=2, crop_seconds=0.3, speakers=2, sample_rate=8000)


def make(seed: int = 1, **values: Any) -> Separation:
    config = SeparationConfig.from_dict({"hidden": 16, "observed_mixtures": 5, "observed_seconds": 0.3, **values})
    artifacts = {}
    if config.strategy == "ptft":
        artifacts["pretraining"] = pack_network(build_separator(config, 1, seed=77))
    return build(config, artifacts, seed)


def mixtures(sources: int = 2) -> Batch:
    clean = 0.1 * torch.randn(2, sources, 2400, generator=torch.Generator().manual_seed(3))
    return Batch(noisy=clean.sum(1), clean=clean, lengths=torch.full((2,), 2400))


def voices() -> Batch:
    batch = mixtures()
    return replace(batch, clean=batch.clean[:, 0])


def output_layer(method: Separation) -> nn.Conv1d | nn.Conv2d:
    return cast("nn.Conv1d | nn.Conv2d", method.network.masker.head.output)


def output_gradients(method: Separation, batch: Batch) -> list[float]:
    """The size of the gradient on each output's rows of the output layer."""
    method.training_losses(batch, START)["total"].backward()
    gradient = output_layer(method).weight.grad
    assert gradient is not None
    return [float(rows.abs().sum()) for rows in gradient.chunk(method.config.outputs)]


@pytest.mark.parametrize("model", ["convtasnet", "dprnn", "dptnet"])
def test_separation_leaves_the_enhancement_output_alone_and_the_other_way_round(model: str) -> None:
    separation = output_gradients(make(model=model, strategy="multitask"), mixtures())
    assert separation[2] == 0.0
    assert min(separation[:2]) > 0.0
    enhancement = output_gradients(make(model=model, strategy="multitask"), voices())
    assert enhancement[:2] == [0.0, 0.0]
    assert enhancement[2] > 0.0


@pytest.mark.parametrize(("ratio", "of_ten_steps"), [(1.0, 10), (1 / 3, 3), (3.65, 36), (0.0, 0)])
def test_every_step_has_one_separation_batch_whatever_the_ratio(
    corpus: Corpus, ratio: float, of_ten_steps: int
) -> None:
    method = make(strategy="multitask", mtl_ratio=ratio)
    drawn = [method.draw_batches(corpus, DATA, seed=1, step=step) for step in range(10)]
    separating = [sum(batch.clean.dim() == 3 for batch in step) for step in drawn]
    assert separating == [1] * 10
    assert sum(batch.clean.dim() == 2 for step in drawn for batch in step) == of_ten_steps


def test_all_strategies_separate_the_same_mixtures(corpus: Corpus) -> None:
    strategies: tuple[dict[str, Any], ...] = ({}, {"strategy": "ptft"}, {"strategy": "multitask"})
    drawn = [
        next(batch for batch in make(**values).draw_batches(corpus, DATA, 1, 4) if batch.clean.dim() == 3)
        for values in strategies
    ]
    assert torch.equal(drawn[0].clean, drawn[1].clean)
    assert torch.equal(drawn[0].clean, drawn[2].clean)


def test_the_third_output_is_cut_before_anyone_sees_it() -> None:
    method = make(strategy="multitask")
    mixture = mixtures().noisy
    assert method.infer(mixture).shape == (2, 2, 2400)
    torch.testing.assert_close(method.infer(mixture), method.network(mixture)[:, :2])


def test_the_weight_of_the_other_task() -> None:
    light, full = (make(strategy="multitask", mtl_weight=weight) for weight in (0.25, 1.0))
    losses = light.training_losses(voices(), START), full.training_losses(voices(), START)
    torch.testing.assert_close(losses[0]["total"], 0.25 * losses[1]["total"])


def test_training_lowers_the_loss_on_a_batch() -> None:
    method, batch = make(), mixtures()
    optimizer = torch.optim.Adam(method.parameter_groups())
    first = method.training_losses(batch, START)["total"].item()
    for _ in range(15):
        optimizer.zero_grad()
        method.training_losses(batch, START)["total"].backward()
        optimizer.step()
    assert method.training_losses(batch, START)["total"].item() < first - 1.0


def test_an_unchanged_network_switches_nothing(corpus: Corpus) -> None:
    method = make()
    assert method.observe(corpus, DATA) == {}
    found = method.observe(corpus, DATA)
    assert found["switch_percent"] == found["switch_symmetric_percent"] == 0.0
    assert method.training


def test_a_swap_of_all_outputs_is_a_switch_of_all_and_none(corpus: Corpus) -> None:
    method = make()
    method.observe(corpus, DATA)
    with torch.no_grad():
        for parameter in output_layer(method).parameters():
            parameter.copy_(torch.cat(parameter.chunk(2)[::-1]))
    found = method.observe(corpus, DATA)
    assert (found["switch_percent"], found["switch_symmetric_percent"]) == (100.0, 0.0)


def test_watching_draws_nothing(corpus: Corpus) -> None:
    method = make()
    before = torch.get_rng_state()
    method.observe(corpus, DATA)
    assert torch.equal(before, torch.get_rng_state())


def test_dptnets_schedule_is_a_rate_of_its_own() -> None:
    method = make(model="dptnet", schedule="noam", lr=1e-3)
    late = When(step=9000, epoch=3, steps=18000)
    factor = method.learning_rate_factor(late)
    assert factor is not None
    assert factor * 1e-3 == pytest.approx(4e-4 * 0.98)
    assert make().learning_rate_factor(late) is None
    half = make(model="dptnet", schedule="noam", lr=5e-4).learning_rate_factor(late)
    assert half == factor  # of its own rate: the whole curve is halved


# -- probabilistic PIT --------------------------------------------------------------------------------------


def gradients(when: When = START, **values: Any) -> tuple[dict[str, float], torch.Tensor]:
    """The losses of one batch, and the gradient of all weights."""
    method = make(**values)
    losses = method.training_losses(mixtures(values.get("sources", 2)), when)
    losses["total"].backward()
    found = [parameter.grad.flatten() for parameter in method.network.parameters() if parameter.grad is not None]
    return {name: float(value.detach()) for name, value in losses.items()}, torch.cat(found)


@pytest.mark.parametrize("sources", [2, 3])
def test_soft_assignment_is_the_formula_over_all_permutations(sources: int) -> None:
    method, batch = make(pit="soft", temperature=2.0, sources=sources), mixtures(sources)
    losses = method.training_losses(batch, START)
    pairwise = pairwise_si_sdr(method.network(batch.noisy), batch.clean).detach().double()
    orders = list(permutations(range(sources)))
    scores = torch.stack([torch.stack([p[range(sources), order].mean() for order in orders]) for p in pairwise])
    expected = -2.0 * ((scores / 2.0).exp().mean(1)).log()
    assert float(losses["total"].detach()) == pytest.approx(float(expected.mean()), abs=1e-5)
    weights = torch.softmax(scores / 2.0, dim=1)
    entropy = -(weights * weights.log()).sum(1) / math.log(len(orders))
    assert float(losses["undecided"]) == pytest.approx(float(entropy.mean()), abs=1e-5)


def test_a_cold_soft_assignment_trains_as_the_best_one() -> None:
    (hard, expected), (soft, found) = gradients(), gradients(pit="soft", temperature=0.01)
    assert "undecided" not in hard
    assert soft["undecided"] < 0.5  # of two nearly equal assignments
    assert gradients(pit="soft", temperature=100.0)[0]["undecided"] > 0.999
    hottest = gradients(pit="soft", temperature=100.0)[1]
    assert (found - expected).norm() < (hottest - expected).norm()


def test_a_falling_temperature_ends_in_the_best_assignment_to_the_bit() -> None:
    falling: dict[str, Any] = {"pit": "soft", "temperature": 3.0, "temperature_end": 0.05, "temperature_share": 0.5}
    late = When(step=5, epoch=0, steps=10)
    (found, gradient), (expected, wanted) = gradients(late, **falling), gradients(late)
    assert found == expected
    assert torch.equal(gradient, wanted)
    losses = [gradients(When(step=step, epoch=0, steps=10), **falling)[0] for step in (0, 2, 4, 5, 9)]
    seen = [each["undecided"] for each in losses if "undecided" in each]
    assert len(seen) == 3
    assert seen[0] > seen[1] > seen[2] > 0.0


# -- feature normalization ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["convtasnet", "dprnn", "dptnet"])
def test_full_strength_gives_the_features_the_statistics_of_single_voices(model: str) -> None:
    method = make(model=model, strategy="ptft", norm_blocks=[1], k0=1.0).train()
    assert method.normalization is not None
    seen = []
    method.network.masker.blocks[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    method.normalization.voices.masker.blocks[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    method.training_losses(mixtures(), START)
    frames = torch.ones(1, 1, method.network.encode(mixtures().noisy).shape[-1])
    real = method.network.masker.at_blocks(frames)[0, 0].bool()
    of_voices, of_mixtures = (features[:, :, real].transpose(0, 1).flatten(1) for features in seen)
    torch.testing.assert_close(of_mixtures.mean(1), of_voices.mean(1), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(of_mixtures.std(1), of_voices.std(1), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("model", ["convtasnet", "dprnn", "dptnet"])
def test_statistics_leave_padding_out(model: str) -> None:
    """Those of a padded batch are those of its items alone, every frame counted alike."""
    method = make(model=model, strategy="ptft", norm_blocks=[1]).train()
    lengths = torch.tensor([2400, 1003])
    batch = mixtures()
    kept = valid_mask(batch.noisy, lengths)
    padded = Batch(noisy=batch.noisy * kept, clean=batch.clean * kept[:, None], lengths=lengths)
    method.training_losses(padded, START)
    assert method.normalization is not None
    found = method.normalization.running(1)
    assert found.momentum == (0.99, 0.999)

    def entering(network: MaskingSeparator, wave: torch.Tensor) -> torch.Tensor:
        seen: list[torch.Tensor] = []
        handle = network.masker.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        encoded = network.encode(wave[None])
        network.masker.context(encoded)
        handle.remove()
        real = network.masker.at_blocks(torch.ones(1, 1, encoded.shape[-1]))[0, 0].bool()
        return seen[0][0][:, real]

    items = list(zip(batch.noisy, batch.clean, lengths.tolist(), strict=True))
    method.before_inference(START, ablate=True)
    with torch.no_grad():
        noisy = torch.cat([entering(method.network, wave[:count]) for wave, _, count in items], dim=1)
        copies = [entering(method.normalization.voices, voice[:count]) for _, both, count in items for voice in both]
    voices = torch.cat(copies, dim=1)
    torch.testing.assert_close(found.noisy_mean, noisy.mean(1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.clean_mean, voices.mean(1), atol=1e-5, rtol=1e-4)
    ratio = (voices.std(1, correction=0) + 1e-5) / (noisy.std(1, correction=0) + 1e-5)
    torch.testing.assert_close(found.ratio, ratio.clamp(0.1, 10.0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("model", ["convtasnet", "dprnn", "dptnet"])
def test_the_loss_of_a_padded_batch_is_the_mean_of_its_items_alone(model: str) -> None:
    method, batch, lengths = make(model=model), mixtures(), torch.tensor([2400, 1003])
    kept = valid_mask(batch.noisy, lengths)
    padded = Batch(noisy=batch.noisy * kept, clean=batch.clean * kept[:, None], lengths=lengths)
    alone = [
        Batch(noisy=noisy[None, :count], clean=clean[None, :, :count], lengths=torch.tensor([count]))
        for noisy, clean, count in zip(batch.noisy, batch.clean, lengths.tolist(), strict=True)
    ]
    expected = torch.stack([method.training_losses(item, START)["total"] for item in alone]).mean()
    torch.testing.assert_close(method.training_losses(padded, START)["total"], expected, atol=1e-4, rtol=1e-5)


def test_ablated_and_at_the_end_it_is_the_plain_network() -> None:
    method = make(strategy="ptft", norm_blocks=[1, 2])
    method.training_losses(mixtures(), START)
    plain = make(strategy="ptft")
    mixture = mixtures().noisy
    method.before_inference(START, ablate=True)
    assert torch.equal(method.infer(mixture), plain.infer(mixture))
    method.before_inference(When(step=10, epoch=1, steps=10))
    assert torch.equal(method.infer(mixture), plain.infer(mixture))
    method.before_inference(START)
    assert not torch.equal(method.infer(mixture), plain.infer(mixture))


def test_the_copy_for_single_voices_never_trains() -> None:
    method = make(strategy="ptft", norm_blocks=[1])
    method.training_losses(mixtures(), START)["total"].backward()
    normalization = method.normalization
    assert normalization is not None
    assert all(parameter.grad is None for parameter in normalization.voices.parameters())
    method.train()
    assert not normalization.voices.training
