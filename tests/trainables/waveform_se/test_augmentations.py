"""Each augmentation against a closed form and against its authors' code.

Golden: facebookresearch/denoiser, commit 8afd7c1, BandMask(0.2) and RevEcho(1) on `waves()` in float64, its draws taken
from numpy's generator in the order in which it asks for them.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.audio.examples.mixing import Batch
from trainables.base.randomness import generator
from trainables.waveform_se.augmentations import (
    augmented,
    drawn_band,
    drawn_starts,
    echo_response,
    echoing,
    remixed,
    shifted,
    without_band,
)
from trainables.waveform_se.config import WaveformSEConfig

RATE = 16_000
# Seed -> lower and upper end of the band in Hz, and six samples of the first noise from 1000 on.
BANDS = {
    1: ((1659.9154, 2325.6912), [0.62708, 0.58418, -0.44539, 1.78817, 0.08855, 1.64157]),
    2: ((5169.9312, 5810.3310), [0.26539, 0.38730, -0.29168, 1.82930, 0.51842, 1.77421]),
    3: ((4816.3393, 4931.7709), [0.34117, 0.39401, -0.40744, 2.00279, 0.38837, 1.77492]),
}
ECHOED_NOISE = [-0.01143, -1.10735, -0.38768, -0.20692]  # seed 5, the second item from sample 7000 on
ECHOED_CLEAN = [-1.42266, -0.55021, 2.25449, -0.64331]


def waves() -> Tensor:
    """(2, 3, 2500): noise and clean speech of three items."""
    return torch.tensor(np.random.default_rng(7).normal(size=(2, 3, 1, 2500)))[:, :, 0]


def tone(hertz: float, samples: int = 8_000) -> Tensor:
    return torch.sin(2 * torch.pi * hertz * torch.arange(samples, dtype=torch.float64) / RATE)[None]


def batch_of(items: int = 4, samples: int = 4_000, shortest: int = 4_000) -> Batch:
    torch.manual_seed(1)
    lengths = torch.tensor([samples] * (items - 1) + [shortest])
    valid = torch.arange(samples) < lengths[:, None]
    clean, noise = torch.randn(items, samples) * valid, torch.randn(items, samples) * valid
    return Batch(noisy=clean + noise, clean=clean, lengths=lengths)


def config(**values: object) -> WaveformSEConfig:
    return WaveformSEConfig.from_dict(values)


@pytest.mark.parametrize("seed", BANDS)
def test_a_band_is_taken_out_as_the_authors_do(seed: int) -> None:
    ends, samples = BANDS[seed]
    low, high = drawn_band(0.2, np.random.default_rng(seed))
    assert (low * RATE, high * RATE) == pytest.approx(ends, abs=1e-3)
    found = without_band(waves()[0], low, high)[0, 1000:1006]
    torch.testing.assert_close(found, torch.tensor(samples, dtype=torch.float64), atol=1e-5, rtol=0)


def test_tones_in_the_band_go_and_others_stay() -> None:
    low, high = 1_000 / RATE, 2_000 / RATE
    middle = slice(2_000, 6_000)
    for hertz, left in ((500.0, 1.0), (1_500.0, 0.0), (3_000.0, 1.0)):
        found = without_band(tone(hertz), low, high)[:, middle]
        torch.testing.assert_close(found, left * tone(hertz)[:, middle], atol=5e-3, rtol=0)


def test_bands_are_at_most_as_wide_as_asked() -> None:
    """Ends are among 120 points of the mel scale, and a fifth of them is 24: the upper is up to 23 points above."""
    mels = np.linspace(2595 * np.log10(1 + 40 / 700), 2595 * np.log10(1 + 8_000 / 700), 120)
    points = 700 * (10 ** (mels / 2595) - 1) / RATE
    drawn = [drawn_band(0.2, np.random.default_rng(seed)) for seed in range(400)]
    low, high = (np.abs(points[:, None] - [each[end] for each in drawn]).argmin(0) for end in (0, 1))
    assert np.allclose(points[low], [each[0] for each in drawn])
    assert set(high - low) == set(range(24))
    assert (low.min(), low.max(), high.max()) == (0, 119, 119)


def test_echoes_are_the_authors() -> None:
    noise, clean = waves().repeat(1, 1, 4)
    rng = np.random.default_rng(5)
    rng.random()  # whether there are any
    noise, clean = echoing(noise, clean, rng)
    expected = (torch.tensor(each, dtype=torch.float64) for each in (ECHOED_NOISE, ECHOED_CLEAN))
    for found, samples in zip((noise, clean), expected, strict=True):
        torch.testing.assert_close(found[1, 7000:7004], samples, atol=1e-5, rtol=0)


def test_trains_of_echoes_decay_by_60_db_in_their_rt60() -> None:
    """By a least-squares line through the level of each train's echoes, their delay and gain."""
    delay, rt60, first = 0.02, 0.4, 0.25
    responses = [echo_response(RATE, first, delay, rt60, np.random.default_rng(seed)) for seed in range(20)]
    places, levels = [], []
    for response in responses:
        found = response.nonzero()[:, 0].numpy()
        assert found[0] >= 0.9 * delay * RATE
        places.append(found / RATE)
        levels.append(20 * np.log10(response.numpy()[found] / first))
    slope, start = np.polyfit(np.concatenate(places), np.concatenate(levels), 1)
    assert -60 / slope == pytest.approx(rt60, rel=0.05)
    assert start + slope * delay == pytest.approx(0.0, abs=1.5)
    assert all(float(each.max()) < 3 * first + 1e-9 for each in responses)


