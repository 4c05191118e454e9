"""Chunks overlap by half, and every frame lies in two of them."""

import pytest
import torch

from trainables.networks import chunking


@pytest.mark.parametrize("frames", [1, 7, 10, 33, 100])
def test_overlap_add_of_cut_features_counts_every_frame_twice(frames):
    features = torch.randn(2, 3, frames)
    chunks = chunking.cut(features, 10)
    assert chunks.shape[:3] == (2, 3, 10)
    torch.testing.assert_close(chunking.overlap_add(chunks, frames), 2 * features)


def test_a_sequence_within_a_chunk_is_consecutive_frames():
    features = torch.arange(40.0).view(1, 1, 40)
    third = chunking.within_chunks(chunking.cut(features, 10))[2, :, 0]
    torch.testing.assert_close(third, torch.arange(0.0, 10.0))


def test_a_sequence_across_chunks_steps_by_half_a_chunk():
    features = torch.arange(40.0).view(1, 1, 40)
    first = chunking.across_chunks(chunking.cut(features, 10))[0, :, 0]
    torch.testing.assert_close(first[2:10], torch.arange(0.0, 40.0, 5.0))


def test_both_paths_come_back():
    chunks = torch.randn(2, 3, 10, 7)
    torch.testing.assert_close(chunking.from_within(chunking.within_chunks(chunks), 2), chunks)
    torch.testing.assert_close(chunking.from_across(chunking.across_chunks(chunks), 2), chunks)
