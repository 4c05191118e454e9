"""The STFT grid and log-mel features, against numpy and the filterbank of `transformers`."""

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank

from trainables.audio import features as audio


def speechlike(batch: int = 2, samples: int = 16000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    wave = torch.randn(batch, samples, generator=generator)
    return 0.05 * wave * (1.0 + torch.sin(torch.arange(samples) / 700.0))


def test_the_mel_filterbank_is_the_one_of_the_field() -> None:
    reference = mel_filter_bank(201, 80, 0.0, 8000.0, 16000, norm=None, mel_scale="htk")
    np.testing.assert_allclose(audio.mel_filterbank().numpy(), reference, atol=1e-6)


def test_no_mel_band_is_empty() -> None:
    assert (audio.mel_filterbank().sum(dim=0) > 0.1).all()


def test_log_mels_equal_a_slow_computation() -> None:
    wave = speechlike(batch=1)[0].double().numpy()
    leveled = wave * 10 ** (-25 / 20) / np.sqrt(np.mean(wave**2))
    padded = np.pad(leveled, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([padded[start : start + 400] * window for start in range(0, 16001, 160)])
    power = np.abs(np.fft.rfft(frames)) ** 2
    reference = np.log(power @ audio.mel_filterbank().double().numpy() + 1e-10)
    ours = audio.log_mel(torch.tensor(wave, dtype=torch.float32)[None])[0]
    np.testing.assert_allclose(ours.numpy(), reference, atol=1e-4)


@pytest.mark.parametrize("samples", [400, 16000, 16159, 16160, 32000])
def test_frames_and_inverse(samples: int) -> None:
    wave = speechlike(samples=samples)
    spectrum = audio.stft(wave)
    assert spectrum.shape == (2, 201, audio.frame_count(samples))
    torch.testing.assert_close(audio.istft(spectrum, samples), wave, atol=1e-6, rtol=0)


def test_features_do_not_depend_on_level() -> None:
    wave = speechlike()
    torch.testing.assert_close(audio.log_mel(0.03 * wave), audio.log_mel(wave), atol=1e-4, rtol=0)


def test_utterance_cmvn_leaves_zero_mean_and_unit_unbiased_deviation() -> None:
    normalised = audio.utterance_cmvn(audio.log_mel(speechlike()))
    torch.testing.assert_close(normalised.mean(dim=1), torch.zeros(2, 80), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.std(dim=1), torch.ones(2, 80), atol=1e-4, rtol=0)


def test_padding_changes_neither_level_nor_cmvn() -> None:
    wave = speechlike(batch=1, samples=8000)
    padded = torch.nn.functional.pad(wave, (0, 8000))
    lengths = torch.tensor([8000])
    alone = audio.log_mel(wave)
    together = audio.log_mel(padded, lengths)
    inside = slice(0, 49)  # frames whose window doesn't reach the end
    torch.testing.assert_close(together[:, inside], alone[:, inside], atol=1e-4, rtol=0)
    normalised = audio.utterance_cmvn(together, audio.frame_count(lengths))
    torch.testing.assert_close(normalised[:, :51].mean(dim=1), torch.zeros(1, 80), atol=1e-5, rtol=0)
    assert not normalised[:, 51:].any()


def test_corpus_cmvn_keeps_what_sets_an_utterance_apart() -> None:
    log_mels = audio.log_mel(speechlike())
    mean, std = torch.full((80,), -3.0), torch.full((80,), 2.0)
    torch.testing.assert_close(audio.corpus_cmvn(log_mels, mean, std), (log_mels + 3.0) / 2.0)


def test_silence_is_finite() -> None:
    normalised = audio.utterance_cmvn(audio.log_mel(torch.zeros(1, 4000)))
    assert torch.isfinite(normalised).all()


def test_frames_and_samples_of_a_padded_batch_are_those_of_each_item_alone() -> None:
    lengths = (16000, 9001, 400, 161)
    wave = speechlike(batch=4)
    for item, samples in enumerate(lengths):
        wave[item, samples:] = 0.0
    counts = torch.tensor(lengths)
    spectra, log_mels = audio.stft(wave, counts), audio.log_mel(wave, counts)
    back = audio.istft(spectra, 16000, counts)
    for item, samples in enumerate(lengths):
        alone, frames = wave[item : item + 1, : max(samples, 201)], audio.frame_count(samples)
        torch.testing.assert_close(spectra[item, :, :frames], audio.stft(alone)[0, :, :frames])
        assert not spectra[item, :, frames:].any()
        torch.testing.assert_close(back[item, :samples], wave[item, :samples], atol=1e-5, rtol=1e-4)
        assert not back[item, samples:].any()
        if samples > 200:
            torch.testing.assert_close(log_mels[item, :frames], audio.log_mel(alone)[0], atol=1e-4, rtol=1e-4)
