"""DEMUCS, the waveform U-Net for speech enhancement, with an LSTM in its middle.

Defossez, Synnaeve and Adi, "Real time speech enhancement in the waveform domain", Interspeech 2020. Parameters bear the
names of the authors' code, so that their weights load as they are: `encoder.0.0.weight`, `lstm.lstm.weight_ih_l0`.
"""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trainables.networks.waveform_unet import WaveformUNet, rescale

_LSTM_LAYERS = 2
# Of the published causal models; what differs between them is `hidden`.
DEFAULTS = {"depth": 5, "kernel": 8, "stride": 4, "resample": 4}


class Demucs(WaveformUNet):
    """The published models are causal, with hidden 48 (18,867,937 parameters) and 64 (33,533,569).

    `causal` is a one-directional LSTM; otherwise it has both directions and a linear layer: 60,813,953 parameters with
    hidden 64, stride 2 and resample 2. The other arguments are `WaveformUNet`'s.
    """

    def __init__(
        self, hidden: int, depth: int = 5, kernel: int = 8, stride: int = 4, resample: int = 4, causal: bool = True
    ):
        super().__init__(hidden, depth, kernel, stride, resample)
        self.lstm = _Recurrent(self.width, causal)
        rescale(self)

    def middle(self, features: Tensor, counts: Tensor | None) -> Tensor:
        return self.lstm(features, counts)


class _Recurrent(nn.Module):
    """(batch, channels, frames), of which `counts` (batch,) are no padding -> the same shape."""

    def __init__(self, channels: int, causal: bool):
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, _LSTM_LAYERS, bidirectional=not causal)
        self.linear = None if causal else nn.Linear(2 * channels, channels)

    def forward(self, features: Tensor, counts: Tensor | None = None) -> Tensor:
        frames = features.permute(2, 0, 1)
        if counts is None:
            output, _ = self.lstm(frames)
        else:
            packed, _ = self.lstm(pack_padded_sequence(frames, counts.cpu(), enforce_sorted=False))
            output, _ = pad_packed_sequence(packed, total_length=len(frames))
        return (output if self.linear is None else self.linear(output)).permute(1, 2, 0)
