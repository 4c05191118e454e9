"""The network of the report's Tables 6-8, to the parameter."""

from typing import Any

import pytest
import torch
from torch import nn

from trainables.contrastive_se.autoencoder import HOP, Autoencoder, MainBlock
from trainables.contrastive_se.config import ContrastiveSEConfig
from trainables.contrastive_se.momentum_encoder import MomentumEncoder


def network(**fields: Any) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(ContrastiveSEConfig.from_dict({"size": "base", **fields}))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def base() -> Autoencoder:
    return network()


def test_the_base_network_has_the_tables_parameters(base: Autoencoder) -> None:
    assert count(base) == 5_064_064
    assert count(base.encoder) == 1_752_896
    assert count(base.encoder) - count(base.encoder.blocks) == 109_632
    assert count(base.predictor) == 3_286_528
    assert count(base.decoder) == 24_640


def test_with_the_momentum_encoder_it_is_26_mebibytes(base: Autoencoder) -> None:
    """The report's "about 26M"."""
    parameters = count(base) + count(MomentumEncoder(base.encoder))
    assert parameters == 6_816_960
    assert 4 * parameters / 2**20 == pytest.approx(26.00, abs=0.01)


@pytest.mark.parametrize(("groups", "parameters"), [(8, 821_632), (1, 3_115_392)])
def test_a_main_block(groups: int, parameters: int) -> None:
    assert count(MainBlock(128, 256, groups)) == parameters


def test_the_ungrouped_variant_is_25_million() -> None:
    """Encoder 2, predictor 4, decoder 2 main blocks without groups."""
    assert count(network(groups=1, decoder_blocks=2)) == pytest.approx(25.06e6, abs=0.01e6)


@pytest.mark.parametrize("frames", [1, 7, 256])
def test_the_output_is_as_long_as_the_input(frames: int) -> None:
    tiny = network(size="tiny").eval()
    wave = torch.randn(2, HOP * frames)
    encoded, predicted = tiny.encode(wave)
    assert encoded.shape == predicted.shape == (2, 64, frames)
    assert tiny(wave).shape == wave.shape


def test_shapes_at_the_paper_crop(base: Autoencoder) -> None:
    wave = torch.randn(1, 16384)
    assert base.encoder.pooled[0](wave[:, None]).shape == (1, 32, 4096)
    assert base.encoder.pooled(wave[:, None]).shape == (1, 128, 256)
    assert base.encode(wave)[0].shape == (1, 128, 256)


def test_patches_keep_samples_together() -> None:
    """`b 1 (L 64) -> b 64 L`: frame l of the patch branch sees samples 64 l to 64 l + 63 around its tap."""
    tiny = network(size="tiny")
    seen = []
    tiny.encoder.patches.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    wave = torch.arange(HOP * 5.0)[None]
    tiny.eval()(wave)
    assert torch.equal(seen[0][0, :, 3], wave[0, 3 * HOP : 4 * HOP])


def test_the_decoder_lays_patches_side_by_side() -> None:
    tiny = network(size="tiny").eval()
    frames = torch.zeros(1, 64, 5)
    with torch.no_grad():
        bias = tiny.decoder.unpatch.bias
        assert bias is not None
        bias.copy_(torch.arange(64.0))
        wave = tiny.decoder(frames)
    assert torch.equal(wave, torch.arange(64.0).repeat(5)[None])


def test_a_main_block_by_hand() -> None:
    """The table's formula written out, with the other half as the inner skip."""
    torch.manual_seed(0)
    block = MainBlock(8, 12, 2).eval()
    frames = torch.randn(2, 8, 40)
    wide, other = block.expand(frames).chunk(2, dim=1)
    first, second = block.large[1], block.large[3]
    assert isinstance(first, nn.Conv1d)
    assert isinstance(second, nn.Conv1d)
    hidden = nn.functional.gelu(first(block.large[0](wide)))
    hidden = nn.functional.gelu(second(hidden))
    expected = frames + block.contract(hidden + other)
    torch.testing.assert_close(block(frames), expected)
    assert (first.kernel_size, second.kernel_size, second.dilation) == ((31,), (9,), (16,))
    assert second.dilation[0] * (second.kernel_size[0] - 1) + 1 == 129


def test_the_inner_skip_may_be_the_same_half() -> None:
    torch.manual_seed(0)
    other, same = MainBlock(8, 12, 2), MainBlock(8, 12, 2, skip_other=False)
    same.load_state_dict(other.state_dict())
    frames = torch.randn(1, 8, 20)
    assert not torch.allclose(other.eval()(frames), same.eval()(frames))


def test_the_decoder_may_read_the_encoder() -> None:
    tiny = network(size="tiny", decoder_input="encoder").eval()
    encoded, predicted = tiny.encode(torch.randn(1, 640))
    assert torch.equal(tiny.decode(encoded, predicted), tiny.decoder(encoded))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "predictor.0.contract.1.weight"),
        ({"decoder_input": "encoder"}, "encoder.blocks.0.contract.1.weight"),
        ({"predictor_blocks": 0}, "encoder.blocks.0.contract.1.weight"),
        ({"predictor_blocks": 0, "encoder_blocks": 0}, "encoder.fuse.weight"),
    ],
)
def test_the_last_weights_that_both_losses_train(fields: dict[str, Any], name: str) -> None:
    tiny = network(size="tiny", **fields)
    assert tiny.last_shared_weights() is tiny.get_parameter(name)


def test_a_clip_in_a_padded_batch_comes_out_as_alone() -> None:
    small = network(size="tiny")
    small(torch.randn(4, 4096))  # running statistics of their own
    small.eval()
    lengths = (4096, 3008, 1984, 512)
    waves, valid = torch.randn(4, 4096), torch.zeros(4, 1, 64)
    for item, samples in enumerate(lengths):
        waves[item, samples:] = 0.0
        valid[item, :, : samples // HOP] = 1.0
    with torch.no_grad():
        together = small.decode(*small.encode(waves, valid), valid)
        for item, samples in enumerate(lengths):
            alone = small(waves[item : item + 1, :samples])[0]
            torch.testing.assert_close(together[item, :samples], alone, atol=1e-5, rtol=1e-4)
