"""The method as the session sees it; what all methods promise is in the conformance suite."""

import copy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import Batch
from trainables.base.tensors import pack
from trainables.job.assignment import DataSettings
from trainables.losses.complex_mask import compress, ideal_mask
from trainables.losses.si_sdr import si_sdr_loss
from trainables.losses.stft import multi_resolution_stft_loss
from trainables.method import When
from trainables.normalization.running_statistics import RunningStatistics
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.method import NormalizedSSL, build
from trainables.ssl.bodies.upstreams import build_body, pack_body

UPSTREAMS = ["tera", "apc", "wav2vec2", "wav2vec2-robust", "wavlm"]  # an architecture each
WITH_LAYERS = [upstream for upstream in UPSTREAMS if upstream != "apc"]  # of a transformer, for adapters
BUDGET = 40


def make(upstream: str, seed: int = 0, types: int = 0, **values: Any) -> NormalizedSSL:
    """A method on an "artifact" with random weights, or without one; `types` of noise."""
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "w_mstft": 0.0, **values})
    artifacts = {"pretraining": pack_body(build_body(config.ssl, 77))} if config.needs_pretraining else {}
    artifacts |= {"noise_types": pack([f"type{number}" for number in range(types)])} if types else {}
    return build(config, artifacts, seed)


def moment(step: int) -> When:
    return When(step=step, epoch=0, steps=BUDGET)


def make_batch(seed: int = 1, samples: int = 4000) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16000
    pitch = torch.tensor([[150.0], [220.0]])
    clean = 0.1 * torch.sin(2 * torch.pi * pitch * time) * (1.0 + torch.sin(15.0 * time))
    noise = 0.1 * torch.randn(2, samples, generator=generator)
    return Batch(noisy=clean + noise, clean=clean, lengths=torch.full((2,), samples))


def unpadded(noisy: Tensor, clean: Tensor) -> Any:
    """A `Batch`, but that its `lengths` is None."""
    return SimpleNamespace(noisy=noisy, clean=clean, lengths=None)


