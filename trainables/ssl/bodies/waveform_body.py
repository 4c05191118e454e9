"""The body of wav2vec 2.0, HuBERT and WavLM, cut after its first transformer layers.

Made of the modules of `transformers` (Baevski et al., 2020; Hsu et al., 2021; Chen et al., 2022). wav2vec 2.0
and HuBERT are one architecture; WavLM's attention adds a gated relative bias. What lies above the layers that a method
reads is not built: with one of them 16,404,352 parameters at base size, 16,408,724 with the relative bias.
Sites: 0 = waveform, 1-7 = convolutions, 8 = projection (before the positional convolution), 9 = the last transformer
layer that is built. Random masking and layer dropping are off.

Large models (wav2vec2-large-robust) have a LayerNorm and a bias in every convolution, LayerNorms before attention and
feed-forward, and read a waveform of zero mean and unit variance. The norm that follows their last layer is left out:
it was trained for the output of layer 24. 25,722,496 parameters with one layer.

In a padded batch attention and the positional convolution see valid frames alone, as in fairseq and Microsoft's WavLM;
and so does the first convolution's norm over time, which there counts the padding: every item is what it is alone.
"""

import copy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel
from transformers.models.wav2vec2.modeling_wav2vec2 import (
    Wav2Vec2Encoder,
    Wav2Vec2FeatureProjection,
    Wav2Vec2GroupNormConvLayer,
)

from trainables.audio.features import Count
from trainables.base.padding import group_norm, masked, valid_mask
from trainables.ssl.bodies.body import Body, valid_frames

KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)
CONVOLUTIONS = len(KERNELS)
PROJECTION_SITE = CONVOLUTIONS + 1
SMALLEST_VARIANCE = 1e-7  # as in Wav2Vec2FeatureExtractor


@dataclass(frozen=True, kw_only=True)
class WaveformArchitecture:
    """Widths of the convolutions and of the transformer; `dropout` is a probability."""

    channels: tuple[int, ...]  # of the seven convolutions
    hidden: int
    heads: int
    feed_forward: int
    position_kernel: int = 128  # frames
    position_groups: int = 16
    dropout: float = 0.1
    relative_bias: bool = False  # WavLM's gated relative position bias
    pre_norm: bool = False  # as in large models: norms in each convolution and before, not after, attention
    layers: int = 1  # of the transformer


class WaveformBody(Body):
    """Waveform -> (batch, channels, frames) at every site, at a frame rate that falls 320-fold."""

    def __init__(self, architecture: WaveformArchitecture):
        model = transformers_model(architecture)
        if architecture.pre_norm:
            model.encoder.layer_norm = nn.Identity()  # type: ignore[assignment]  # what it is there
        steps: list[nn.Module] = [
            *model.feature_extractor.conv_layers,
            ProjectionStep(cast(Wav2Vec2FeatureProjection, model.feature_projection)),
            EncoderStep(cast(Wav2Vec2Encoder, model.encoder)),
        ]
        channels = (1, *architecture.channels, architecture.hidden, architecture.hidden)
        super().__init__(WaveformEntry(architecture.pre_norm), steps, channels)
        self.architecture = architecture

    def latents(self, wave: Tensor) -> Tensor:
        """(batch, samples) -> LayerNormed output of the last convolution, (batch, frames, channels)."""
        x = self.start(wave)
        for site in range(CONVOLUTIONS):
            x = self.adapted(self.advance(x, site), site + 1)
        return self._projection.layer_norm(x.transpose(1, 2))

    def contextualize(self, latents: Tensor, mask: Tensor, mask_embedding: Tensor) -> Tensor:
        """Latents -> the last transformer layer, (batch, frames, hidden), with masked frames replaced.

        `mask` (batch, frames) is True where `mask_embedding` (hidden,) takes the projected frame's place.
        """
        projected = self._at(PROJECTION_SITE, self._projection.projection(latents))
        masked = torch.where(mask[..., None], mask_embedding, projected)
        return self._at(PROJECTION_SITE + 1, self._encoder(masked).last_hidden_state)

    def transformer_outputs(self, wave: Tensor, lengths: Tensor | None = None) -> list[Tensor]:
        """(batch, samples), `lengths` (batch,) of them valid -> every transformer layer's (batch, hidden, frames)."""
        outputs: list[Tensor] = []

        def keep(layer: nn.Module, given: object, output: Tensor | tuple[Tensor, ...]) -> None:
            outputs.append((output[0] if isinstance(output, tuple) else output).transpose(1, 2))

        hooks = [layer.register_forward_hook(keep) for layer in self._encoder.layers]
        try:
            self(wave, lengths)
        finally:
            for hook in hooks:
                hook.remove()
        return outputs

    def first_layers(self, layers: int) -> "WaveformBody":
        """The same body without the transformer layers above, sharing its weights."""
        shortened = copy.copy(self)
        encoder = copy.copy(self._encoder)
        encoder._modules = {**encoder._modules, "layers": self._encoder.layers[:layers]}
        shortened._modules = {**self._modules, "steps": nn.ModuleList([*self.steps[:-1], EncoderStep(encoder)])}
        return shortened

    def advance(self, features: Tensor, site: int, lengths: Tensor | None = None) -> Tensor:
        step = self.steps[site]
        if lengths is None or 0 < site < PROJECTION_SITE or (site == 0 and self.architecture.pre_norm):
            return step(features)
        if site == PROJECTION_SITE:
            return step(features, valid_frames(self, lengths, site, features))
        convolution = cast(Wav2Vec2GroupNormConvLayer, step)  # its norm is over time
        convolved = convolution.conv(features)
        valid = valid_frames(self, lengths, 1, convolved)
        return convolution.activation(group_norm(convolution.layer_norm, convolved, valid))

    def _at(self, site: int, frames: Tensor) -> Tensor:
        """(batch, frames, channels) at a site, through its adapter where there is one."""
        return frames if self.adapters is None else self.adapted(frames.transpose(1, 2), site).transpose(1, 2)

    @property
    def _projection(self) -> Wav2Vec2FeatureProjection:
        return cast(ProjectionStep, self.steps[CONVOLUTIONS]).projection

    @property
    def _encoder(self) -> Wav2Vec2Encoder:
        return cast(EncoderStep, self.steps[PROJECTION_SITE]).encoder

    def site_frames(self, samples: Count, site: int) -> Count:
        frames = samples
        for kernel, stride in zip(KERNELS[:site], STRIDES[:site], strict=True):
            frames = (frames - kernel) // stride + 1
        return frames


