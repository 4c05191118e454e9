"""Zeros and speeds: how many are drawn, where they go, and that draws are fixed by the step's seed."""

import numpy as np
import pytest
import torch

from tests.trainables.position_invariant.support import config, noise, voices
from trainables.base.randomness import seed_global_generators
from trainables.position_invariant.config import FRAME_HOP
from trainables.position_invariant.disturbances import (
    Draws,
    Padding,
    changed,
    draw_padding,
    draw_semitones,
    draw_speed,
    guarded,
    in_noise,
    padded,
    unshifted,
)


def draws(step: int = 0) -> Draws:
    seed_global_generators(1, "train", step)
    return Draws()


def test_four_seconds_get_four_to_ten_frames_split_at_random() -> None:
    settings, samples = config(variant="mse_pad"), torch.full((500,), 64_000)
    drawn = draw_padding(settings, samples, draws())
    frames = drawn.left + drawn.right
    assert (int(frames.min()), int(frames.max())) == (4, 10)
    assert int(drawn.left.min()) == int(drawn.right.min()) == 0
    assert float((drawn.left / frames).mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_side_takes_all_zeros(side: str) -> None:
    drawn = draw_padding(config(variant="mse_pad", pad_side=side), torch.full((20,), 16_000), draws())
    other = {"left": drawn.right, "right": drawn.left}[side]
    assert not other.any()
    assert int(getattr(drawn, side).min()) >= 1


def test_no_share_is_no_padding() -> None:
    drawn = draw_padding(config(variant="mse_pad", pad_min=0.0, pad_max=0.0), torch.full((9,), 64_000), draws())
    assert not (drawn.left + drawn.right).any()


def test_zeros_are_whole_frames_around_each_item() -> None:
    wave, samples = voices(samples=2000), torch.tensor([2000, 1500])
    padding = Padding(torch.tensor([2, 0]), torch.tensor([1, 3]))
    found, lengths = padded(wave, samples, padding)
    assert lengths.tolist() == [2000 + 3 * FRAME_HOP, 1500 + 3 * FRAME_HOP]
    assert torch.equal(found[0, 2 * FRAME_HOP : 2 * FRAME_HOP + 2000], wave[0])
    assert torch.equal(found[1, :1500], wave[1, :1500])
    assert not found[0, : 2 * FRAME_HOP].any()
    assert not found[1, 1500:].any()


def test_frames_start_where_each_item_does() -> None:
    features = torch.arange(6.0)[None, :, None].expand(2, 6, 3)
    found = unshifted(features, Padding(torch.tensor([0, 2]), torch.tensor([0, 0])), 4)
    assert found[:, :, 0].tolist() == [[0, 1, 2, 3], [2, 3, 4, 5]]


def test_frames_next_to_zeros_are_left_out() -> None:
    padding = Padding(torch.tensor([1, 0, 1]), torch.tensor([0, 1, 1]))
    counts = torch.tensor([5, 4, 2])
    valid = (torch.arange(5) < counts[:, None]).float()
    assert guarded(valid, counts, padding, 1).tolist() == [[0, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    assert torch.equal(guarded(valid, counts, padding, 0), valid)


def test_speeds_come_from_the_list_or_between_its_ends() -> None:
    listed = {draw_speed(config(), draws(step)) for step in range(200)}
    assert listed == set(config().speeds or ())
    between = [draw_speed(config(speed_step=None), draws(step)) for step in range(200)]
    assert 0.8 <= min(between) < max(between) <= 1.2
    assert len(set(between)) > 25


def test_pitch_goes_up_or_down() -> None:
    signs = [draw_semitones(config(pitch_semitones=2.0), draws(step)) for step in range(100)]
    assert set(signs) == {2.0, -2.0}
    assert 30 < signs.count(2.0) < 70


def test_a_changed_wave_has_the_lengths_of_its_items() -> None:
    wave, lengths = changed(voices(samples=8000), torch.tensor([8000, 4000]), 0.8, 0.0)
    assert wave.shape == (2, 10_000)
    assert lengths.tolist() == [10_000, 5_000]
    moved, _ = changed(voices(samples=8000), torch.tensor([8000, 4000]), 0.8, 2.0)
    assert moved.shape == wave.shape
    assert not torch.equal(moved, wave)


def test_draws_depend_on_the_steps_seed_alone() -> None:
    first = draws(3)
    later = draws(3)
    later.of("another purpose").random(5)
    assert np.array_equal(first.of("speed").random(5), later.of("speed").random(5))
    assert not np.array_equal(first.of("speed").random(5), draws(4).of("speed").random(5))


def test_noise_keeps_its_speed_and_is_looped() -> None:
    samples, given = torch.tensor([8000, 4000]), noise(samples=8000)
    for speed in (0.8, 1.2):
        speech, lengths = changed(voices(samples=8000), samples, speed, 0.0)
        added = in_noise(speech, lengths, given, samples) - speech
        for item, (new, old) in enumerate(zip(lengths.tolist(), samples.tolist(), strict=True)):
            expected = np.resize(given[item, :old].numpy(), new)
            np.testing.assert_allclose(added[item, :new].numpy(), expected, atol=1e-6)
            assert not added[item, new:].any()


@pytest.mark.parametrize("semitones", [0.0, 2.0])
def test_a_changed_wave_is_not_rounded_by_autocast(semitones: float) -> None:
    given = voices(), torch.tensor([8000, 4000]), 0.8, semitones
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = changed(*given)
    assert found.dtype == torch.float32
    assert torch.equal(found, changed(*given)[0])
