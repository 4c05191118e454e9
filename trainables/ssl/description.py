"""Which self-supervised model a method rests on; torch-free, so that configurations and plans can say it."""

from dataclasses import dataclass
from typing import Any, Self

from trainables.ssl.upstream_table import UPSTREAM_TABLE

# What a tiny body can hear while it is pre-trained: ssl/pretraining/inputs.py.
PRETRAINING_INPUTS = ("clean", "mixing", "noisy", "denoise")


@dataclass(frozen=True, kw_only=True)
class SSLModel:
    """One body of upstream_table.py and where its weights come from; the configuration of a method checks the values.

    Attributes:
        size: "tiny", pre-trained here, or "base", the published weights.
        cmvn: statistics of a spectral body's log-mels, "utterance" or "corpus".
        checkpoint: of "base", as published_weights/source.py reads it; None = the published one.
        pretraining_steps: of "tiny".
        layers: transformer layers of a waveform body; a spectral one has three.
        pretraining_input: of "tiny", one of `PRETRAINING_INPUTS`; None = the upstream's own.
    """

    upstream: str
    size: str = "tiny"
    cmvn: str = "utterance"
    checkpoint: str | None = None
    pretraining_steps: int = 250
    layers: int = 1
    pretraining_input: str | None = None

    @classmethod
    def from_stage(cls, config: dict[str, Any]) -> Self:
        """Of a stage whose configuration has the fields of `body_fields`, and perhaps others."""
        return cls(**{name: value for name, value in config.items() if name in cls.__dataclass_fields__})

    def body_fields(self) -> dict[str, Any]:
        """The fields that determine the pre-trained body, and no other."""
        fields = {"upstream": self.upstream, "size": self.size, "cmvn": self.cmvn, **self.depth_field()}
        if self.size == "base":
            return {**fields, "checkpoint": self.checkpoint}
        return {**fields, "pretraining_steps": self.pretraining_steps, **self._input_field()}

    @property
    def heard(self) -> str:
        """The input of its pre-training, resolved."""
        return self.pretraining_input or UPSTREAM_TABLE[self.upstream].own_input

    def depth_field(self) -> dict[str, int]:
        """Part of a stage's configuration only where it is not the usual one, whose artifacts are older than it."""
        return {} if self.layers == 1 else {"layers": self.layers}

    def _input_field(self) -> dict[str, str]:
        """As `depth_field`: only where it is not the upstream's own."""
        return {} if self.heard == UPSTREAM_TABLE[self.upstream].own_input else {"pretraining_input": self.heard}
