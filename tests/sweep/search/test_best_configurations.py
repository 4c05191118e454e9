"""Where configurations are the answer, the finalists are the best of the whole pool of search trials."""

from pathlib import Path

import pytest

from sweep.commands.run import build_parser
from sweep.core.jobs import Job
from sweep.engine.group_queue import best_configuration, ranked_configuration
from sweep.plan.plan import Plan
from sweep.settings.new_plan import plan_from_arguments
from sweep.study.study import JobRecord, Proposal, Report, State
from trainables.base.errors import UserError


def record(number: int, score: float, k0: float, state: State = "complete", failed_clips: int = 0) -> JobRecord:
    job = Job("tera", "search", f"best{number % 3 + 1}", number)
    reports = (Report(8, score, {"failed_clips": failed_clips}, 0),)
    return JobRecord(job, state, 1, 0, Proposal({"k0": k0}), 0, reports, score)


def k0_of(found: Proposal | None) -> float:
    assert found is not None
    return found.nuisance["k0"]


def test_ranks_are_over_all_trials_whatever_candidate_they_searched_for() -> None:
    pool = [record(0, 1.0, 0.1), record(3, 3.0, 0.3), record(6, 2.0, 0.2)]  # all searched as best1
    assert [k0_of(ranked_configuration(pool, rank, "si_sdr")) for rank in range(3)] == [0.3, 0.2, 0.1]


def test_a_configuration_found_twice_takes_one_rank_and_pruned_trials_none() -> None:
    pool = [record(0, 3.0, 0.3), record(1, 2.9, 0.3), record(2, 9.0, 0.9, "pruned"), record(3, 1.0, 0.1)]
    assert [k0_of(ranked_configuration(pool, rank, "si_sdr")) for rank in range(2)] == [0.3, 0.1]
    assert ranked_configuration(pool, 2, "si_sdr") is None


def test_a_model_that_fell_silent_on_hard_clips_is_not_chosen_for_its_score_on_the_others() -> None:
    silent, honest = record(0, 9.0, 0.9, failed_clips=4), record(3, 2.0, 0.2)
    assert k0_of(ranked_configuration([silent, honest], 0, "si_sdr")) == 0.2
    assert k0_of(best_configuration([silent, honest], "best1", "si_sdr")) == 0.2
    assert k0_of(best_configuration([silent], "best1", "si_sdr")) == 0.9, "who has nothing better is still compared"


def plan(folder: Path, *flags: str) -> Plan:
    arguments = build_parser().parse_args(list(flags))
    return plan_from_arguments(arguments, {}, folder).plan


def test_the_joint_space_plans_three_ranks_and_the_baselines(tmp_path: Path) -> None:
    made = plan(tmp_path, "--space", "norm_joint", "--upstreams", "hubert")
    labels = [candidate.label for candidate in made.group_plan("hubert").candidates]
    assert labels == ["none", "random", "best1", "best2", "best3"]


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_a_preset_at_scale_wants_a_real_corpus(tmp_path: Path, preset: str) -> None:
    with pytest.raises(UserError, match=r"real corpus: prepare one .*voicebank-demand"):
        plan(tmp_path, "--space", "norm_layers", "--preset", preset)


def test_a_job_of_a_preset_at_scale_crops_as_its_upstream_does(tmp_path: Path) -> None:
    flags = ("--preset", "paper", "--corpus", "demo", "--upstreams", "tera,wavlm")
    made = plan(tmp_path, "--space", "norm_layers", *flags)
    assert made.data_of("tera").crop_seconds == 2.0
    assert made.data_of("wavlm").crop_seconds == 1.0
    kinds = {stage.name for stage in made.stages()}
    assert kinds == {"tera (base) checkpoint", "wavlm (base) checkpoint"}
