"""The questions about separation as plans: what is compared, and what is computed once."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search_spaces import find_space
from sweep.commands.run import build_parser
from sweep.plan.plan import Plan
from sweep.settings.new_plan import plan_from_arguments
from trainables.base.errors import UserError
from trainables.config.method_config import MethodConfig
from trainables.config.registry import config_class
from trainables.job.stages import in_order
from trainables.training.epochs import epochs_at

SPACES = ("separation_pretraining", "separation_finetuning", "separation_joint", "label_assignment")
SEEDS = (11, 12, 13)
PLACE: dict[str, Any] = {"corpus_uri": "/corpus", "corpus_fingerprint": "f"}


def configs(name: str, preset_name: str) -> dict[tuple[str, str], MethodConfig]:
    space = find_space(name)
    preset = space.presets[preset_name]
    found = {}
    for model in preset.groups:
        group, own = {"model": model}, preset.for_group(model)
        for candidate in space.candidates(group, own):
            values = {**own.config, **group, **space.anchor(group, candidate, own), **candidate.config}
            found[model, candidate.label] = config_class(space.method).from_dict(values)
    return found


@pytest.mark.parametrize("preset", ["smoke", "demo", "paper"])
@pytest.mark.parametrize("name", SPACES)
def test_every_candidate_is_possible_and_none_is_another(name: str, preset: str) -> None:
    found = configs(name, preset)
    assert len({str(config) for config in found.values()}) == len(found)
    assert {label for _, label in found} >= {find_space(name).baseline}


@pytest.mark.parametrize("preset_name", ["smoke", "demo", "paper"])
def test_all_labels_come_from_one_pool_in_one_budget(preset_name: str) -> None:
    """A candidate's own pool would be what is compared; phases that end within a round would blur its report."""
    preset = find_space("label_assignment").presets[preset_name]
    found = configs("label_assignment", preset_name)
    assert len({config.to_dict()["pool_mixtures"] for config in found.values()}) == 1
    for (model, _), config in found.items():
        own = preset.for_group(model)
        config.check_budget(own.steps, own.data)
        if preset_name != "paper":
            assert all(round(share * own.steps, 6) % own.round_steps == 0 for share in config.phase_switches())
    tuned = {key: value for key, value in preset.config.items() if key.startswith(("label", "temperature"))}
    assert not tuned


def pretrainings(name: str) -> set[str]:
    """Every distinct stage that all jobs of a demo rest on."""
    stages = [
        stage
        for config in configs(name, "demo").values()
        for seed in SEEDS
        for stage in in_order(config.stages(seed=seed, **PLACE))
    ]
    return {stage.key for stage in stages}


def test_pre_training_is_computed_once_per_task_and_seed() -> None:
    assert len(pretrainings("separation_pretraining")) == 3 * len(SEEDS) * 2  # in two stretches


def test_all_of_fine_tuning_rests_on_one_run_per_seed() -> None:
    assert len(pretrainings("separation_finetuning")) == len(SEEDS) * 2
    assert pretrainings("separation_finetuning") < pretrainings("separation_pretraining")


def test_the_learning_rate_is_searched_over_the_same_range_for_all() -> None:
    space = find_space("separation_pretraining")
    preset = space.presets["demo"]

    class Trial:
        def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
            asked.append((name, tuple(choices)))
            return choices[0]

    asked: list[tuple[str, tuple[Any, ...]]] = []
    trial: Any = Trial()  # all of Optuna's that the space may use
    for candidate in space.candidates({"model": "dprnn"}, preset):
        space.suggest(trial, {"model": "dprnn"}, candidate, preset)
        assert space.anchor({}, candidate, preset)["lr"] in asked[-1][1]
    assert len(set(asked)) == 1


def test_at_paper_scale_every_network_has_its_own_crop_batch_and_budget() -> None:
    """Table 3 and section 5.3 of the paper: 100, 200 and 100 epochs of Libri2Mix train-100."""
    preset = find_space("separation_pretraining").presets["paper"]
    own = {name: preset.for_group(name) for name in preset.groups}
    assert {name: (each.data.batch, each.data.crop_seconds) for name, each in own.items()} == {
        "convtasnet": (24, 3.0),
        "dprnn": (24, 2.0),
        "dptnet": (4, 4.0),
    }
    epochs = {
        name: epochs_at(each.steps, replace(each.data, speakers=2), 1.0, 13_900, True) for name, each in own.items()
    }
    assert epochs == {
        name: pytest.approx(wanted, rel=2e-3)
        for name, wanted in {"convtasnet": 100, "dprnn": 200, "dptnet": 100}.items()
    }
    found = configs("separation_pretraining", "paper")
    for model, each in own.items():
        config = found[model, "se"].to_dict()
        assert config["pretraining_batch"] == each.data.batch
        assert config["pretraining_crop_seconds"] == each.data.crop_seconds
        assert config["pretraining_steps"] * each.data.batch / 50_800 == pytest.approx(20, rel=2e-3)
        assert config["schedule"] == ("noam" if model == "dptnet" else "plateau")
        assert each.steps % each.round_steps == 0


def test_groups_keep_their_own_settings_in_the_plan_and_steps_are_the_same_for_all_if_given(tmp_path: Path) -> None:
    flags = ["--space", "separation_finetuning", "--preset", "paper", "--corpus", "demo"]
    for given, expected in (([], (58_000, 347_500)), (["--steps", "400"], (400, 400))):
        plan = plan_from_arguments(build_parser().parse_args([*flags, *given]), {}, tmp_path).plan
        assert Plan.from_json(plan.to_json()) == plan
        assert (plan.steps_of("convtasnet"), plan.steps_of("dptnet")) == expected
        (job, *_) = plan.search_jobs("dptnet")
        assignment = plan.assignment(
            job, plan.anchor(plan.group_plan("dptnet"), plan.candidate("dptnet", "scratch")), 1
        )
        assert (assignment.steps, assignment.data.batch, assignment.data.crop_seconds) == (expected[1], 4, 4.0)
        assert assignment.round_steps == -(-expected[1] // 100)
        assert assignment.config["schedule"] == "noam"
        half = plan.candidate("dptnet", "half").config["pretraining_steps"]
        assert half == 127_000


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--steps", "2"], "label_strategy='cascade' is not possible; allowed: with 2 steps only"),
        (
            ["--set", "pool_mixtures=3"],
            "pool_mixtures=3 is not possible; allowed: null, or at least a batch",
        ),
        (
            ["--set", "pool_mixtures=null"],
            "pool_mixtures=None is not possible; allowed: a number with label_strategy",
        ),
        (["--set", "temperature=0"], "temperature=0"),
        (["--set", "pit=soft"], "--set pit=...: that is what space label_assignment compares"),
        (
            ["--set", "label_strategy=fixed"],
            "label_strategy='fixed' is not possible; allowed: only pit",
        ),
    ],
)
def test_labels_that_cannot_be_are_refused_before_anything_starts(
    tmp_path: Path, flags: list[str], message: str
) -> None:
    given = build_parser().parse_args(["--space", "label_assignment", "--preset", "demo", "--corpus", "demo", *flags])
    with pytest.raises(UserError, match=re.escape(message)):
        plan_from_arguments(given, {}, tmp_path)
    assert not list(tmp_path.iterdir())
