"""APC's objective: the frames five ahead, and nothing of them in what predicts them."""

import torch

from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.bodies.recurrent_body import RecurrentBody
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.pretraining.frame_prediction import FramePrediction


def objective(**values: object) -> FramePrediction:
    body = build_body(NormalizedSSLConfig.from_dict({"upstream": "apc", **values}).ssl, 1)
    assert isinstance(body, RecurrentBody)
    torch.manual_seed(2)
    return FramePrediction(body).eval()


def test_the_loss_is_that_of_frames_five_ahead() -> None:
    made, wave = objective(), torch.randn(2, 8000, generator=torch.Generator().manual_seed(1))
    loss, monitors = made(wave, 0)
    features = made.body.features(wave)
    predicted = made.head(made.body(wave)[-1].transpose(1, 2))  # causal: later frames change nothing
    torch.testing.assert_close(loss, (predicted[:, :-5] - features[:, 5:]).abs().mean())
    assert monitors["loss"] == loss.item()
    torch.testing.assert_close(torch.tensor(monitors["still"]), (features[:, :-5] - features[:, 5:]).abs().mean())


def test_targets_of_another_waveform_are_taken_from_there() -> None:
    made = objective()
    heard, wanted = torch.randn(2, 2, 8000, generator=torch.Generator().manual_seed(3))
    loss, _ = made(heard, 0, wanted)
    predicted = made.head(made.body(heard)[-1].transpose(1, 2))[:, :-5]
    torch.testing.assert_close(loss, (predicted - made.body.features(wanted)[:, 5:]).abs().mean())


def test_a_rhythm_is_learnt() -> None:
    """Of a tone that comes and goes: better than that nothing changes."""
    made = objective().train()
    time = torch.arange(8000) / 16000
    wave = torch.sin(2 * torch.pi * 300 * time) * (torch.sin(2 * torch.pi * 5 * time) > 0)
    wave = (wave + 0.01 * torch.randn(8000, generator=torch.Generator().manual_seed(1)))[None]
    optimizer = torch.optim.Adam(made.parameters(), lr=3e-3)
    for step in range(60):
        loss, monitors = made(wave, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert monitors["loss"] < 0.85 * monitors["still"]
