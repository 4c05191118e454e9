"""The method as the session sees it; what all methods promise is in the conformance suite."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.examples.mixing import Batch
from trainables.job.assignment import DataSettings
from trainables.losses.si_sdr import si_sdr_loss
from trainables.method import When
from trainables.networks.enhancement_networks import BUILDERS, SIZES
from trainables.waveform_se.config import NETWORKS, WaveformSEConfig
from trainables.waveform_se.method import WaveformSE, build, l1_loss

START = When(step=0, epoch=0, steps=40)


def make(seed: int = 1, **values: Any) -> WaveformSE:
    return build(WaveformSEConfig.from_dict(values), {}, seed)


def make_batch(seed: int = 1, samples: int = 4000) -> Batch:
    time = torch.arange(samples) / 16000
    clean = 0.1 * torch.sin(2 * torch.pi * torch.tensor([[150.0], [220.0]]) * time) * (1.0 + torch.sin(15.0 * time))
    noise = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))
    return Batch(noisy=clean + noise, clean=clean, lengths=torch.full((2,), samples))


@pytest.mark.parametrize(
    ("values", "parameters"),
    [
        ({"network": "demucs", "hidden": 48}, 18_867_937),
        ({"network": "demucs", "hidden": 64}, 33_533_569),
        ({"network": "demucs", "causal": False}, 60_813_953),
        ({"network": "se_conformer"}, 12_092_033),
        ({"network": "se_conformer", "conv_norm": "batch"}, 12_092_033),
        ({"network": "se_conformer", "feed_forward": 2048, "taps": 31}, 28_393_601),
        ({"network": "conv_tasnet"}, 5_000_881),
    ],
)
def test_the_published_sizes_to_the_parameter(values: dict[str, Any], parameters: int) -> None:
    config = WaveformSEConfig.from_dict({"size": "base", **values})
    with torch.device("meta"):
        network = BUILDERS[config.network](**{**SIZES[config.network, "base"], **config.overrides})
    assert sum(each.numel() for each in network.parameters()) == parameters


@pytest.mark.parametrize("network", NETWORKS)
def test_training_improves_on_the_mixture(network: str) -> None:
    method = make(network=network, lr=3e-3, w_l1=0.0, w_mstft=0.0, w_si_sdr=1.0).train()
    optimizer = method.optimizer()
    for step in range(40):
        optimizer.zero_grad()
        torch.manual_seed(step)
        method.training_losses(make_batch(step), START)["total"].backward()
        optimizer.step()
    batch = make_batch(500)
    method.eval()
    before, after = si_sdr_loss(batch.noisy, batch.clean), si_sdr_loss(method.infer(batch.noisy)[:, 0], batch.clean)
    assert after < before - 1.0


@pytest.mark.parametrize("network", NETWORKS)
def test_level_passes_through_and_no_loss_depends_on_it(network: str) -> None:
    method, batch = make(network=network, w_si_sdr=1.0).eval(), make_batch()
    torch.testing.assert_close(method.infer(0.02 * batch.noisy), 0.02 * method.infer(batch.noisy), atol=1e-6, rtol=1e-3)
    quiet = replace(batch, noisy=0.1 * batch.noisy, clean=0.1 * batch.clean)
    losses = [method.training_losses(each, START) for each in (batch, quiet)]
    assert set(losses[0]) == {"l1", "mstft", "si_sdr", "total"}
    for name, loss in losses[0].items():
        torch.testing.assert_close(loss, losses[1][name], atol=1e-4, rtol=1e-3)


def test_the_total_is_the_weighted_sum() -> None:
    losses = make(w_l1=2.0, w_mstft=0.5, w_si_sdr=0.25).eval().training_losses(make_batch(), START)
    expected = 2.0 * losses["l1"] + 0.5 * losses["mstft"] + 0.25 * losses["si_sdr"]
    torch.testing.assert_close(losses["total"], expected)


def test_l1_counts_valid_samples_alone() -> None:
    estimate, clean = torch.tensor([[1.0, 2.0, 9.0], [0.0, 0.0, 3.0]]), torch.zeros(2, 3)
    assert float(l1_loss(estimate, clean, torch.tensor([2, 3]))) == pytest.approx((1.5 + 1.0) / 2)


def test_shift_leaves_the_plans_crop(tmp_path: Path) -> None:
    """Its crops are drawn longer, so that training sees as much audio with it as without."""
    corpus, data = make_tiny_corpus(tmp_path), DataSettings(batch=3, crop_seconds=0.5)
    method = make(shift_seconds=0.25)
    (plain,) = make().draw_batches(corpus, data, 1, 2)
    (batch,) = method.draw_batches(corpus, data, 1, 2)
    assert batch.noisy.shape == batch.clean.shape == plain.noisy.shape == (3, 8_000)
    assert batch.lengths.tolist() == [8_000] * 3
    assert torch.equal(batch.noisy, method.draw_batches(corpus, data, 1, 2)[0].noisy)
    assert not torch.equal(batch.noisy, method.draw_batches(corpus, data, 1, 3)[0].noisy)


def test_the_seed_alone_decides_the_weights() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, other, third = make(3), make(3), make(4)
    assert torch.equal(before, torch.get_rng_state())
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    assert not all(map(torch.equal, one.state_dict().values(), third.state_dict().values()))
