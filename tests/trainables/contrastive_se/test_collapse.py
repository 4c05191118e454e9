"""The monitors know health from collapse."""

import pytest
import torch

from trainables.contrastive_se.collapse import collapse_monitors

CHANNELS = 128


def healthy() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 4, CHANNELS, 200)


def test_independent_channels_are_healthy() -> None:
    monitors = collapse_monitors(healthy(), healthy(), healthy())
    assert monitors["z_std"] == pytest.approx(CHANNELS**-0.5, rel=0.02)
    assert monitors["spread"] == pytest.approx(1.0, rel=0.02)
    assert monitors["effective_rank"] > 0.9 * CHANNELS
    assert monitors["cosine_utterances"] == pytest.approx(0.0, abs=0.02)
    assert monitors["collapsed"] == 0.0


def test_a_constant_output_has_collapsed() -> None:
    constant = torch.ones(CHANNELS, 1) + 1e-3 * healthy()
    monitors = collapse_monitors(constant, constant, constant)
    assert monitors["spread"] < 0.01
    assert monitors["cosine_utterances"] == pytest.approx(1.0, abs=1e-3)
    assert monitors["collapsed"] == 1.0


def test_one_direction_has_rank_one() -> None:
    line = torch.ones(CHANNELS, 1) * torch.randn(2, 4, 1, 200)
    assert collapse_monitors(line, line, line)["effective_rank"] == pytest.approx(1.0, abs=1e-3)


def test_agreement_is_between_the_views() -> None:
    encoded = healthy()
    target = torch.stack([encoded[1], encoded[0]])
    monitors = collapse_monitors(encoded, encoded, target)
    assert monitors["agreement_target"] == pytest.approx(1.0, abs=1e-5)
    assert monitors["agreement_z"] == pytest.approx(0.0, abs=0.05)


def test_the_cosine_between_utterances_by_hand() -> None:
    encoded = healthy()
    unit = torch.nn.functional.normalize(encoded[0], dim=1)
    pairs = [(unit[a] * unit[b]).sum(0).mean() for a in range(4) for b in range(4) if a != b]
    expected = float(torch.stack(pairs).mean())
    monitors = collapse_monitors(encoded, encoded, encoded)
    assert monitors["cosine_utterances"] == pytest.approx(expected, abs=1e-6)


def test_one_utterance_has_no_other() -> None:
    one = healthy()[:, :1]
    assert "cosine_utterances" not in collapse_monitors(one, one, one)


def test_silence_gives_finite_numbers() -> None:
    monitors = collapse_monitors(*[torch.zeros(2, 3, 8, 10)] * 3)
    assert all(value == value for value in monitors.values())


def test_padding_does_not_count() -> None:
    encoded, predicted, target = healthy(), healthy().roll(1, 2), healthy().roll(2, 2)
    lengths, valid = (200, 130, 90, 90), torch.zeros(4, 1, 200)
    for item, length in enumerate(lengths):
        valid[item, :, :length] = 1.0
    clean = collapse_monitors(*(part * valid for part in (encoded, predicted, target)), valid)
    dirty = collapse_monitors(*(part * valid + 9.0 * (1.0 - valid) for part in (encoded, predicted, target)), valid)
    assert dirty == pytest.approx(clean, abs=1e-6)
    assert clean["effective_rank"] > 0.85 * CHANNELS
    whole = collapse_monitors(*(part[..., :90] for part in (encoded, predicted, target)))
    cut = collapse_monitors(encoded, predicted, target, (torch.arange(200) < 90).float().expand(4, 1, 200))
    assert cut == pytest.approx(whole, abs=1e-5)
