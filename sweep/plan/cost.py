"""What a plan costs before it runs: core-hours, wall time, disk, and the smallest detectable gain.

The figures, each method's own among them (`MethodInfo`), were measured on one shared 2.x GHz core with one thread;
other machines differ by a small factor, which is why everything here is printed with "about".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from sweep.plan.plan import GroupPlan, Plan
from trainables.config.method_config import MethodConfig
from trainables.job.stages import Stage
from trainables.shared_prefix import KIND as PREFIX

# The kinds of stage that may take long -> the field that counts their steps.
_COUNTED = {"pretraining": "pretraining_steps", "adaptation": "steps"}
_GATE_SECONDS = 8.0  # of any other stage
_SCORING_SHARE = 0.035  # core-seconds of all metrics per second of audio; slow ones are most of it
_INFERENCE_SHARE = 0.01  # core-seconds of a tiny model per second of audio
_JOB_OVERHEAD = 0.8  # seconds a job costs before and after its training, in a reused actor
_CHECKPOINTS_KEPT = 2  # of a job that is under way
_ESTIMATE_BYTES_PER_SECOND = 64_000  # float32 at 16 kHz

# Typical spreads of one score: (seed, candidate x unit, residual). PESQ's are of full-size models, SI-SDR's were
# measured in the demo, between the steady upstream and the unsteady one.
TYPICAL_SPREADS = {"wb_pesq": (0.03, 0.10, 0.10), "si_sdr": (0.12, 0.05, 0.16)}


@dataclass(frozen=True)
class Cost:
    """Core-seconds by purpose, disk space in bytes and the smallest detectable gain."""

    pretraining: float
    gates: float
    search: float
    final: float
    scoring: float
    disk_bytes: float
    kept_bytes: float  # of copies for later sweeps
    resolvable: float | None  # in the metric's unit; None where it is not known for this metric

    @property
    def core_seconds(self) -> float:
        return self.pretraining + self.gates + self.search + self.final + self.scoring


@dataclass(frozen=True)
class Known:
    """Numbers of jobs by group that earlier sweeps have trained, at least."""

    search: dict[str, int] = field(default_factory=dict)
    final: dict[str, int] = field(default_factory=dict)


def estimate(plan: Plan, missing: list[Stage], known: Known | None = None) -> Cost | None:
    """None where no step of this method, size and device was ever measured. `missing`: stages not in the cache.

    Jobs that are `known` cost nothing to train; what scoring them again may cost is counted.
    """
    known = known or Known()
    if plan.device != "cpu":
        return None
    search = final = 0.0
    # Training that search trials go on from; what it saves them is not counted.
    shared_steps = sum(int(stage.config["steps"]) for stage in missing if stage.kind == PREFIX)
    for group in plan.groups:
        step, job = _step_seconds(plan, group), job_seconds(plan, group)
        if step is None or job is None:
            return None
        search += shared_steps * step / len(plan.groups)
        search += job * (plan.samples * len(group.candidates) - known.search.get(group.name, 0))
        final += job * (len(plan.seeds) * len(group.candidates) - known.final.get(group.name, 0))
    owners = plan.stage_methods() if plan.mixed else {}
    jobs = sum(len(group.candidates) * len(plan.seeds) for group in plan.groups)
    test = scored_seconds(plan, "test")
    inferred = jobs * (scored_seconds(plan, "valid") + test)
    spared = 0.0 if plan.slow_clips is None else test - plan.slow_clips * plan.data.evaluation_clip_seconds
    return Cost(
        pretraining=sum(_pretraining_seconds(plan, stage, owners) for stage in missing if _pretrains(stage)),
        gates=sum(_GATE_SECONDS for stage in missing if not _pretrains(stage) and stage.kind != PREFIX),
        search=search,
        final=final,
        scoring=inferred * _INFERENCE_SHARE + (inferred - jobs * max(0.0, spared)) * _SCORING_SHARE,
        disk_bytes=disk_bytes(plan),
        kept_bytes=kept_bytes(plan),
        resolvable=resolvable_gain(plan),
    )


def job_seconds(plan: Plan, group: GroupPlan) -> float | None:
    """Of one core, for one job in full, mean over candidates; None where a step was never measured at this size."""
    step = _step_seconds(plan, group)
    if step is None:
        return None
    steps = plan.steps_of(group.name)
    rounds = -(-steps // plan.round_steps_of(group.name))
    return steps * step + rounds * plan.data.valid_seconds * _INFERENCE_SHARE + _JOB_OVERHEAD


def gpu_hours(plan: Plan, step_seconds: float) -> float:
    """GPU-hours to train all jobs in full, if a step takes `step_seconds` with the planned number of jobs per GPU."""
    steps = sum(plan.steps_of(job.group) for job in plan.all_jobs())
    return steps * step_seconds * plan.gpus_per_trial / 3600


def disk_bytes(plan: Plan) -> float:
    """Peak disk use in bytes, at most: every finalist's weights and clips; of each running job two checkpoints and the
    estimates of valid.

    At most a generation of each group runs at once.
    """
    under_way = min(plan.generation_size * len(plan.groups), sum(1 for _ in plan.all_jobs()))
    estimates = plan.data.valid_seconds * _ESTIMATE_BYTES_PER_SECOND
    return _of_finalists(plan) + under_way * (_CHECKPOINTS_KEPT * _checkpoint_bytes(plan) + estimates)


def kept_bytes(plan: Plan) -> float:
    """What the sweep adds at most to the jobs that are kept for later ones: a copy of what its finalists leave."""
    return _of_finalists(plan)


def _of_finalists(plan: Plan) -> float:
    from trainables.listening import CLIPS  # imports numpy and pyarrow

    heard = min(plan.data.test_seconds, CLIPS * plan.data.evaluation_clip_seconds) * _ESTIMATE_BYTES_PER_SECOND
    return sum(len(plan.final_jobs(group.name)) for group in plan.groups) * (_checkpoint_bytes(plan) + heard)


def _checkpoint_bytes(plan: Plan) -> float:
    return max(
        info.checkpoint_bytes[any(info.full_size(config) for config in _configs_of(plan, name))]
        for name, info in plan.methods().items()
    )


def resolvable_gain(plan: Plan) -> float | None:
    """The true difference, in the metric's unit, that the verdict would find with 80 % power at its typical spreads."""
    if plan.metric not in TYPICAL_SPREADS or len(plan.seeds) < 2:
        return None
    from sweep.verdict.planning.spreads import Spreads  # imports scipy

    clips = max(2, round(scored_seconds(plan, "test") / plan.data.evaluation_clip_seconds))
    candidates = max(len(group.candidates) for group in plan.groups)
    typical = Spreads.of_units(*TYPICAL_SPREADS[plan.metric])
    return typical.resolvable(len(plan.seeds), clips, speakers_on_test(plan), candidates, plan.alpha_per_look)


