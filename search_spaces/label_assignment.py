"""Whose voice belongs to which output: PIT, soft assignments, or labels that an earlier network or a rule has given?

All candidates make the same number of updates, whatever their phases, on the same pool of mixtures, and tune the
learning rate over the same values; temperatures are part of a candidate, not tuned. Controls do what interrupted and
cascaded PIT do without its point: starting anew (`anew`), raising the rate again (`warm`), following the label
of another mixture (`shuffled`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search_spaces.separation import PRESETS, separation_space
from search_spaces.space import Candidate, Config, Group, Preset

PIT = Candidate(label="pit", config={"strategy": "scratch"}, baseline=True)
_SOFT = {"pit": "soft", "temperature": 1.0}
_PRETRAINED = {"strategy": "ptft", "pretrain_task": "se"}


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    """At the paper's scale also a falling temperature, two rules and one more control."""
    answers: dict[str, Config] = {"soft": _SOFT, "fixed": _labels("fixed"), "cascade": _labels("cascade")}
    controls = ["anew", "shuffled"]
    extra: dict[str, Config] = {}
    if preset.at_scale:
        falling = {**_SOFT, "temperature_end": 0.05, "temperature_share": 0.5}
        extra = {"soft_falling": falling, "energy": _labels("energy"), "voice": _labels("voice")}
        controls.append("warm")
    pretrained = {"ptft": {}, **{f"ptft_{label}": config for label, config in answers.items()}}
    return [
        PIT,
        *(Candidate(label=label, config={**PIT.config, **each}) for label, each in {**answers, **extra}.items()),
        *(Candidate(label=label, config={**_PRETRAINED, **each}) for label, each in pretrained.items()),
        *(Candidate(label=label, config={**PIT.config, **_labels(label)}, baseline=True) for label in controls),
    ]


def _labels(strategy: str) -> Config:
    return {"label_strategy": strategy}


def _with_pool(name: str, mixtures: int, **own: Any) -> Preset:
    """The preset of separation, on a pool of so many mixtures."""
    preset = PRESETS[name]
    return replace(preset, config={**preset.config, "pool_mixtures": mixtures}, **own)


# Phases are thirds of the budget; in the demo they end with a round.
_PRESETS: Mapping[str, Preset] = {
    "smoke": _with_pool("smoke", 4, steps=6),
    "demo": _with_pool("demo", 200, round_steps=40),
    "paper": _with_pool("paper", 20_000),  # as in Yang et al. (2020), on WSJ0-2mix
}

LABEL_ASSIGNMENT = separation_space(
    name="label_assignment",
    question="Which assignment of outputs to voices makes the better separator, also pre-trained?",
    candidates=_candidates,
    presets=_PRESETS,
    baseline=PIT.label,
)
