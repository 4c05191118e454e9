"""A space whose candidates name methods of their own: each is configured, costed and trained by its own."""

import json
import zlib
from pathlib import Path

import pytest

from sweep.core.jobs import Job
from sweep.driver.answer import plan_hash
from sweep.plan.cost import estimate
from sweep.plan.plan import Plan
from sweep.settings.dry_run import cautions
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.base.errors import UserError

SPACE = """
from dataclasses import replace
from search_spaces.norm_layers import NORM_LAYERS
from search_spaces.space import Candidate

DEMO = NORM_LAYERS.presets["demo"]
PRESETS = {"demo": replace(DEMO, config={**DEMO.config, "w_tiem": 1.0})}
RATES = {None: "lr_head", "contrastive_se": "lr"}

def candidates(group, preset):
    return [
        Candidate(label="none", config={"norm_layers": []}, baseline=True),
        Candidate(label="normed", config={"norm_layers": [1]}),
        Candidate(label="byol", config={"target": "byol"}, method="contrastive_se"),
    ]

def anchor(group, candidate, preset):
    return {RATES[candidate.method]: 1e-3}

def suggest(trial, group, candidate, preset):
    name = RATES[candidate.method]
    return {name: trial.suggest_categorical(name, [1e-3, 2e-3])}

MINE = replace(
    NORM_LAYERS, name="systems", candidates=candidates, anchor=anchor, suggest=suggest, every_draw=None
)
"""


def typed(folder: Path, *flags: str, text: str = SPACE) -> Plan:
    name = f"mine{zlib.crc32(text.encode())}.py"  # a process reads a file of one name once
    (folder / name).write_text(text)
    return plan(folder, "--space", name, *flags).plan


def test_every_job_is_its_own_methods(tmp_path: Path) -> None:
    made = typed(tmp_path)
    group = made.groups[0].name
    assert list(made.methods()) == ["normalized_ssl", "contrastive_se"]
    assert made.baseline_method(group) == "normalized_ssl"
    jobs = {job.candidate: made.assignment(job, {}, 1) for job in made.search_jobs(group)[:3]}
    assert {label: each.method for label, each in jobs.items()} == {
        "none": "normalized_ssl",
        "normed": "normalized_ssl",
        "byol": "contrastive_se",
    }
    assert jobs["byol"].config["target"] == "byol"
    assert "upstream" not in jobs["byol"].config  # the group's field, which this method has not
    assert jobs["normed"].config["upstream"] == made.groups[0].group["upstream"]
    # Equal by construction: the audio that training sees, and what is drawn from the seed.
    first = jobs["none"]
    for each in jobs.values():
        assert (each.steps, each.data, each.seed, each.metric) == (first.steps, first.data, first.seed, first.metric)


def test_it_is_stored_and_read_as_it_was(tmp_path: Path) -> None:
    made = typed(tmp_path)
    stored = json.loads(json.dumps(made.to_json()))
    assert ["method" in each for each in stored["groups"][0]["candidates"]] == [False, False, True]
    again = Plan.from_json(stored)
    assert again == made
    assert plan_hash(again) == plan_hash(made)


def test_the_method_of_a_candidate_is_part_of_the_question(tmp_path: Path) -> None:
    made = typed(tmp_path)
    stored = made.to_json()
    stored["groups"][0]["candidates"][0]["method"] = "normalized_ssl"  # the space's own, said aloud
    assert plan_hash(Plan.from_json(stored)) != plan_hash(made)


def test_it_can_be_resumed_with_the_flags_it_was_started_with(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SPACE)
    flags = ("--space", "mine.py", "--set", "clip=2.0")
    freeze(plan(tmp_path, "--name", "first", *flags))
    assert resume(tmp_path, "first", *flags).plan.fixed == {"clip": 2.0}


def test_a_fixed_field_goes_to_every_method_that_has_it(tmp_path: Path) -> None:
    made = typed(tmp_path, "--set", "clip=2.0", "--set", "k_shape=cosine")
    configs = {
        label: made.assignment(Job(made.groups[0].name, "search", label, 0), {}, 1).config
        for label in ("normed", "byol")
    }
    assert {label: config["clip"] for label, config in configs.items()} == {"normed": 2.0, "byol": 2.0}
    assert configs["normed"]["k_shape"] == "cosine"
    noted = [caution for caution in cautions(made) if "contrastive_se" in caution]
    assert len(noted) == 1
    assert "k_shape" in noted[0]