def speakers_on_test(plan: Plan) -> int:
    """Of the split that serves as test; 0 where that is not known."""
    return int(plan.corpus_summary.get("splits", {}).get(plan.data.source_split("test"), {}).get("speakers", 0))


def scored_seconds(plan: Plan, split: str) -> float:
    """Of audio on valid or test: what the preset asks for, or all that the split has."""
    wanted: float = {"valid": plan.data.valid_seconds, "test": plan.data.test_seconds}[split]
    there = speech_seconds(plan.corpus_summary.get("splits", {}).get(plan.data.source_split(split), {}))
    # Where SNRs are listed, every clip is scored at each of them: there may be more audio than speech.
    return wanted if there is None or plan.data.evaluation_snrs else min(wanted, there)


def speech_seconds(counts: dict[str, Any]) -> float | None:
    """Of one split in a corpus's summary; None where that is not known."""
    seconds = counts.get("seconds", counts.get("speech_seconds"))
    return None if seconds is None else float(seconds)


def _step_seconds(plan: Plan, group: GroupPlan) -> float | None:
    """Mean over the group's candidates; None where one's was never measured."""
    methods, seconds = plan.methods(), []
    for candidate in group.candidates:
        info, config = methods[plan.method_of(candidate)], plan.first_config(group, candidate)
        measured = None if info.full_size(config) else info.step_seconds(config)
        if measured is None:
            return None
        fixed, per_second = measured
        data = config.data_settings(plan.data_of(group.name))
        seconds.append(fixed + per_second * data.batch * data.crop_seconds)
    return fmean(seconds)


def _configs_of(plan: Plan, method: str) -> list[MethodConfig]:
    """The method's typical configuration in every group that has one."""
    found = (plan.typical_configs(group.name) for group in plan.groups)
    return [configs[method] for configs in found if method in configs]


def _pretrains(stage: Stage) -> bool:
    """Whether its cost goes by steps, of which weights that are read have none."""
    return stage.kind in _COUNTED or (stage.pretrains and _steps(stage) > 0)


def _pretraining_seconds(plan: Plan, stage: Stage, owners: Mapping[str, str]) -> float:
    """Of the steps beyond those of the pre-training it continues; none where weights are read from a file.

    `owners`: the method that a stage is for, by its key, where there are several.
    """
    before = [_steps(below) for below in stage.rests_on if below.kind == stage.kind]
    new = _steps(stage) - max(before, default=0)
    if not new:
        return 0.0
    methods = plan.methods()
    info = methods[owners.get(stage.key, next(iter(methods)))]
    return new * info.pretraining_step_seconds(stage.config)


def _steps(stage: Stage) -> int:
    return int(stage.config.get(_COUNTED.get(stage.kind, "pretraining_steps"), 0))
