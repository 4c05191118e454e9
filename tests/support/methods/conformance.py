"""What every method promises the training session; a method's test class inherits it."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from trainables.audio.examples.mixing import Batch
from trainables.base.randomness import seed_global_generators
from trainables.config.registry import config_class
from trainables.enhancer import Enhancer, loudest
from trainables.job.assignment import Assignment
from trainables.method import Method, When

START = When(step=0, epoch=0, steps=10)
MIDDLE = When(step=5, epoch=1, steps=10)
END = When(step=10, epoch=2, steps=10)
SAMPLES = 8000


class MethodConformance:
    """Subclasses set `method_name` and `config`, and give the fixture `make`: seed -> a fresh method."""

    method_name: str
    config: dict[str, Any]

    @pytest.fixture
    def make(self) -> Callable[[int], Method]:
        raise NotImplementedError

    def test_its_configuration_survives_json(self, make: Callable[[int], Method]) -> None:
        known = config_class(self.method_name)
        config = known.from_dict(self.config)
        assert known.from_dict(json.loads(json.dumps(config.to_dict()))) == config
        assert {"warmup_share", "lr_floor", "clip"} <= set(config.to_dict())

    def test_losses_are_finite_scalars_with_a_total(self, make: Callable[[int], Method]) -> None:
        losses = losses_of(make(1), START)
        assert "total" in losses
        for loss in losses.values():
            assert loss.shape == ()
            assert torch.isfinite(loss)

    def test_its_groups_hold_every_trained_parameter_once(self, make: Callable[[int], Method]) -> None:
        method = make(1)
        groups = method.parameter_groups()
        listed = [id(parameter) for group in groups for parameter in group["params"]]
        trained = [id(parameter) for parameter in method.parameters() if parameter.requires_grad]
        assert sorted(listed) == sorted(trained)
        assert all(group["lr"] >= 0 for group in groups)

    def test_gradients_are_finite_and_reach_every_group(self, make: Callable[[int], Method]) -> None:
        method = trained(make(1))  # a decoder may start at zero, and then passes nothing on at first
        method.zero_grad()
        losses_of(method, MIDDLE)["total"].backward()
        for group in method.parameter_groups():
            gradients = [each.grad for each in group["params"] if each.grad is not None]
            assert any(gradient.abs().sum() > 0 for gradient in gradients)
            assert all(torch.isfinite(gradient).all() for gradient in gradients)

    def test_the_same_seed_gives_the_same_weights_and_losses(self, make: Callable[[int], Method]) -> None:
        one, other = make(1), make(1)
        assert same(one.state_dict(), other.state_dict())
        assert same(losses_of(one, START), losses_of(other, START))

    @pytest.mark.parametrize("extra", [0, 1, 3333])
    def test_an_estimate_is_as_long_as_its_mixture(self, make: Callable[[int], Method], extra: int) -> None:
        method = trained(make(1))
        samples = method.minimum_samples() + extra
        estimate = infer(method, mixtures(2, samples))
        assert estimate.shape == (2, method.sources, samples)
        assert torch.isfinite(estimate).all()

    def test_an_enhancer_gives_the_level_of_least_squares(self, make: Callable[[int], Method]) -> None:
        """No other gain of the (loudest) estimate would be nearer to the recording."""
        method = trained(make(1)).eval()
        enhance = Enhancer(method, Assignment(job="all/final/none/seed-1001"))
        recording = mixtures(1, SAMPLES)[0].numpy()
        for level in (1.0, 1e-3):
            estimate = loudest(np.atleast_2d(enhance(level * recording, 16000)))
            wanted, given = (audio - audio.mean() for audio in (np.float64(level * recording), np.float64(estimate)))
            assert given @ given > 0
            assert wanted @ given / (given @ given) == pytest.approx(1.0, abs=1e-5)

    def test_silence_gives_finite_numbers(self, make: Callable[[int], Method]) -> None:
        method = trained(make(1))
        assert torch.isfinite(infer(method, torch.zeros(1, SAMPLES))).all()

    def test_inference_is_deterministic_and_changes_nothing(self, make: Callable[[int], Method]) -> None:
        method = trained(make(1))
        method.before_inference(MIDDLE)
        before = {name: value.clone() for name, value in method.state_dict().items()}
        first = infer(method, mixtures(1, SAMPLES))
        assert torch.equal(first, infer(method, mixtures(1, SAMPLES)))
        assert same(before, method.state_dict())

    def test_each_mixture_of_a_batch_is_inferred_by_itself(self, make: Callable[[int], Method]) -> None:
        method = trained(make(1))
        both = infer(method, mixtures(2, SAMPLES))
        alone = infer(method, mixtures(2, SAMPLES)[1:])
        torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-3)

    def test_its_state_is_everything(self, make: Callable[[int], Method]) -> None:
        method, fresh = trained(make(1)), make(2)
        fresh.load_state_dict(through_a_file(method.state_dict()))
        for when in (START, MIDDLE, END):
            method.before_inference(when)
            fresh.before_inference(when)
            assert torch.equal(infer(method, mixtures(1, SAMPLES)), infer(fresh, mixtures(1, SAMPLES)))
        assert same(losses_of(method, MIDDLE), losses_of(fresh, MIDDLE))

    def test_what_inference_depends_on_besides_weights_is_a_buffer(self, make: Callable[[int], Method]) -> None:
        """The session skips the second scoring where the buffers are equal."""
        method = trained(make(1))
        method.before_inference(START, ablate=True)
        ablated = [buffer.clone() for buffer in method.buffers()]
        without = infer(method, mixtures(1, SAMPLES))
        method.before_inference(START)
        buffers_equal = all(map(torch.equal, ablated, method.buffers()))
        assert not buffers_equal or torch.equal(without, infer(method, mixtures(1, SAMPLES)))

    def test_validation_leaves_training_as_it_was(self, make: Callable[[int], Method]) -> None:
        one, other = trained(make(1)), trained(make(1))
        one.before_inference(MIDDLE, ablate=True)
        infer(one, mixtures(1, SAMPLES))
        assert same(losses_of(one, MIDDLE), losses_of(other, MIDDLE))

    def test_validation_curves_are_plain_floats_and_change_nothing(self, make: Callable[[int], Method]) -> None:
        method = trained(make(1)).eval()
        method.before_inference(MIDDLE)
        before = {name: value.clone() for name, value in method.state_dict().items()}
        pairs = list(zip(mixtures(2, SAMPLES), 0.5 * mixtures(2, SAMPLES), strict=True))
        found = method.validation_curves(pairs, MIDDLE)
        assert all(type(value) in (int, float) for value in found.values())
        assert same(before, method.state_dict())

    def test_diagnostics_are_plain_floats(self, make: Callable[[int], Method]) -> None:
        method = trained(make(1))
        assert all(type(value) in (int, float) for value in method.diagnostics().values())


class PaddingConformance(MethodConformance):
    """Of methods whose examples may be shorter than a crop."""

    def test_padding_changes_no_loss_and_no_statistic(self, make: Callable[[int], Method]) -> None:
        """A second of zeros behind every item: losses, running statistics and batch norms stay what they are."""
        one, other = trained(make(1)), trained(make(1))
        plain, padded = losses_of(one, MIDDLE), losses_of(other, MIDDLE, padding=16000)
        for name, loss in plain.items():
            torch.testing.assert_close(padded[name], loss, atol=2e-4, rtol=2e-4)
        for before, after in zip(one.buffers(), other.buffers(), strict=True):
            torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-3)


def mixtures(batch: int, samples: int) -> Tensor:
    """(batch, samples), the same at every call."""
    return 0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(5))


def losses_of(method: Method, when: When, padding: int = 0) -> dict[str, Tensor]:
    """The losses of a fixed batch, drawn as the session draws, with `padding` zeros behind every item."""
    noise = mixtures(2, SAMPLES)
    time = torch.arange(SAMPLES) / 16000
    clean = 0.1 * torch.stack([torch.sin(2 * torch.pi * pitch * time) for pitch in (200.0, 310.0)])
    if method.sources > 1:  # mixtures of voices: the tones, and noises for the others
        voices = torch.stack([mixtures(2, SAMPLES).roll(number, 1) for number in range(1, method.sources)], 1)
        noise, clean = voices.sum(1), torch.cat([clean[:, None], voices], 1)
    noisy = noise + (clean[:, 0] if method.sources > 1 else clean)
    noisy, clean = pad(noisy, (0, padding)), pad(clean, (0, padding))
    types = torch.tensor([0, 1])
    batch = Batch(noisy=noisy, clean=clean, lengths=torch.tensor([SAMPLES, SAMPLES]), noise_types=types)
    method.train()
    seed_global_generators(1, "train", when.step)
    return method.training_losses(batch, when)


def trained(method: Method) -> Method:
    """The method after two optimizer steps."""
    optimizer = torch.optim.Adam(method.parameter_groups())
    for step in range(2):
        optimizer.zero_grad()
        losses_of(method, When(step=step, epoch=0, steps=10))["total"].backward()
        optimizer.step()
        method.after_step(When(step=step + 1, epoch=0, steps=10))
    return method


@torch.no_grad()
def infer(method: Method, mixture: Tensor) -> Tensor:
    method.eval()
    return method.infer(mixture)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def through_a_file(state: dict[str, Tensor]) -> dict[str, Tensor]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
