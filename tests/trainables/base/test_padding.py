"""Norms over valid positions alone are torch's own of what is left when the padding is cut away."""

import pytest
import torch
from torch import nn

from trainables.base.padding import batch_norm, group_norm, valid_mask, where_padded

LENGTHS = torch.tensor([50, 31, 7])


def features() -> torch.Tensor:
    return 3.0 * torch.randn(3, 6, 50, generator=torch.Generator().manual_seed(1)) + 1.0


def randomized(norm: nn.Module) -> nn.Module:
    torch.manual_seed(2)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm


def test_a_batch_without_padding_needs_no_lengths() -> None:
    assert where_padded(features(), None) is None
    assert where_padded(features(), torch.tensor([50, 50, 50])) is None
    assert where_padded(features(), torch.tensor([60, 50, 50])) is None
    found = where_padded(features(), LENGTHS)
    assert found is not None
    assert found.tolist() == LENGTHS.tolist()


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm_of_each_item_alone(groups: int) -> None:
    norm, x = randomized(nn.GroupNorm(groups, 6)), features()
    assert isinstance(norm, nn.GroupNorm)
    found = group_norm(norm, x, valid_mask(x[:, 0], LENGTHS)[:, None])
    for item, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(found[item, :, :length], norm(x[item : item + 1, :, :length])[0])
    assert torch.equal(group_norm(norm, x, None), norm(x))


def test_group_norm_takes_a_mask_of_fewer_axes() -> None:
    norm, x = nn.GroupNorm(1, 6), features().unflatten(2, (5, 10))
    valid = torch.zeros(3, 1, 1, 10)
    valid[..., :4] = 1.0
    torch.testing.assert_close(group_norm(norm, x, valid)[..., :4], norm(x[..., :4]))


def test_batch_norm_of_the_valid_frames() -> None:
    ours, theirs, x = nn.BatchNorm1d(6), nn.BatchNorm1d(6), features()
    valid = valid_mask(x[:, 0], LENGTHS)[:, None]
    frames = torch.cat([item[:, :length] for item, length in zip(x, LENGTHS.tolist(), strict=True)], dim=1)
    for _ in range(2):
        expected, found = theirs(frames[None])[0], batch_norm(ours, x, valid)
    torch.testing.assert_close(found[0], expected[:, :50])
    torch.testing.assert_close(found[2, :, :7], expected[:, 81:])
    for name, buffer in theirs.named_buffers():
        torch.testing.assert_close(ours.get_buffer(name), buffer)
    assert torch.equal(batch_norm(ours.eval(), x, valid), ours(x))
