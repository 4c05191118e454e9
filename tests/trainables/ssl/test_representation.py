"""Measures of features, on features whose answer is known."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from trainables.ssl.representation import (
    frame_cosine,
    frame_distance,
    position_shift,
    shortcut_indices,
    speed_error,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_distance_and_cosine_of_known_frames() -> None:
    reference = torch.tensor([[[1.0, 0], [0, 2]], [[3, 4], [0, 0]]])
    features = torch.tensor([[[0.0, 1], [0, 1]], [[3, 4], [1, 1]]])
    assert frame_distance(features, reference).tolist() == pytest.approx([(2 + 1) / 2, (0 + 2) / 2])
    assert frame_cosine(features, reference).tolist() == pytest.approx([(0 + 1) / 2, (1 + 0) / 2])
    assert frame_distance(reference, reference).tolist() == [0, 0]


def test_cosine_and_distance_of_unit_frames_are_one_thing() -> None:
    x, y = (functional.normalize(noise(4, 20, 6, seed=seed), dim=-1) for seed in (1, 2))
    assert torch.allclose(frame_distance(x, y), 2 - 2 * frame_cosine(x, y))


def test_position_shift_is_what_a_position_component_adds() -> None:
    """Frames = content + position: moved by q, the component of frame i + q stands where that of i was."""
    shift, frames, channels = 3, 12, 5
    position, content = noise(frames + shift, channels), noise(frames, channels, seed=1)
    error = noise(frames, channels, seed=2)
    silence = torch.zeros(shift, channels, dtype=torch.float64)

    def features(waveform_content: Tensor) -> Tensor:
        return waveform_content + position[: len(waveform_content)]

    found = position_shift(
        features(torch.cat([silence, content + error])),
        features(content + error),
        features(torch.cat([silence, content])),
        features(content),
        shift,
    )
    moved = position[shift:] - position[:frames]
    assert found.floor == pytest.approx(moved.square().sum(-1).mean().item())
    assert found.excess == pytest.approx((moved.square() + 2 * moved * error).sum(-1).mean().item())


def test_features_without_position_do_not_mind_a_shift() -> None:
    content, estimate = noise(9, 4), noise(9, 4, seed=1)
    silence = torch.zeros(2, 4, dtype=torch.float64)
    found = position_shift(torch.cat([silence, estimate]), estimate, torch.cat([silence, content]), content, 2)
    assert found == (0, 0)


def test_speed_error_forgives_timing_only() -> None:
    content = noise(30, 16)
    assert speed_error(content, 3 * content) == pytest.approx(0, abs=1e-9)  # unit frames
    slow = content.repeat_interleave(2, dim=0)
    other = noise(60, 16, seed=5)
    assert 0 < speed_error(slow, content, 0.01) < 1e-2 * speed_error(other, content, 0.01)
    assert speed_error(slow, content) < 0.2 * speed_error(other, content)


def with_position(strength: float, clips: int, frames: int, lengths: list[int] | None = None) -> list[Tensor]:
    """Unit frames: own content in one subspace, a one-hot position in another, sharing the norm."""
    result = []
    for clip in range(clips):
        size = lengths[clip] if lengths else frames
        content = torch.zeros(size, clips + frames, dtype=torch.float64)
        content[:, clip] = math.sqrt(1 - strength)
        content[torch.arange(size), clips + torch.arange(size)] = math.sqrt(strength)
        result.append(content)
    return result


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_the_shortcut_index_is_the_share_of_position(strength: float) -> None:
    """The cosine is `strength` at equal positions, 0 at others; lengths may differ, scale does not count."""
    clips = with_position(strength, 4, 9, [9, 5, 7, 2])
    assert shortcut_indices([(3 + number) * clip for number, clip in enumerate(clips)]) == pytest.approx([strength] * 4)


def test_what_all_frames_share_is_no_position() -> None:
    common = torch.ones(1, 6, dtype=torch.float64)
    assert shortcut_indices([common.repeat(5, 1), common.repeat(8, 1)]) == pytest.approx([0, 0])


def test_the_shortcut_index_is_that_of_all_pairs_of_frames() -> None:
    clips = [noise(frames, 7, seed=frames) for frames in (6, 4, 9)]
    expected = []
    for own, clip in enumerate(clips):
        values = []
        for other, second in enumerate(clips):
            if own == other:
                continue
            frames = min(len(clip), len(second))
            cosine = functional.cosine_similarity(clip[:frames, None], second[None, :frames], dim=-1)
            off = cosine[~torch.eye(frames, dtype=torch.bool)]
            values.append((cosine.diagonal().mean() - off.mean()).item())
        expected.append(sum(values) / len(values))
    assert shortcut_indices(clips) == pytest.approx(expected)


def test_the_same_content_twice_is_no_position() -> None:
    """Copies of a clip, as at several SNRs, are alike at every position; compared with other contents they count."""
    clips = [noise(8, 5, seed=seed) for seed in range(3)]
    copies = [*clips, 2 * clips[0], clips[1], clips[2]]
    assert shortcut_indices(copies, [0, 1, 2, 0, 1, 2]) == pytest.approx(2 * shortcut_indices(clips))
    assert min(shortcut_indices(copies)) > max(shortcut_indices(clips))
    with pytest.raises(ValueError, match="two"):
        shortcut_indices([clips[0], clips[0]], [0, 0])


@pytest.mark.parametrize("clips", [[noise(5, 3)], [noise(5, 3), noise(1, 3)], []])
def test_too_little_for_an_index(clips: list[Tensor]) -> None:
    with pytest.raises(ValueError, match="two"):
        shortcut_indices(clips)
