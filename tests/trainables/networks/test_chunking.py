"""Chunks overlap by half, and every frame lies in two of them."""

from collections.abc import Callable

import pytest
import torch

from trainables.networks import chunking

Along = Callable[[chunking.Path, torch.Tensor], torch.Tensor]


@pytest.mark.parametrize("frames", [1, 7, 10, 33, 100])
def test_overlap_add_of_cut_features_counts_every_frame_twice(frames: int) -> None:
    features = torch.randn(2, 3, frames)
    chunks = chunking.cut(features, 10, (10, 10))
    assert chunks.shape[:3] == (2, 3, 10)
    torch.testing.assert_close(chunking.overlap_add(chunks, frames, 10), 2 * features)


def seen_by(along: Along) -> torch.Tensor:
    """(sequences, length, channels): what a path is given of 40 numbered frames in chunks of 10."""
    seen = []

    def noting(sequences: torch.Tensor) -> torch.Tensor:
        seen.append(sequences)
        return sequences

    along(noting, chunking.cut(torch.arange(40.0).view(1, 1, 40), 10, (10, 10)))
    return seen[0]


def test_a_sequence_within_a_chunk_is_consecutive_frames() -> None:
    third = seen_by(chunking.within_chunks)[2, :, 0]
    torch.testing.assert_close(third, torch.arange(0.0, 10.0))


def test_a_sequence_across_chunks_steps_by_half_a_chunk() -> None:
    first = seen_by(chunking.across_chunks)[0, :, 0]
    torch.testing.assert_close(first[2:10], torch.arange(0.0, 40.0, 5.0))


@pytest.mark.parametrize("along", [chunking.within_chunks, chunking.across_chunks])
def test_both_paths_come_back(along: Along) -> None:
    chunks = torch.randn(2, 3, 10, 7)
    torch.testing.assert_close(along(lambda sequences: 2 * sequences, chunks), 2 * chunks)
