"""The toy's configuration; torch-free."""

from dataclasses import dataclass
from typing import Unpack

from trainables.config.fields import choice
from trainables.config.method_config import MethodConfig
from trainables.job.stages import Stage, StagePlace


@dataclass(frozen=True, kw_only=True)
class ToyConfig(MethodConfig):
    METHOD = "toy"

    flavour: str = choice("plain", of=("plain", "sharp"), help="sharp has half as many taps.")
    lr: float = 3e-3
    warmup_share: float = 0.1
    lr_floor: float = 0.05
    clip: float = 5.0
    strength: float = 0.5
    pretrained: bool = False  # the first filter starts from a stage's artifact
    break_at: int = -1  # the step whose loss is not a number
    mute: bool = False  # estimates are silence

    def stages(self, seed: int, **place: Unpack[StagePlace]) -> tuple[Stage, ...]:
        if not self.pretrained:
            return ()
        stage = Stage(
            kind="pretraining",
            name=f"toy filter, seed {seed}",
            runner="toy_filter",
            version=1,
            config={"pretraining_steps": 50, "flavour": self.flavour},
            seed=seed,
            **place,
        )
        return (stage,)
