"""The method: its losses, its target, its monitors and what it does with a batch of views."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from trainables.contrastive_se.config import ContrastiveSEConfig
from trainables.contrastive_se.method import build
from trainables.losses.si_sdr import si_sdr, si_sdr_loss
from trainables.method import When

START = When(step=0, epoch=0, steps=100)
LATE = When(step=90, epoch=1, steps=100)


def method(seed: int = 1, **fields: Any) -> Any:
    return build(ContrastiveSEConfig.from_dict(fields), {}, seed).train()


def batch(views: int = 2, crops: int = 3, samples: int = 2048, seed: int = 0, noise_level: float = 0.05) -> Any:
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16000
    clean = 0.1 * torch.stack([torch.sin(2 * torch.pi * 150.0 * (n + 1) * time) for n in range(crops)])
    clean = clean.repeat(views, 1)
    noise = noise_level * torch.randn(clean.shape, generator=generator)
    return SimpleNamespace(noisy=clean + noise, clean=clean, lengths=torch.full((len(clean),), samples))


def gradients(trained: Any, losses: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    trained.zero_grad()
    losses["total"].backward()
    return {name: each.grad for name, each in trained.named_parameters() if each.grad is not None}


def test_the_enhancement_loss_is_the_negative_of_eq_4() -> None:
    """Minimised as printed it would maximise distortion. No mean is removed."""
    clean, estimate = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[1.1, 1.9, 3.2, 3.7]])
    assert float(si_sdr_loss(estimate, clean, zero_mean=False)) == pytest.approx(-23.3059, abs=1e-4)
    assert float(si_sdr(estimate, clean)) == pytest.approx(15.8767, abs=1e-4)


def test_it_falls_as_the_estimate_nears_the_clean_speech() -> None:
    views = batch()
    losses = [
        float(si_sdr_loss(views.clean + share * (views.noisy - views.clean), views.clean, zero_mean=False))
        for share in (1.0, 0.5, 0.1, 0.01)
    ]
    assert losses == sorted(losses, reverse=True)


def test_both_views_contribute_alike() -> None:
    """L_SE is the mean of the two views' losses."""
    trained, views = method(), batch()
    losses = trained.training_losses(views, START)
    estimate = trained.network(views.noisy / views.noisy.square().mean(-1, keepdim=True).sqrt())
    each = [si_sdr_loss(e, c, zero_mean=False) for e, c in zip(estimate.chunk(2), views.clean.chunk(2), strict=True)]
    assert float(losses["se"].detach()) == pytest.approx(sum(float(loss.detach()) for loss in each) / 2, rel=1e-5)