def test_a_term_of_one_methods_paper_is_taken(tmp_path: Path) -> None:
    assert typed(tmp_path, "--set", "beta_m=0.99").fixed == {"horizon_m": 100.0}


@pytest.mark.parametrize(
    ("flags", "text", "words"),
    [
        (("--set", "k_shap=cosine"), SPACE, ["k_shap", "normalized_ssl", "contrastive_se"]),
        (("--set", "k_shape=square"), SPACE, ["k_shape", "square"]),
        (("--set", "w_l1=1"), SPACE, ["w_l1", "normalized_ssl", "contrastive_se"]),
        ((), SPACE.replace("every_draw=None", "presets=PRESETS"), ["w_tiem", "normalized_ssl", "contrastive_se"]),
        ((), SPACE.replace("contrastive_se", "contrastive"), ["contrastive", "normalized_ssl"]),
        ((), SPACE.replace('"target": "byol"', '"norm_layers": [1]'), ["contrastive_se", "norm_layers"]),
        (
            (),
            SPACE.replace('{"target": "byol"}, method="contrastive_se"', '{"sources": 2}, method="separation"').replace(
                '"contrastive_se": "lr"', '"separation": "lr"'
            ),
            ["speakers", "none", "byol"],
        ),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, flags: tuple[str, ...], text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as refusal:
        typed(tmp_path, *flags, text=text)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_its_cost_is_the_mean_of_its_candidates(tmp_path: Path) -> None:
    def search(text: str) -> float:
        made = typed(tmp_path, text=text)
        cost = estimate(made, [])
        assert cost is not None
        return cost.search / len(made.search_jobs(made.groups[0].name))

    alone = SPACE.replace('{"target": "byol"}, method="contrastive_se"', '{"norm_layers": [2]}')
    others = SPACE.replace('config={"norm_layers": []}', 'config={"target": "none"}, method="contrastive_se"').replace(
        'config={"norm_layers": [1]}', 'config={"target": "simsiam"}, method="contrastive_se"'
    )
    assert search(SPACE) == pytest.approx((2 * search(alone) + search(others)) / 3, rel=1e-6)


def test_each_candidate_costs_what_its_own_configuration_does(tmp_path: Path) -> None:
    """Networks of one method differ in the time of a step."""

    def search(*labels: str) -> float:
        kept = f"[each for each in SYSTEMS.candidates(group, preset) if each.label in {labels}]"
        text = f"""
from dataclasses import replace
from search_spaces.systems import SYSTEMS
MINE = replace(SYSTEMS, name="mine", candidates=lambda group, preset: {kept})
"""
        made = typed(tmp_path, "--preset", "demo", text=text)
        cost = estimate(made, [])
        assert cost is not None
        return cost.search / len(made.search_jobs("all"))

    none = search("none", "normed")
    demucs, conv_tasnet = (2 * search("none", label) - none for label in ("demucs", "conv_tasnet"))
    assert demucs != pytest.approx(conv_tasnet, rel=0.1)
    assert search("none", "demucs", "conv_tasnet") == pytest.approx((none + demucs + conv_tasnet) / 3, rel=1e-6)


def test_the_cautions_of_every_candidate_are_given(tmp_path: Path) -> None:
    """SE-Conformer is not the first of its method."""
    made = plan(tmp_path, "--space", "systems", "--preset", "paper", "--corpus", "demo").plan
    assert [each for each in cautions(made) if "faithful=partial" in each]
    assert not [each for each in cautions(plan(tmp_path, "--space", "systems").plan) if "faithful=partial" in each]


def test_pre_training_is_paid_at_the_rate_of_the_method_it_is_for(tmp_path: Path) -> None:
    made = typed(tmp_path)
    owners = made.stage_methods()
    assert set(owners.values()) == {"normalized_ssl"}
    assert set(owners) == {stage.key for stage in made.stages()}
    cost = estimate(made, made.stages())
    assert cost is not None
    assert cost.pretraining > 0
