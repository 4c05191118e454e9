"""Kaldi's filterbank against transformers' own, which is checked against Kaldi's; and padded batches."""

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from trainables.audio.filterbank import frame_energies, log_filterbank

FILTERS = mel_filter_bank(
    num_frequency_bins=257,
    num_mel_filters=80,
    min_frequency=20,
    max_frequency=8000,
    sampling_rate=16000,
    norm=None,
    mel_scale="kaldi",
    triangularize_in_mel_space=True,
)


def kaldi(wave: np.ndarray) -> np.ndarray:
    """(samples,) -> (frames, 80), the first window from the first sample on."""
    found = spectrogram(
        wave.astype(np.float64),
        window_function(400, "hamming", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=FILTERS,
        log_mel="log",
        mel_floor=1.192092955078125e-07,
        remove_dc_offset=True,
    )
    return found.T


def voice(samples: int = 8000) -> np.ndarray:
    time = np.arange(samples) / 16000
    tone = 0.1 * np.sin(2 * np.pi * 180 * time) * (1 + np.sin(12 * time)) + 0.02
    return tone + 0.01 * np.random.default_rng(0).standard_normal(samples)


@pytest.mark.parametrize("scale", [1.0, 32768.0])
def test_windows_have_kaldis_energies(scale: float) -> None:
    wave = scale * voice()
    windows = torch.from_numpy(wave).unfold(0, 400, 160)
    np.testing.assert_allclose(frame_energies(windows).numpy(), kaldi(wave), atol=2e-4, rtol=0)


def test_frames_lie_on_the_stfts_grid_with_reflection_at_the_ends() -> None:
    wave = voice()
    found = log_filterbank(torch.from_numpy(wave)[None])[0].numpy()
    assert found.shape == (1 + 8000 // 160, 80)
    np.testing.assert_allclose(found, kaldi(np.pad(wave, 200, mode="reflect")), atol=2e-4, rtol=0)


def test_silence_is_the_floor_and_finite() -> None:
    found = log_filterbank(torch.zeros(1, 800))
    torch.testing.assert_close(found, torch.full((1, 6, 80), float(np.log(1.1920929e-07))))


def test_an_utterance_in_a_padded_batch_is_what_it_is_alone() -> None:
    wave = torch.from_numpy(voice()).float()
    lengths = (8000, 5013, 640, 90)
    batch = torch.stack([torch.where(torch.arange(8000) < length, wave, 0.0) for length in lengths])
    found = log_filterbank(batch, torch.tensor(lengths))
    for item, length in enumerate(lengths):
        frames = 1 + length // 160
        if length > 200:  # shorter ones cannot be reflected
            torch.testing.assert_close(found[item, :frames], log_filterbank(wave[None, :length])[0])
        assert (found[item, frames:] == 0).all()
