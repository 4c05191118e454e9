import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainables.ssl.bodies.spectral_body import SpectralBody
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.description import SSLModel
from trainables.ssl.pretraining import masked_reconstruction
from trainables.ssl.pretraining.masked_reconstruction import MaskedReconstruction, damage


def damaged(seed: int, batch: int = 4, frames: int = 101, mels: int = 80) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    features = torch.randn(batch, frames, mels)
    altered, selected = damage(features)
    return features, altered, selected


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), frames=st.integers(3, 120))
def test_only_selected_cells_are_altered(seed: int, frames: int) -> None:
    features, altered, selected = damaged(seed, frames=frames)
    assert torch.equal(altered[selected == 0], features[selected == 0])
    assert set(selected.unique().tolist()) <= {0.0, 1.0}
    assert (selected.sum((1, 2)) > 0).all()


def test_damage_leaves_its_input_alone() -> None:
    features = torch.randn(4, 50, 80)
    before = features.clone()
    damage(features)
    assert torch.equal(features, before)


def test_about_15_percent_of_the_frames_lie_in_masked_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_reconstruction, "BAND_RATIO", 0.0)
    monkeypatch.setattr(masked_reconstruction, "NOISE_RATIO", 0.0)
    _, _, selected = damaged(0, batch=64, frames=210)
    assert selected[:, :, 0].mean().item() == pytest.approx(0.15, abs=0.02)
    assert torch.equal(selected.amin(2), selected.amax(2))  # whole frames


def test_a_band_spans_up_to_a_fifth_of_the_mels_and_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_reconstruction, "NOISE_RATIO", 0.0)
    monkeypatch.setattr(masked_reconstruction, "TIME_RATIO", 0.0)
    _, altered, selected = damaged(0, batch=256, frames=30)
    widths = selected.amin(1).sum(1)
    assert widths.min() == 0
    assert widths.max() == 16
    assert (altered[selected.amin(1, keepdim=True).expand_as(altered) == 1] == 0).all()


def test_spans_are_zeroed_swapped_or_kept_80_10_10(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_reconstruction, "BAND_RATIO", 0.0)
    monkeypatch.setattr(masked_reconstruction, "NOISE_RATIO", 0.0)
    features, altered, selected = damaged(0, batch=1000, frames=28, mels=2)
    masked = selected == 1
    zeroed = ((altered == 0) | ~masked).all(2).all(1)
    kept = (altered == features).all(2).all(1)
    assert zeroed.float().mean().item() == pytest.approx(0.8, abs=0.04)
    assert kept.float().mean().item() == pytest.approx(0.1, abs=0.03)


def test_loss_is_the_mean_absolute_error_over_selected_cells() -> None:
    body = build_body(SSLModel(upstream="tera"), seed=0)
    assert isinstance(body, SpectralBody)
    objective, speech = MaskedReconstruction(body), 0.1 * torch.randn(2, 8000)
    torch.manual_seed(5)
    loss, _ = objective(speech, step=0)
    torch.manual_seed(5)
    features = body.features(speech)
    altered, selected = damage(features)
    errors = (objective.head(body.encode(altered)) - features).abs()[selected == 1]
    torch.testing.assert_close(loss, errors.mean())
