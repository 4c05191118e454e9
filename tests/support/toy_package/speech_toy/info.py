"""The toy as a sweep sees it."""

from speech_toy.config import ToyConfig
from trainables.config.method_info import MethodInfo

INFO = MethodInfo(
    name="toy",
    config=ToyConfig,
    build="speech_toy.method:build",
    runners={"toy_filter": "speech_toy.method:pretrain", "toy_double": "speech_toy.stages:double"},
    groups="flavour",
    step_seconds=lambda config: (0.004, 0.002),
    pretraining_step_seconds=lambda config: 0.01,
    checkpoint_bytes=(1e5, 1e5),
    refuses={"paired": "holds pairs, and {space} mixes by itself: give a corpus of speech/ and noise/"},
    cautions=lambda config: [f"{config.flavour} toys are no models"],
    curves={"strength": "strength"},
    measures=lambda config: ("toy_filter_distance",),
    alarm="overdriven",
)
