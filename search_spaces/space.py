"""What a space is: the candidates a verdict compares, and the nuisance values tuned within each.

Pure functions of an Optuna trial; nothing here imports torch, and spaces never leave the driver.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import EVERYDAY

if TYPE_CHECKING:
    import optuna

Group = Mapping[str, str]  # {"upstream": "tera"}, or {} where a space has a single question
Config = dict[str, Any]

# The answer of a space: one of its candidates, or the best configurations that its search found.
BEST_CANDIDATE, BEST_CONFIGURATION = "best candidate", "best configuration"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One possible answer of the verdict: a label and the part of its method's configuration that it fixes."""

    label: str
    config: Config
    baseline: bool = False  # "none", "random" and the like: compared, but no answer to the question
    method: str | None = None  # None = the space's own; of what a preset sets, it takes the fields it has
    apart: bool = False  # of another nature than the rest (an untrained body): its variance is not pooled with theirs


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How much work a sweep does, from a smoke test to the paper's scale."""

    name: str
    summary: str
    groups: tuple[str, ...]  # default values of the space's `group_by`
    samples: int  # search trials per candidate
    seeds: int  # finalist seeds per candidate
    steps: int
    round_steps: int
    metric: str  # the metric that decides
    data: DataSettings
    config: Config = field(default_factory=dict)  # method fields this preset fixes
    exempt: int = 3  # search trials per candidate that early stopping never touches
    slow_clips: int | None = None  # of test, for slow metrics that do not decide; None = all
    gates: bool = True  # measure whether the question means anything at this size
    # Group -> what is different there: steps, round_steps, batch, crop_seconds, and method fields as "config".
    by_group: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    at_scale: bool = False  # needs a real corpus, and a GPU to end in reasonable time
    meaningful: bool = True  # False: marked "not meaningful" wherever its scores are shown

    def for_group(self, name: str) -> "Preset":
        """The preset as it is in one group."""
        own = self.by_group.get(name, {})
        if not own:
            return self
        data = {key: own[key] for key in ("batch", "crop_seconds") if key in own}
        return replace(
            self,
            steps=own.get("steps", self.steps),
            round_steps=own.get("round_steps", self.round_steps),
            data=replace(self.data, **data),
            config={**self.config, **own.get("config", {})},
            by_group={},
        )


@dataclass(frozen=True, kw_only=True)
class Space:
    """A scientific question.

    `candidates(group, preset)` is finite and enumerated, baselines included. `suggest(trial, group,
    candidate, preset)` draws the nuisance values over the same ranges for every candidate.
    `anchor(group, candidate, preset)` gives the values of each candidate's first search trial.
    """

    name: str
    question: str
    method: str
    group_by: str | None
    groups: tuple[str, ...]  # every allowed value of `group_by`
    candidates: Callable[[Group, Preset], Sequence[Candidate]]
    suggest: Callable[["optuna.Trial", Group, Candidate, Preset], Config]
    anchor: Callable[[Group, Candidate, Preset], Config]
    presets: Mapping[str, Preset]
    # From an anchor to the parameters that `suggest` asks a trial for, where they are not the anchor's own fields.
    parameters: Callable[[Config], Config] = dict
    answer: str = BEST_CANDIDATE
    baseline: str = "none"  # the candidate that `gain` is measured against
    scored: tuple[str, ...] = EVERYDAY  # every metric of the result rows
    # All nuisance values a search trial can draw, where they are few: trials then share the training in common.
    every_draw: Callable[[Group, Candidate, Preset], Sequence[Config]] | None = None
    published: str | None = None  # the paper whose tables are shown with the results

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method of a candidate in any preset and group; the space's own first, as the baselines have it."""
        named = [self.method]
        for preset in self.presets.values():
            for name in preset.groups if self.group_by else ("",):
                group = {self.group_by: name} if self.group_by else {}
                named += [each.method or self.method for each in self.candidates(group, preset.for_group(name))]
        return tuple(dict.fromkeys(named))
