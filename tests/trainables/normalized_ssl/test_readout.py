"""The learnt mean of sites."""

import pytest
import torch
from torch.nn import functional

from trainables.base.errors import UserError
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.decoders import build_decoder
from trainables.normalized_ssl.method import NormalizedSSL
from trainables.normalized_ssl.readout import WeightedSum
from trainables.ssl.bodies.upstreams import build_body

FEATURES = [torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(site)) for site in range(4)]


def test_it_begins_as_the_plain_mean() -> None:
    torch.testing.assert_close(WeightedSum(6, (1, 2, 3))(FEATURES), torch.stack(FEATURES[1:]).mean(0))


@pytest.mark.parametrize("site", [0, 2])
def test_all_weight_on_one_site_is_that_site_alone(site: int) -> None:
    summed = WeightedSum(6, (0, 2))
    with torch.no_grad():
        summed.weights.copy_(torch.tensor([0.0, -1000.0] if site == 0 else [-1000.0, 0.0]))
    assert torch.equal(summed(FEATURES), FEATURES[site])
    assert summed.shares() == {"readout/site0": float(site == 0), "readout/site2": float(site == 2)}


def test_with_norms_every_frame_of_every_site_counts_alike() -> None:
    """As SUPERB's `layer_norm` at the start, whose own has no affine map."""
    summed = WeightedSum(6, range(4), normed=True)
    with torch.no_grad():
        summed.weights.copy_(torch.tensor([0.3, -0.2, 0.0, 1.0]))
    stacked = torch.stack([functional.layer_norm(each.transpose(1, 2), (6,)) for each in FEATURES])
    shares = functional.softmax(summed.weights, dim=-1)
    expected = (shares.view(-1, 1, 1, 1) * stacked).sum(0).transpose(1, 2)
    torch.testing.assert_close(summed(FEATURES), expected)


def test_its_size_at_base_size() -> None:
    sizes = [sum(each.numel() for each in WeightedSum(768, range(4), normed).parameters()) for normed in (False, True)]
    assert sizes == [4, 4 + 6144]


@pytest.mark.parametrize(("upstream", "sites"), [("tera", (0, 1, 2, 3)), ("apc", (1, 2, 3)), ("wav2vec2", (8, 9))])
def test_sites_of_the_last_ones_rate_and_width_are_summed(upstream: str, sites: tuple[int, ...]) -> None:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "init": "random", "readout": "weighted"})
    assert config.summed_sites == sites
    body = build_body(config.ssl, 1)
    method = NormalizedSSL(config, body, build_decoder(config, body, 1)).eval()
    estimate = method.infer(torch.randn(1, 4000, generator=torch.Generator().manual_seed(1)))
    assert estimate.shape == (1, 1, 4000)
    assert estimate.isfinite().all()
    with pytest.raises(UserError, match=f"allowed: sites {', '.join(map(str, sites))} of {upstream}"):
        NormalizedSSLConfig.from_dict({**config.to_dict(), "readout_sites": [4 if upstream == "wav2vec2" else 9]})


def test_the_log_mels_of_apc_are_no_site_of_a_sum() -> None:
    with pytest.raises(UserError, match="allowed: sites 1, 2, 3 of apc"):
        NormalizedSSLConfig.from_dict({"upstream": "apc", "readout": "weighted", "readout_sites": [0, 1]})
