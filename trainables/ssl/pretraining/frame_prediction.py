"""The objective of APC: from the frames up to now, predict the one 50 ms ahead (Chung et al., 2019).

L1 distance of normalised log-mels, as in s3prl. Nothing is drawn at random but the body's dropout.
"""

from torch import Tensor, nn

from trainables.audio.features import MEL_BANDS
from trainables.ssl.bodies.recurrent_body import RecurrentBody

AHEAD = 5  # frames of 10 ms


class FramePrediction(nn.Module):
    """The body with a linear prediction head, which is discarded afterwards."""

    def __init__(self, body: RecurrentBody) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.channels[-1], MEL_BANDS)

    def forward(self, waveforms: Tensor, step: int, targets: Tensor | None = None) -> tuple[Tensor, dict[str, float]]:
        """(batch, samples) speech -> the loss and its monitors; the log-mels ahead are those of `targets`, if given.

        `still` is the loss of predicting that nothing changes.
        """
        features = self.body.features(waveforms)
        wanted = (features if targets is None else self.body.features(targets))[:, AHEAD:]
        seen = features[:, :-AHEAD]
        loss = (self.head(self.body.encode(seen)) - wanted).abs().mean()
        return loss, {"loss": loss.item(), "still": (seen - wanted).abs().mean().item()}