class WaveformEntry(nn.Module):
    """Site 0 is the waveform itself, with a channel axis; if `standardised`, of zero mean and unit variance."""

    def __init__(self, standardised: bool = False):
        super().__init__()
        self.standardised = standardised

    def forward(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        if not self.standardised:
            return wave[:, None]
        valid = valid_mask(wave, lengths)
        count = valid.sum(dim=1, keepdim=True)
        centred = (wave - (wave * valid).sum(dim=1, keepdim=True) / count) * valid
        variance = centred.square().sum(dim=1, keepdim=True) / count
        return (centred * (variance + SMALLEST_VARIANCE).rsqrt())[:, None]


class ProjectionStep(nn.Module):
    """LayerNorm and linear projection to the transformer's width."""

    def __init__(self, projection: Wav2Vec2FeatureProjection):
        super().__init__()
        self.projection = projection

    def forward(self, features: Tensor) -> Tensor:
        return self.projection(features.transpose(1, 2))[0].transpose(1, 2)


class EncoderStep(nn.Module):
    """Positional convolution, LayerNorm and the transformer layers."""

    def __init__(self, encoder: Wav2Vec2Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, features: Tensor, valid: Tensor | None = None) -> Tensor:
        """`valid` (batch, 1, frames) is 0 where a frame is padding, which no frame attends to."""
        mask = None if valid is None else valid[:, 0].bool()
        frames = masked(features, valid).transpose(1, 2)
        return self.encoder(frames, attention_mask=mask).last_hidden_state.transpose(1, 2)


def transformers_model(architecture: WaveformArchitecture) -> Wav2Vec2Model | WavLMModel:
    """The model whose modules the body is made of, with random weights."""
    config = transformers_config(architecture)
    return WavLMModel(config) if isinstance(config, WavLMConfig) else Wav2Vec2Model(config)


def transformers_config(architecture: WaveformArchitecture) -> Wav2Vec2Config | WavLMConfig:
    """wav2vec2-base's or wavlm-base's settings at this width and depth.

    Hub revisions differ in their dropout values, so all are set here. The projection's is off: its output
    is a site, and dropout would add noise to its statistics.
    """
    kind = WavLMConfig if architecture.relative_bias else Wav2Vec2Config
    return kind(
        hidden_size=architecture.hidden,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        intermediate_size=architecture.feed_forward,
        hidden_dropout=architecture.dropout,
        attention_dropout=architecture.dropout,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        feat_extract_norm="layer" if architecture.pre_norm else "group",
        conv_dim=architecture.channels,
        conv_kernel=KERNELS,
        conv_stride=STRIDES,
        conv_bias=architecture.pre_norm,
        do_stable_layer_norm=architecture.pre_norm,
        num_conv_pos_embeddings=architecture.position_kernel,
        num_conv_pos_embedding_groups=architecture.position_groups,
        apply_spec_augment=False,
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
    )
