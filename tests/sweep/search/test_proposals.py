"""Proposals depend on the plan and on the candidate's earlier trials, and on nothing else."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage

from benchmarks.simulation.known_world import WORLD, world_plan, world_score
from benchmarks.simulation.simulated import Simulation, simulated_plan, simulated_score
from search_spaces import SPACES, Preset, Space
from sweep.core.jobs import Job
from sweep.plan.plan import GroupPlan, Plan
from sweep.search.proposals import _STARTUP_APART, GroupSearch, generation_of, trial_of
from sweep.study.study import JobRecord, Proposal, Report, StudyStore
from trainables.base.errors import UserError
from trainables.base.randomness import derive_seed


@pytest.fixture
def plan() -> Plan:
    return simulated_plan(groups=("tera",))


def _asked(plan: Plan, count: int) -> list[JobRecord]:
    """The first `count` search trials, each ended with a score before the next is asked."""
    (group,) = plan.groups
    search = GroupSearch(plan, group.name)
    records: list[JobRecord] = []
    for job in plan.search_jobs(group.name)[:count]:
        proposal = search.propose(job, records)
        records.append(_ended(job, plan, proposal, score=-abs(proposal.nuisance["lr_body_ratio"] - 0.5)))
    return records


def _ended(job: Job, plan: Plan, proposal: Proposal, score: float) -> JobRecord:
    report = Report(plan.steps, score, {}, 0)
    return JobRecord(job, "complete", 1, generation_of(job, plan), proposal, 0, reports=(report,), score=score)


@pytest.mark.parametrize("apart", [True, False])
def test_a_trial_with_failed_clips_is_ignored_like_one_that_failed(apart: bool) -> None:
    """Its score ignores the clips on which it was silent, so it looks better than it is."""
    plan = world_plan(1, samples=_STARTUP_APART + 6, tunes_apart=apart)
    asked = 5 * (_STARTUP_APART + 5)
    records, job = _asked(plan, asked), plan.search_jobs("weak")[asked + 2]
    silent = next(record for record in records[5:] if record.job.candidate == job.candidate)

    def proposed(instead: JobRecord) -> Proposal:
        return GroupSearch(plan, "weak").propose(job, [instead if r is silent else r for r in records])

    good = replace(silent, reports=(replace(silent.reports[0], score=9.0),), score=9.0)
    as_silent = replace(good, reports=(replace(good.reports[0], metrics={"failed_clips": 3}),))
    as_failed = replace(silent, state="failed", reports=(), score=None)
    assert proposed(as_silent) == proposed(as_failed) != proposed(good)


def test_every_candidates_first_trial_takes_the_anchor(plan: Plan) -> None:
    space, preset = plan.space_object(), plan.preset_object("tera")
    for record in _asked(plan, 5):
        candidate = plan.candidate("tera", record.job.candidate)
        assert record.nuisance == space.anchor({"upstream": "tera"}, candidate, preset)


@pytest.mark.parametrize(
    ("space", "preset"),
    [
        pytest.param(space, preset, id=f"{space.name}-{preset.name}")
        for space in SPACES.values()
        for preset in space.presets.values()
    ],
)
def test_every_space_can_draw_its_anchors_and_what_follows(space: Space, preset: Preset) -> None:
    """The first two trials of each candidate, for every group: the anchor, and values that are drawn."""
    for group in space.groups or ("all",):
        named = {space.group_by: group} if space.group_by else {}
        candidates = tuple(space.candidates(named, preset))
        plan = replace(
            simulated_plan(),
            space=space.name,
            preset=preset.name,
            steps=preset.steps,
            method_config=dict(preset.config),
            groups=(GroupPlan(name=group, group=named, candidates=candidates),),
        )
        search, records = GroupSearch(plan, group), list[JobRecord]()
        for job in plan.search_jobs(group)[: 2 * len(candidates)]:
            proposal = search.propose(job, records)
            records.append(_ended(job, plan, proposal, score=0.0))
            plan.config(group, job.candidate, proposal.nuisance)  # raises where it cannot be trained
            if job.number < len(candidates):
                assert proposal.nuisance == space.anchor(named, plan.candidate(group, job.candidate), preset)


def test_proposals_carry_the_candidate_and_their_distributions_for_the_sampler(plan: Plan) -> None:
    for record in _asked(plan, 10):
        proposal = record.proposal
        assert proposal.params == {"candidate": record.job.candidate, **record.nuisance}
        assert set(proposal.distributions) == set(proposal.params)


def test_asking_again_from_the_same_records_gives_the_same_values(plan: Plan) -> None:
    records = _asked(plan, 14)
    job = plan.search_jobs("tera")[14]
    assert GroupSearch(plan, "tera").propose(job, records) == GroupSearch(plan, "tera").propose(job, records)


def test_the_trials_of_other_candidates_are_not_in_a_trials_view(plan: Plan) -> None:
    plan = replace(plan, samples=12)
    records = _asked(plan, 50)
    job = plan.search_jobs("tera")[52]
    others = [r if r.job.candidate == job.candidate else replace(r, score=100.0, state="failed") for r in records]
    assert GroupSearch(plan, "tera").propose(job, others) == GroupSearch(plan, "tera").propose(job, records)


@pytest.mark.parametrize("left", [["none", "layer3"], ["layer3", "random"], ["layer3"]])
def test_a_candidate_is_tuned_alike_whatever_it_is_compared_with(left: list[str]) -> None:
    """Also where TPE draws from what its earlier trials have scored."""
    plan = world_plan(1, samples=_STARTUP_APART + 4)
    (whole,) = plan.groups
    by_label = {candidate.label: candidate for candidate in whole.candidates}
    fewer = replace(plan, groups=(replace(whole, candidates=tuple(by_label[label] for label in left)),))
    assert _tuned(fewer, "layer3") == _tuned(plan, "layer3")


def _tuned(plan: Plan, candidate: str) -> list[tuple[dict[str, Any], dict[int, float], str]]:
    """Its configurations, scores and ends, in order."""
    store = StudyStore(InMemoryStorage(), plan.name)
    Simulation(plan, store, workers=3, score=world_score).run()
    (group,) = plan.groups
    records = sorted(store.records(group.name, "search", candidate), key=lambda record: record.job.number)
    return [(record.nuisance, record.scores, record.state) for record in records]


def test_candidates_that_are_tuned_by_the_same_values_draw_the_same_ones(plan: Plan) -> None:
    """As long as these are drawn at random: luck in what is tried then decides nothing between candidates."""
    plan = world_plan(1, samples=3)
    drawn: dict[str, list[Any]] = {}
    search, records = GroupSearch(plan, "weak"), list[JobRecord]()
    for job in plan.search_jobs("weak"):
        proposal = search.propose(job, records)
        records.append(_ended(job, plan, proposal, score=float(job.number)))
        drawn.setdefault(job.candidate, []).append([proposal.nuisance[name] for name in ("lr_head", "lr_body_ratio")])
    first, *others = drawn.values()
    assert all(other == first for other in others)
    assert first[1] != first[2]


@pytest.mark.parametrize(
    ("plan", "score", "digest"),
    [
        (
            simulated_plan(groups=("tera",), samples=6, tunes_apart=False),
            simulated_score,
            "6e287eedf94ecf98f97e932dbff33821a76045ee35e1e75632e65b5f71eb6860",
        ),
        (
            world_plan(2, samples=6, tunes_apart=False),
            world_score,
            "c5c6bfd8deb2c8093d10cc33972de13fa3d9d03fcdd3085243b8a42e9f5ccadc",
        ),
    ],
    ids=["grid", "continuous"],
)
def test_a_plan_of_an_earlier_version_searches_as_it_began(
    plan: Plan, score: Callable[[dict[str, Any], int], float], digest: str
) -> None:
    """Generations, values, stops and scores of every trial, as that version had them."""
    store = StudyStore(InMemoryStorage(), plan.name)
    Simulation(plan, store, score=score).run()
    found = [
        (record.job.path, record.state, record.generation, record.nuisance, record.scores)
        for group in plan.groups
        for record in sorted(store.records(group.name, "search"), key=lambda record: record.job.number)
    ]
    assert hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest() == digest


def test_in_one_search_for_the_group_a_trials_own_generation_is_not_in_its_view(plan: Plan) -> None:
    plan = replace(plan, tunes_apart=False)
    records = _asked(plan, 13)
    job = plan.search_jobs("tera")[13]
    others = [replace(record, score=100.0, state="failed") if record.generation == 2 else record for record in records]
    assert GroupSearch(plan, "tera").propose(job, others) == GroupSearch(plan, "tera").propose(job, records)


def test_no_candidate_tries_the_same_values_twice_while_its_grid_has_others() -> None:
    plan = simulated_plan(groups=("tera",), samples=9)  # "none" has a grid of 3 x 3
    tried = [str(r.nuisance) for r in _asked(plan, 45) if r.job.candidate == "none"]
    assert len(set(tried)) == 9


def test_a_candidate_whose_grid_is_used_up_goes_round_it_again(plan: Plan) -> None:
    plan = simulated_plan(groups=("tera",), samples=14)
    tried = [str(r.nuisance) for r in _asked(plan, 70) if r.job.candidate == "none"]
    assert len(tried) == 14
    assert tried[9:] == tried[:5]


def test_a_long_search_proposes_what_one_that_takes_over_would(plan: Plan) -> None:
    """Both have forgotten the same trials."""
    plan = world_plan(1, samples=80, tunes_apart=False)
    search, records = GroupSearch(plan, "weak"), list[JobRecord]()
    for job in plan.search_jobs("weak")[:310]:
        proposal = search.propose(job, records)
        records.append(_ended(job, plan, proposal, score=-abs(proposal.nuisance["lr_body_ratio"] - 0.5)))
    job = plan.search_jobs("weak")[310]
    assert GroupSearch(plan, "weak").propose(job, records) == search.propose(job, records)


def test_values_fixed_by_the_user_are_not_searched(plan: Plan) -> None:
    for record in _asked(replace(plan, fixed={"lr_head": 5e-4}), 10):
        assert "lr_head" not in record.nuisance


@pytest.mark.parametrize("apart", [True, False])
def test_a_proposal_is_what_optunas_tpe_asks_for_after_the_earlier_generations(apart: bool) -> None:
    """In a world of continuous parameters, one of which only some candidates have."""
    plan = world_plan(1, samples=14, tunes_apart=apart)
    search, records = GroupSearch(plan, "weak"), list[JobRecord]()
    for job in plan.search_jobs("weak"):
        proposal = search.propose(job, records)
        generation = generation_of(job, plan)
        if generation > (_STARTUP_APART if apart else 2):  # more trials than TPE draws at random
            seed = derive_seed(plan.sweep_seed, "weak", generation if apart else job.number, 0) % 2**32
            assert proposal.params == _asked_of_tpe(plan, job, records, seed)
        ended = _ended(job, plan, proposal, score=-abs(proposal.nuisance["lr_body_ratio"] - 0.5))
        records.append(replace(ended, state="pruned") if job.number % 3 == 0 else ended)


def _asked_of_tpe(plan: Plan, job: Job, records: list[JobRecord], seed: int) -> dict[str, Any]:
    generation = generation_of(job, plan)
    startup = _STARTUP_APART if plan.tunes_apart else 10
    sampler = TPESampler(n_startup_trials=startup, multivariate=False, constant_liar=False, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    mine = [record for record in records if record.job.candidate == job.candidate or not plan.tunes_apart]
    study.add_trials([trial_of(record) for record in mine if record.generation < generation])
    study.enqueue_trial({"candidate": job.candidate})
    trial, group = study.ask(), plan.groups[0]
    trial.suggest_categorical("candidate", [candidate.label for candidate in group.candidates])
    WORLD.suggest(trial, group.group, plan.candidate("weak", job.candidate), plan.preset_object("tera"))
    return trial.params


def test_another_sweep_seed_searches_elsewhere(plan: Plan) -> None:
    values = [[r.nuisance for r in _asked(replace(plan, sweep_seed=seed), 15)] for seed in (0, 1)]
    assert values[0] != values[1]


def test_an_anchor_that_the_space_cannot_draw_is_an_error_of_the_space(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = replace(plan.space_object(), anchor=lambda group, candidate, preset: {"lr_head": 77.0})
    monkeypatch.setattr("sweep.plan.plan.find_space", lambda name: space)
    with pytest.raises(UserError, match=r"space norm_layers: the anchor .*77\.0.*correct the space"):
        GroupSearch(plan, "tera").propose(plan.search_jobs("tera")[0], [])


def test_the_search_finds_what_the_simulation_hides() -> None:
    """Known optimum: ratio 0.5 and head rate 2e-3, to which 4e-3 is the nearest draw.

    With nine trials a baseline's grid of 3 x 3 is tried whole.
    """
    plan = simulated_plan(groups=("tera",), samples=9, exempt=9)
    store = StudyStore(InMemoryStorage(), plan.name)
    Simulation(plan, store).run()
    for record in store.records("tera", "final"):
        if plan.candidate("tera", record.job.candidate).baseline:
            assert record.nuisance == {"lr_body_ratio": 0.5, "lr_head": 4e-3}
        else:
            assert _distance(record.nuisance) < _distance(_anchor(plan, record.job))


def _distance(nuisance: dict[str, float]) -> float:
    """What the simulated score loses to its optimum."""
    return abs(nuisance["lr_body_ratio"] - 0.5) + 100 * abs(nuisance["lr_head"] - 2e-3)


def _anchor(plan: Plan, job: Job) -> dict[str, float]:
    candidate = plan.candidate(job.group, job.candidate)
    return plan.space_object().anchor({"upstream": job.group}, candidate, plan.preset_object("tera"))
