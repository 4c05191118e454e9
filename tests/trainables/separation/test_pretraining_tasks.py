"""SE, MAMA and CC: what counts, and what each of them trains."""

from typing import Any

import pytest
import torch

from trainables.audio.examples.mixing import Batch
from trainables.base.padding import valid_mask
from trainables.losses.si_sdr import masked_si_sdr, si_sdr
from trainables.separation.config import SeparationConfig
from trainables.separation.pretraining_tasks import build_task, span_mask
from trainables.separation.separators import build_separator


def batch(samples: int = 4000) -> Batch:
    generator = torch.Generator().manual_seed(2)
    clean = 0.1 * torch.randn(3, samples, generator=generator)
    noisy = clean + 0.05 * torch.randn(3, samples, generator=generator)
    return Batch(noisy=noisy, clean=clean, lengths=torch.full((3,), samples))


def make(task: str, model: str = "convtasnet", **values: Any) -> Any:
    config = SeparationConfig.from_dict({"strategy": "ptft", "pretrain_task": task, "model": model, **values})
    network = build_separator(config, 1, seed=1)
    torch.manual_seed(4)
    return build_task(config, network), network


@pytest.mark.parametrize("model", ["convtasnet", "dprnn", "dptnet"])
@pytest.mark.parametrize("task", ["se", "mama", "cc"])
def test_every_task_trains_encoder_and_masker(task: str, model: str) -> None:
    objective, network = make(task, model)
    loss = objective(network, batch())
    loss.backward()
    assert torch.isfinite(loss)
    reached = {name for name, value in network.named_parameters() if value.grad is not None}
    assert {"encoder.weight", "masker.norm.weight"} <= reached
    assert any(name.startswith("masker.blocks.0.") for name in reached)
    assert ("decoder.weight" in reached) is (task != "cc")


def test_se_is_negative_si_sdr_of_the_only_output() -> None:
    objective, network = make("se")
    mixtures = batch()
    with torch.no_grad():
        expected = -si_sdr(network(mixtures.noisy)[:, 0], mixtures.clean).mean()
        torch.testing.assert_close(objective(network, mixtures), expected)


@pytest.mark.parametrize("loss", ["si_sdr", "l1"])
def test_mama_counts_masked_samples_only(loss: str) -> None:
    objective, _ = make("mama", mama_loss=loss, mask_noise_p=0.0)
    mixtures = batch()

    def cheat(outside: float) -> torch.Tensor:
        def network(noisy: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            torch.manual_seed(0)
            mask = span_mask(noisy, objective.ratio, objective.span)
            return (0.5 * mixtures.clean * mask + outside * (1 - mask))[:, None]

        torch.manual_seed(0)
        return objective(network, mixtures)

    torch.testing.assert_close(cheat(0.0), cheat(7.0))


@pytest.mark.parametrize("ratio", [0.05, 0.15, 0.5])
def test_spans_cover_about_the_wanted_share(ratio: float) -> None:
    torch.manual_seed(1)
    mask = span_mask(torch.zeros(200, 16000), ratio, 560)
    assert float(mask.mean()) == pytest.approx(ratio, abs=0.04)
    assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_spans_stay_within_each_item() -> None:
    torch.manual_seed(1)
    lengths = torch.tensor([16000] * 100 + [3000] * 100 + [200] * 100)
    mask = span_mask(torch.zeros(300, 16000), 0.15, 560, lengths)
    assert not (mask * (1 - valid_mask(mask, lengths))).any()
    shares = mask.sum(1) / lengths
    assert float(shares[:100].mean()) == pytest.approx(0.15, abs=0.04)
    assert float(shares[100:200].mean()) == pytest.approx(0.18, abs=0.04)  # one span of 560
    assert shares[200:].unique().tolist() == [1.0]


@pytest.mark.parametrize("model", ["convtasnet", "dprnn", "dptnet"])
def test_se_of_a_padded_batch_is_the_mean_of_its_items_alone(model: str) -> None:
    objective, network = make("se", model)
    mixtures, lengths = batch(), torch.tensor([4000, 2501, 700])
    kept = valid_mask(mixtures.noisy, lengths)
    padded = Batch(noisy=mixtures.noisy * kept, clean=mixtures.clean * kept, lengths=lengths)
    with torch.no_grad():
        alone = [
            objective(
                network, Batch(noisy=noisy[None, :count], clean=clean[None, :count], lengths=lengths[:1] * 0 + count)
            )
            for noisy, clean, count in zip(mixtures.noisy, mixtures.clean, lengths.tolist(), strict=True)
        ]
        torch.testing.assert_close(objective(network, padded), torch.stack(alone).mean(), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("task", ["mama", "cc"])
def test_padding_teaches_nothing(task: str) -> None:
    """Whatever the clean voice's padding holds, and with every item shorter than the batch."""
    objective, network = make(task)
    mixtures, lengths = batch(), torch.tensor([3600, 2501, 900])
    kept = valid_mask(mixtures.noisy, lengths)

    def loss(clean: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return objective(network, Batch(noisy=mixtures.noisy * kept, clean=clean, lengths=lengths))

    found = loss(mixtures.clean)
    assert torch.isfinite(found)
    torch.testing.assert_close(found, loss(mixtures.clean * kept), atol=1e-5, rtol=1e-5)
    network.zero_grad()
    found.backward()
    assert all(torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None)


def test_cc_masks_steps_of_the_item_alone() -> None:
    objective, _ = make("cc", cc_mask_p=0.3)
    masks = objective._masked_steps(torch.tensor([40, 13, 2, 1]), 40)
    assert masks.shape == (4, 40)
    for mask, count, fewest in zip(masks, (40, 13, 2, 1), (2, 2, 2, 1), strict=True):
        assert not mask[count:].any()
        assert int(mask.sum()) >= fewest


def test_masked_si_sdr_is_that_of_the_masked_samples_alone() -> None:
    mixtures = batch()
    mask = torch.zeros(3, 4000)
    mask[:, 500:900] = 1
    alone = si_sdr(mixtures.noisy[:, 500:900], mixtures.clean[:, 500:900])
    torch.testing.assert_close(masked_si_sdr(mixtures.noisy, mixtures.clean, mask), alone)


def test_cc_of_features_that_say_nothing_is_at_chance() -> None:
    """With targets all alike the loss is the logarithm of the number of candidates."""
    objective, network = make("cc", cc_negatives=5)
    with torch.no_grad():
        objective.from_features.weight.zero_()
        objective.from_features.bias.fill_(1.0)
        loss = objective(network, batch(16000))
    assert float(loss) == pytest.approx(float(torch.log(torch.tensor(6.0))), abs=1e-4)
