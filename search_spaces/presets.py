"""What the presets and spaces of all methods share: the smoke test, the demo, and tuning by the learning rate alone."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.space import Candidate, Config, Group, Preset

if TYPE_CHECKING:
    import optuna


def smoke(**own: Any) -> Preset:
    """Every part of a sweep once, as small as it gets; `own` are the method's fields of the preset."""
    return Preset(
        name="smoke",
        summary="runs every part once, in one or two minutes; its scores mean nothing",
        samples=1,
        seeds=2,
        round_steps=2,
        meaningful=False,
        **own,
    )


def demo(**own: Any) -> Preset:
    """A small experiment that a CPU can do."""
    return Preset(name="demo", summary="a small but fair experiment on a CPU", samples=2, seeds=3, **own)


def by_name(*presets: Preset) -> dict[str, Preset]:
    """The `presets` of a space."""
    return {preset.name: preset for preset in presets}


def tune_rate(rates: Callable[[Preset], Sequence[float]]) -> dict[str, Any]:
    """`suggest` and `anchor` of a space that tunes the learning rate `lr` alone, every candidate over the same values.

    The anchor is the second of them.
    """

    def suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
        return {"lr": trial.suggest_categorical("lr", rates(preset))}

    def anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
        return {"lr": rates(preset)[1]}

    return {"suggest": suggest, "anchor": anchor}