def test_what_an_echo_adds_is_shared_between_noise_and_reference() -> None:
    """Without noise, an impulse of speech: a tenth of its echoes stays in the reference, the rest is noise."""
    clean = torch.zeros(1, RATE, dtype=torch.float64)
    clean[0, 0] = 1.0
    noise, reference = echoing(torch.zeros_like(clean), clean, np.random.default_rng(3))
    echoes = noise + reference - clean
    assert float(echoes.abs().max()) > 0
    torch.testing.assert_close(reference - clean, 0.1 * echoes)


def test_shift_cuts_both_at_the_same_place() -> None:
    lengths = torch.tensor([5_000, 5_000, 4_300, 2_000])
    starts = [drawn_starts(lengths, 4_000, np.random.default_rng(seed)) for seed in range(300)]
    assert [int(torch.stack(starts)[:, item].max()) for item in range(4)] == pytest.approx([999, 999, 299, 0], abs=25)
    wave = torch.arange(5_000.0).repeat(4, 1)
    cut = shifted(wave, starts[0], 4_000)
    assert cut.shape == (4, 4_000)
    assert torch.equal(cut[:, 0].long(), starts[0])
    assert torch.equal(cut[:, -1].long(), starts[0] + 3_999)


def test_remix_permutes_the_noises_by_seed_and_step() -> None:
    batch = batch_of(6, 50, shortest=30)
    remix = config(remix=True)
    orders = [_order_of(augmented(batch, remix, 3, step, 50), batch) for step in range(8)]
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert len({tuple(order) for order in orders}) > 4
    again = augmented(batch, remix, 3, 0, 50)
    assert torch.equal(again.clean, batch.clean)
    assert float(again.noisy[5, 30:].abs().sum()) == 0.0


def _order_of(found: Batch, batch: Batch) -> list[int]:
    """Which item's noise each item has, by its first 30 samples."""
    noises = [(each.noisy - each.clean)[:, :30] for each in (found, batch)]
    return (noises[0][:, None] - noises[1][None]).abs().amax(-1).argmin(1).tolist()


def test_a_batch_of_one_keeps_its_noise() -> None:
    noise = torch.randn(1, 20)
    assert torch.equal(remixed(noise, np.random.default_rng(1)), noise)


ALL = {"remix": True, "band_mask": 0.2, "shift_seconds": 0.05, "echo": 1.0}


@pytest.mark.parametrize("values", [ALL, {"band_mask": 0.2}, {"echo": 1.0}, {"shift_seconds": 0.05}])
def test_padding_stays_silent_and_draws_are_of_seed_and_step(values: dict[str, object]) -> None:
    batch, settings = batch_of(samples=4_800, shortest=1_500), config(**values)
    samples = 4_000 if settings.shift_seconds else 4_800
    found = augmented(batch, settings, 3, 7, samples)
    assert found.noisy.shape == found.clean.shape == (4, samples)
    assert found.lengths.tolist() == [samples] * 3 + [1_500]
    for wave in (found.noisy, found.clean):
        assert torch.isfinite(wave).all()
        assert float(wave[3, 1_500:].abs().max()) < 1e-6
    same = augmented(batch, settings, 3, 7, samples)
    assert torch.equal(found.noisy, same.noisy)
    assert torch.equal(found.clean, same.clean)
    assert not torch.equal(found.noisy, augmented(batch, settings, 3, 8, samples).noisy)
    assert not torch.equal(found.noisy, augmented(batch, settings, 4, 7, samples).noisy)


def test_echoes_come_as_often_as_asked() -> None:
    batch, settings = batch_of(1, 1_000, 1_000), config(echo=0.3)
    unchanged = sum(torch.equal(augmented(batch, settings, 1, step, 1_000).clean, batch.clean) for step in range(200))
    assert unchanged / 200 == pytest.approx(0.7, abs=0.1)


def test_without_any_the_batch_is_the_same() -> None:
    batch = batch_of()
    assert augmented(batch, config(), 1, 2, 4_000) is batch


def test_the_least_that_is_allowed_has_an_effect() -> None:
    settings = WaveformSEConfig.from_dict({"band_mask": 2 / 120, "shift_seconds": 2 / RATE})
    bands = [drawn_band(settings.band_mask, generator(0, "band mask", step)) for step in range(20)]
    lengths = torch.tensor([800 + round(settings.shift_seconds * RATE)])
    starts = [int(drawn_starts(lengths, 800, generator(0, "shift", step))) for step in range(20)]
    assert any(high > low for low, high in bands)
    assert set(starts) == {0, 1}