@pytest.mark.parametrize("target", ["byol", "simsiam"])
def test_the_mix_is_scaled_as_a_whole(target: str) -> None:
    """L_CL + 0.1 L_SE, eq. 5: the 0.1 is on the enhancement term."""
    losses = method(target=target, cl_weight=10, mix_scale=0.1).training_losses(batch(), START)
    expected = losses["cl"] + 0.1 * losses["se"]
    assert float(losses["total"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_without_a_target_there_is_enhancement_alone() -> None:
    losses = method(target="none").training_losses(batch(), START)
    assert torch.equal(losses["total"], losses["se"])
    assert not losses["cl"].requires_grad


def test_a_phase_without_the_term_is_normal_training() -> None:
    """To the bit, for the report compares the two."""
    normal, off = method(target="none"), method(target="byol", schedule="pretrain", pretrain_share=0.5)
    ours = gradients(off, off.training_losses(batch(), LATE))
    theirs = gradients(normal, normal.training_losses(batch(), LATE))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_targets_and_schedules_start_from_the_same_weights() -> None:
    ones, others = method(target="none").network, method(target="byol", schedule="round").network
    assert all(map(torch.equal, ones.parameters(), others.parameters()))


def test_the_contrastive_gradient_stops_at_the_target() -> None:
    """SimSiam's equals that of a fixed target; BYOL's momentum encoder gets none at all."""
    byol = method(target="byol")
    gradients(byol, byol.training_losses(batch(), START))
    assert all(parameter.grad is None for parameter in byol.momentum.parameters())
    simsiam = method(target="simsiam", decoder_input="encoder")
    views = batch()
    encoded, predicted = simsiam.network.encode(views.noisy)
    seen = simsiam._views(views.noisy, encoded, predicted)
    assert not seen.target.requires_grad
    assert seen.predicted.requires_grad


def test_the_target_follows_after_each_step() -> None:
    trained = method(target="byol", tau=0.0)
    with torch.no_grad():
        trained.network.encoder.fuse.bias.add_(1.0)
    trained.after_step(LATE)
    assert trained.momentum.distance(trained.network.encoder) == 0.0


def test_more_than_two_views() -> None:
    losses = method(target="byol", views=3).training_losses(batch(views=3), START)
    assert torch.isfinite(losses["total"])
    assert -1.0 <= float(losses["cl"].detach()) <= 1.0


@pytest.mark.parametrize("decoder_input", ["predictor", "encoder"])
def test_a_balanced_weight_meets_its_ratio(decoder_input: str) -> None:
    """At the last weights that both terms train, whatever the enhancement loss is like."""
    trained = method(target="simsiam", weighting="balanced", cl_ratio=0.5, decoder_input=decoder_input)
    losses = trained.training_losses(batch(), START)
    shared = trained.network.last_shared_weights()
    enhancement, whole = (torch.autograd.grad(losses[name], shared, retain_graph=True)[0] for name in ("se", "total"))
    assert float((whole - enhancement).norm() / enhancement.norm()) == pytest.approx(0.5, rel=1e-3)


def test_the_level_of_a_recording_makes_no_difference() -> None:
    trained, views = method().eval(), batch(views=1)
    quiet = trained.infer(0.01 * views.noisy)
    torch.testing.assert_close(100 * quiet, trained.infer(views.noisy), rtol=1e-3, atol=1e-5)


def test_silence_gives_silence() -> None:
    assert torch.equal(method().eval().infer(torch.zeros(1, 640)), torch.zeros(1, 1, 640))


def test_the_estimate_has_the_level_and_sign_that_explain_the_mixture() -> None:
    trained, views = method(), batch(views=1)
    trained.eval()
    estimate = trained.infer(views.noisy)[:, 0]
    residual = views.noisy - estimate
    assert (residual * estimate).sum(-1).abs().max() < 1e-3 * estimate.square().sum(-1).max()
    assert ((estimate * views.noisy).sum(-1) >= 0).all()


def test_the_monitors_tell_of_phases_and_trailing() -> None:
    trained = method(target="byol", schedule="pretrain", pretrain_share=0.5)
    assert trained.diagnostics() == {}
    trained.training_losses(batch(), START)
    assert trained.diagnostics()["contrastive_on"] == 1.0
    trained.training_losses(batch(), LATE)
    monitors = trained.diagnostics()
    assert monitors["contrastive_on"] == monitors["cl_weight"] == monitors["target_distance"] == 0.0
    assert monitors["collapsed"] == 0.0


def train(trained: Any, steps: int = 30) -> Any:
    optimizer = trained.optimizer()
    for step in range(steps):
        when = When(step=step, epoch=0, steps=steps)
        optimizer.zero_grad()
        trained.training_losses(batch(seed=step, crops=4, samples=1024, noise_level=1.0), when)["total"].backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), trained.config.clip)
        optimizer.step()
        trained.after_step(when)
    return trained.diagnostics()


def test_a_run_without_the_stop_gradient_collapses_and_is_flagged() -> None:
    """The control: with the contrastive loss alone in charge, the encoder takes the trivial way out."""
    trained = method(target="simsiam", cl_weight=1000.0, stop_gradient=False)
    assert train(trained)["collapsed"] == 1.0


@pytest.mark.parametrize("target", ["none", "byol", "simsiam"])
def test_an_ordinary_run_does_not(target: str) -> None:
    assert train(method(target=target))["collapsed"] == 0.0


@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)])
def test_the_optimizer_is_the_configured_one(name: str, kind: type[Any]) -> None:
    optimizer = method(optimizer=name, lr=0.01, weight_decay=1e-3).optimizer()
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert optimizer.param_groups[0]["weight_decay"] == 1e-3


def test_the_deployed_network_is_the_autoencoder() -> None:
    network = method(size="base", target="byol").network
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_064_064
