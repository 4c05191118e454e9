"""Convolutions with and without oneDNN agree, and what was set before is set again."""

import pytest
import torch

from trainables.base.onednn import without_onednn


def test_convolutions_agree_but_for_rounding() -> None:
    convolution = torch.nn.ConvTranspose1d(12, 8, 10, 5)
    signal = torch.randn(1, 12, 301)
    with torch.no_grad():
        usual = convolution(signal)
        with without_onednn():
            assert not torch.backends.mkldnn.enabled
            torch.testing.assert_close(convolution(signal), usual, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("before", [True, False])
def test_what_was_set_before_is_set_again(before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", before)
    with pytest.raises(ZeroDivisionError), without_onednn():
        _ = 1 / 0
    assert torch.backends.mkldnn.enabled == before