def train(method: NormalizedSSL, steps: int) -> NormalizedSSL:
    optimizer = torch.optim.Adam(method.parameter_groups())
    method.train()
    for step in range(steps):
        optimizer.zero_grad()
        torch.manual_seed(step)
        method.training_losses(make_batch(step), moment(step))["total"].backward()
        optimizer.step()
    return method.eval()


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_training_improves_on_the_mixture(upstream: str) -> None:
    method = train(make(upstream, init="random", w_si_sdr=1.0, lr_body_ratio=1.0), BUDGET)
    batch = make_batch(seed=500)
    before = si_sdr_loss(batch.noisy, batch.clean)
    after = si_sdr_loss(method.infer(batch.noisy)[:, 0], batch.clean)
    assert after < before - 1.0


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_scaling_the_input_scales_the_output(upstream: str) -> None:
    method = train(make(upstream, init="random"), 3)
    noisy = make_batch().noisy
    torch.testing.assert_close(method.infer(0.02 * noisy), 0.02 * method.infer(noisy), atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_silence_in_silence_out(upstream: str) -> None:
    estimate = train(make(upstream, init="random"), 3).infer(torch.zeros(1, 3000))
    assert estimate.abs().max() < 1e-5


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_losses_do_not_depend_on_level(upstream: str) -> None:
    method = make(upstream, init="random").eval()
    batch = make_batch()
    quiet = Batch(noisy=0.1 * batch.noisy, clean=0.1 * batch.clean, lengths=batch.lengths)
    loud, soft = method.training_losses(batch, moment(0)), method.training_losses(quiet, moment(0))
    for name, loss in loud.items():
        torch.testing.assert_close(soft[name], loss, atol=1e-4, rtol=1e-3)


def test_the_total_is_the_weighted_sum() -> None:
    weights: dict[str, Any] = {"w_time": 0.5, "w_mstft": 2.0, "w_cirm": 0.25, "w_si_sdr": 0.1}
    losses = make("tera", init="random", **weights).training_losses(make_batch(), moment(0))
    names = {"w_time": "time", "w_mstft": "mstft", "w_cirm": "cirm", "w_si_sdr": "si_sdr"}
    expected = sum(weight * losses[names[key]] for key, weight in weights.items())
    torch.testing.assert_close(losses["total"], expected)


def test_each_term_is_what_it_says() -> None:
    """An untrained decoder passes the mixture through, so every term can be written down."""
    losses = make("tera", init="random", w_mstft=1.0).training_losses(make_batch(), moment(0))
    batch = make_batch()
    gain = 1.0 / batch.noisy.square().mean(dim=1, keepdim=True).sqrt()
    noisy, clean = batch.noisy * gain, batch.clean * gain
    torch.testing.assert_close(losses["time"], (noisy - clean).square().mean(), atol=1e-4, rtol=1e-4)
    expected = multi_resolution_stft_loss(noisy, clean, batch.lengths)
    torch.testing.assert_close(losses["mstft"], expected, atol=1e-3, rtol=1e-3)
    window = torch.hann_window(400)
    mixed, wanted = (torch.stft(x, 400, 160, 400, window, return_complex=True) for x in (noisy, clean))
    target = compress(ideal_mask(mixed, wanted))
    one = compress(torch.ones(()))
    errors = torch.stack([one - target.real, -target.imag]).square().mean()
    torch.testing.assert_close(losses["cirm"], errors, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_padding_has_no_part_in_the_losses(upstream: str) -> None:
    method = make(upstream, init="random", w_si_sdr=1.0).eval()
    batch = replace(make_batch(), lengths=torch.tensor([4000, 3000]))
    for wave in (batch.noisy, batch.clean):
        wave[1, 3000:] = 0.0
    losses = method.training_losses(batch, moment(0))
    alone = [
        method.training_losses(unpadded(batch.noisy[i : i + 1, :n], batch.clean[i : i + 1, :n]), moment(0))
        for i, n in ((0, 4000), (1, 3000))
    ]
    for name in ("time", "si_sdr"):
        expected = (alone[0][name] + alone[1][name]) / 2
        torch.testing.assert_close(losses[name], expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_the_frozen_copy_never_changes(upstream: str) -> None:
    method = make(upstream, norm_layers=[2])
    frozen = method.normalization.clean_body
    assert frozen is not None
    before = copy.deepcopy(frozen.state_dict())
    body_before = copy.deepcopy(method.body.state_dict())
    train(method, 10)
    assert all(torch.equal(before[name], value) for name, value in frozen.state_dict().items())
    assert any(not torch.equal(body_before[name], value) for name, value in method.body.state_dict().items())


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_the_deployed_network_has_no_part_for_normalization(upstream: str) -> None:
    plain, normed = make(upstream), make(upstream, norm_layers=[1, 3])
    deployed = sum(p.numel() for part in (plain.body, plain.decoder) for p in part.parameters())
    for method in (plain, normed):
        assert sum(p.numel() for group in method.parameter_groups() for p in group["params"]) == deployed
    assert not plain.normalization.state_dict().keys() - {"strengths"}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_zero_strength_trains_as_off_to_the_bit(upstream: str) -> None:
    off, zero = train(make(upstream), 3), train(make(upstream, norm_layers=[2], k0=0.0), 3)
    trained = zero.body.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in off.body.state_dict().items())


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_strength_changes_training_and_then_vanishes(upstream: str) -> None:
    off, normed = train(make(upstream), 3), train(make(upstream, norm_layers=[2], k0=1.0), 3)
    trained = normed.body.state_dict()
    assert any(not torch.equal(value, trained[name]) for name, value in off.body.state_dict().items())
    normed.before_inference(moment(BUDGET))
    assert not normed.normalization.strengths.any()


def test_validation_uses_the_present_strength_unless_ablated() -> None:
    method = train(make("tera", norm_layers=[2], k0=0.8, k_end=1.0), 3)
    noisy = make_batch().noisy
    method.before_inference(moment(20))
    assert method.normalization.strengths.tolist() == pytest.approx([0.0, 0.4, 0.0, 0.0])
    current = method.infer(noisy)
    method.before_inference(moment(20), ablate=True)
    assert not method.normalization.strengths.any()
    assert not torch.equal(method.infer(noisy), current)


@pytest.mark.parametrize(("site", "same"), [("input", True), ("output", False)])
def test_skips_read_raw_features_only_where_inputs_are_normalized(site: str, same: bool) -> None:
    layer = 3 if site == "input" else 2  # either way site 2
    method = make("wav2vec2", norm_layers=[layer], norm_site=site, k0=1.0)
    method.normalization.set_strength(1.0)
    read: list[list[Tensor]] = []
    method.decoder.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    batch = make_batch()
    method.training_losses(batch, moment(0))
    gain = 1.0 / batch.noisy.square().mean(dim=1, keepdim=True).sqrt()
    assert torch.allclose(read[0][2], method.body(batch.noisy * gain)[2], atol=1e-5) == same


def test_a_frozen_body_stays_as_it_is() -> None:
    method = make("wav2vec2", freeze_body=True)
    before = copy.deepcopy(method.body.state_dict())
    train(method, 3).train()
    assert all(torch.equal(before[name], value) for name, value in method.body.state_dict().items())
    assert not method.body.training
    assert len(method.parameter_groups()) == 1


def test_body_and_decoder_have_their_own_rates() -> None:
    groups = make("tera", lr_head=2e-3, lr_body_ratio=0.1).parameter_groups()
    assert [group["lr"] for group in groups] == pytest.approx([2e-3, 2e-4])


def test_candidates_of_a_seed_start_from_the_same_weights() -> None:
    none, layer = make("wav2vec2", seed=5), make("wav2vec2", seed=5, norm_layers=[1])
    for part in ("body", "decoder"):
        expected = getattr(none, part).state_dict()
        assert all(torch.equal(expected[name], value) for name, value in getattr(layer, part).state_dict().items())


@pytest.mark.parametrize("step", [0, 100])
def test_horizons_follow_the_budget_from_the_first_step_on(step: int) -> None:
    method = make("tera", norm_layers=[1])
    found = after_a_step(method, When(step=step, epoch=0, steps=400))
    assert found.momentum == pytest.approx((1 - 1 / 10, 1 - 1 / 40))


def after_a_step(method: NormalizedSSL, when: When) -> RunningStatistics:
    """The running statistics of site 0."""
    method.training_losses(make_batch(), when)
    return method.normalization.running(0)


@pytest.mark.parametrize(("start", "weight"), [("identity", 40), ("first_batch", 40), ("corrected", 1)])
def test_a_start_weighs_what_an_endless_past_of_this_run_would(start: str, weight: int) -> None:
    """40 = 1 / (1 - beta), a tenth of 400 steps; a start from nothing leaves the first batch alone."""
    method = make("tera", norm_layers=[1], running_start=start)
    found = after_a_step(method, When(step=0, epoch=0, steps=400))
    assert float(found.weights[1]) == pytest.approx(weight)


def test_a_start_from_nothing_takes_the_first_batch_alike_at_every_horizon() -> None:
    first, other = (
        after_a_step(make("tera", norm_layers=[1]).eval(), When(step=0, epoch=0, steps=steps))
        for steps in (100, 100_000)
    )
    assert first.momentum != other.momentum
    assert all(torch.equal(first.state_dict()[name], value) for name, value in other.state_dict().items())


# -- rivals of normalization --------------------------------------------------------------------------------


def tensors(module: nn.Module) -> list[Tensor]:
    return [value.detach().clone() for value in module.state_dict().values()]


def gradients(method: NormalizedSSL, batch: Batch, step: int = 10) -> dict[str, Tensor]:
    torch.manual_seed(1)
    method.training_losses(batch, moment(step))["total"].backward()
    return {name: value.grad for name, value in method.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("upstream", WITH_LAYERS)
def test_adapters_begin_as_the_plain_network_to_the_bit(upstream: str) -> None:
    plain, adapted = make(upstream).eval(), make(upstream, adapters="both").eval()
    assert adapted.adapters is not None
    assert list(adapted.adapters.adapters) == (["1", "2", "3"] if upstream == "tera" else ["8", "9"])
    noisy = make_batch().noisy
    assert torch.equal(plain.infer(noisy), adapted.infer(noisy))


@pytest.mark.parametrize("upstream", WITH_LAYERS)
@pytest.mark.parametrize("how", ["only", "both"])
def test_adapters_learn_with_the_body_or_alone(upstream: str, how: str) -> None:
    method = make(upstream, adapters=how, adapter_channels=4, w_si_sdr=1.0)
    assert method.adapters is not None
    before = [tensors(part) for part in (method.body, method.adapters, method.decoder)]
    noisy = make_batch().noisy
    train(method, 3)
    after = [tensors(part) for part in (method.body, method.adapters, method.decoder)]
    kept = [all(map(torch.equal, one, other)) for one, other in zip(before, after, strict=True)]
    assert kept == [how == "only", False, False]
    estimate = method.infer(noisy)
    assert min(method.diagnostics().values()) > 0.0
    method.adapters = None
    assert not torch.equal(method.infer(noisy), estimate)


def test_a_frozen_body_of_adapters_drops_nothing_out() -> None:
    method = make("tera", adapters="only").train()
    assert method.training
    assert not any(part.training for part in method.body.modules())


@pytest.mark.parametrize(("upstream", "layer"), [("tera", 1), ("tera", 3), ("wav2vec2", 2), ("wavlm", 9)])
def test_an_adversary_of_strength_0_changes_nothing_that_is_deployed(upstream: str, layer: int) -> None:
    """Trained without clipping, whose norm the classifier's gradient is part of."""
    plain = train(make(upstream), 3)
    watched = train(make(upstream, adversary_layer=layer, adversary_strength=0.0), 3)
    for part, other in ((plain.body, watched.body), (plain.decoder, watched.decoder)):
        assert all(map(torch.equal, tensors(part), tensors(other)))
    assert watched.adversary is not None
    untrained = make(upstream, adversary_layer=layer).adversary
    assert untrained is not None
    assert not torch.equal(watched.adversary.expand.weight, untrained.expand.weight)


def test_the_reversed_gradient_reaches_the_layers_below_alone_in_proportion() -> None:
    batch = make_batch()
    settings: dict[str, Any] = {"adversary_layer": 3, "adversary_schedule": "constant"}
    none, one, two = (gradients(make("tera", adversary_strength=s, **settings), batch) for s in (0.0, 0.5, 1.0))
    for name, gradient in none.items():
        first, second = one[name] - gradient, two[name] - gradient
        below = name.startswith(("body.entry.", "body.steps.0.", "body.steps.1."))
        if below:
            torch.testing.assert_close(second, 2 * first, atol=1e-5, rtol=1e-3)
        else:  # the classifier's own gradient, the decoder's, and that of layer 3
            assert torch.equal(first, torch.zeros_like(first))
    moved = sum(float((one[name] - none[name]).abs().sum()) for name in none)
    assert moved > 0.0


def test_the_body_is_moved_against_the_classifier() -> None:
    batch, method = make_batch(), make("tera", adversary_layer=2, adversary_schedule="constant").eval()
    with_none = gradients(make("tera", adversary_layer=2, adversary_strength=0.0).eval(), batch)
    reversed_ = gradients(method, batch)
    method.zero_grad()
    walk = method._walk(batch.noisy / _rms(batch.noisy), None, None)
    quiet = method.body(batch.clean / _rms(batch.clean))[1]
    assert method.adversary is not None
    scores = method.adversary(torch.cat([walk.raw[1], quiet]))[:, 0]
    domain = torch.tensor([1.0, 1.0, 0.0, 0.0])
    torch.nn.functional.binary_cross_entropy_with_logits(scores, domain).backward()
    for name, parameter in method.named_parameters():
        if name.startswith("body.") and parameter.grad is not None:
            expected = with_none[name] - 0.05 * parameter.grad
            torch.testing.assert_close(reversed_[name], expected, atol=1e-5, rtol=1e-3)


def _rms(wave: Tensor) -> Tensor:
    return wave.square().mean(dim=1, keepdim=True).sqrt()


def test_the_adversary_cannot_go_by_level() -> None:
    method, batch = make("tera", adversary_layer=1).eval(), make_batch()
    quiet = replace(batch, clean=0.1 * batch.clean)
    losses = [method.training_losses(each, moment(0))["adversary"] for each in (batch, quiet)]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("upstream", "sites"), [("tera", (0, 1, 2, 3)), ("wav2vec2", (8, 9)), ("wavlm", (8, 9))])
def test_all_weight_on_the_last_site_is_the_plain_network(upstream: str, sites: tuple[int, ...]) -> None:
    plain = train(make(upstream), 2)
    method = make(upstream, readout="weighted").eval()
    assert method.readout is not None
    assert method.readout.sites == sites
    state = {**plain.state_dict(), "readout.weights": torch.tensor([-1000.0] * (len(sites) - 1) + [0.0])}
    method.load_state_dict(state)
    noisy = make_batch().noisy
    assert torch.equal(method.infer(noisy), plain.infer(noisy))
    assert method.diagnostics()[f"readout/site{sites[-1]}"] == 1.0
    method.load_state_dict({**state, "readout.weights": torch.zeros(len(sites))})
    assert not torch.equal(method.infer(noisy), plain.infer(noisy))


def test_what_is_summed_was_normalized_before() -> None:
    method = make("tera", readout="weighted", readout_sites=[1], norm_layers=[2], k0=1.0).eval()
    method.training_losses(make_batch(), moment(0))
    walk = method._walk(make_batch().noisy, None, None)
    last = method._read_by_decoder(walk.raw, walk.normalized)[-1]
    torch.testing.assert_close(last, walk.normalized[1])
    assert not torch.allclose(last, walk.raw[1])


def test_a_readout_learns_which_sites_to_read() -> None:
    method = train(make("tera", readout="weighted_ln", w_si_sdr=1.0, lr_head=1e-2), 5)
    shares = {name: value for name, value in method.diagnostics().items() if name.startswith("readout/")}
    assert list(shares) == [f"readout/site{site}" for site in range(4)]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert max(shares.values()) - min(shares.values()) > 1e-3


def test_types_of_noise_are_the_adversarys_domains_and_need_no_clean_walk() -> None:
    batch = replace(make_batch(), noise_types=torch.tensor([2, 0]))
    method = make("tera", types=3, adversary_layer=2, adversary_domains="noise").eval()
    assert method.adversary is not None
    losses = method.training_losses(batch, moment(0))
    walk = method._walk(batch.noisy / _rms(batch.noisy), None, None)
    scores = method.adversary(walk.raw[1])
    assert scores.shape == (2, 3)
    torch.testing.assert_close(losses["adversary"], torch.nn.functional.cross_entropy(scores, torch.tensor([2, 0])))
    louder = replace(batch, clean=3 * batch.clean)
    assert torch.equal(method.training_losses(louder, moment(0))["adversary"], losses["adversary"])


def test_a_probe_and_the_adversary_are_measured_on_training_crops(corpus: Corpus) -> None:
    """Noise of -5 dB is plain in untrained features; an adversary that has not learnt guesses."""
    method = make("tera", adversary_layer=1).train()
    data = DataSettings(batch=6, crop_seconds=0.5, snr_low=-5.0, snr_high=-5.0)
    before = torch.random.get_rng_state()
    found = method.observe(corpus, data)
    assert found == method.observe(corpus, data)
    assert torch.equal(before, torch.random.get_rng_state())
    assert method.training
    assert found["probe_accuracy"] > 0.8
    assert 0.0 <= found["adversary_accuracy"] <= 1.0
    assert make("tera").observe(corpus, data) == {}


def test_rivals_have_rates_of_their_own() -> None:
    rates: dict[str, Any] = {"lr_head": 1e-2, "lr_adversary_ratio": 3.0, "lr_readout_ratio": 10.0}
    groups = make("tera", adapters="both", adversary_layer=1, readout="weighted", **rates).parameter_groups()
    assert [group["lr"] for group in groups] == pytest.approx([1e-2, 5e-3, 1e-2, 3e-2, 1e-1])
    sizes = [sum(value.numel() for value in group["params"]) for group in groups[2:]]
    assert sizes == [3 * 2_256, 16_641, 4]  # of 64 channels
    assert len(make("tera", adapters="only").parameter_groups()) == 2
