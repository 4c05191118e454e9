"""What a sweep will do, before it does it: groups, candidates, jobs, seeds, stages; frozen in plan.json.

A plan is plain data without torch, so `--dry-run` is quick and `--resume` can compare two plans field by
field. It is the only source of a job's configuration and of its `Assignment`.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from search_spaces import find_space
from search_spaces.space import Candidate, Preset, Space
from sweep.core.addresses import hide_password
from sweep.core.jobs import PHASES, Job, Phase
from trainables.base.randomness import derive_seed
from trainables.config.fields import rules_of
from trainables.config.method_config import MethodConfig
from trainables.config.method_info import MethodInfo
from trainables.config.registry import METHODS, config_class, gates_of
from trainables.job.assignment import Assignment, DataSettings
from trainables.job.stages import Stage, in_order, on_pretraining_corpus
from trainables.metrics.catalogue import METRICS
from trainables.shared_prefix import prefix_stage

FIRST_SEEDS = 3  # after which --resolve sets the number of seeds; the floor of any verdict


@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """One question: a study of its own, with every candidate the verdict will compare."""

    name: str  # "tera"; "all" where the space has a single question
    group: dict[str, str]  # {"upstream": "tera"}
    candidates: tuple[Candidate, ...]

    @property
    def apart(self) -> tuple[str, ...]:
        """The candidates whose variance is not pooled with the others'."""
        return tuple(candidate.label for candidate in self.candidates if candidate.apart)

    @property
    def pooled(self) -> int:
        """How many candidates share one variance: those that are not apart, or all where fewer than two are left."""
        alike = len(self.candidates) - len(self.apart)
        return alike if alike > 1 else len(self.candidates)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A resolved sweep. Seeds never derive from its name or identity, so two sweeps with the same plan agree."""

    name: str
    identity: str = ""  # random, made once; tells sweeps of one name apart. Sweeps of earlier versions have none
    space: str
    space_file: str = ""  # of a user's own space: its file, which must not change
    space_fingerprint: str = ""
    preset: str
    version: str  # of speech-sweep
    code: str  # fingerprint of the training code; a resumed sweep refuses another one
    libraries: dict[str, str] = field(default_factory=dict)  # versions behind the bits; {} once a start had others
    metric: str
    also: tuple[str, ...] = ()  # metrics of --also: more columns, after the space's own
    slow_clips: int | None = None  # of test, on which slow metrics are computed: PESQ, STOI, composites; None = all
    models: dict[str, str] = field(default_factory=dict)  # metric that needs a model -> hub id, path or s3://
    groups: tuple[GroupPlan, ...]
    samples: int  # search trials per candidate
    seeds: tuple[int, ...]  # of the finalists, the same for all candidates
    looks: tuple[int, ...] = ()  # numbers of seeds after which only candidates still in contention get more
    stops_ties: bool = False  # whether a look ends a group that can only end as a tie; plans of before it have False
    # Of --resolve and --within: what was asked ("resolve" or "within"), the "seeds" expected, their "spreads" by group
    # and where these are from ("source"). Under "resolve", `seeds` are the most that may be trained.
    design: dict[str, Any] = field(default_factory=dict)
    sweep_seed: int
    search_seed: int  # all search trials train with this one
    tunes_apart: bool = False  # each candidate's search rests on its own trials; in plans of earlier versions, on all
    generation_size: int  # where it rests on all: search trials of a group that are drawn from the same view
    exempt: int  # search trials per candidate that early stopping never touches
    steps: int
    round_steps: int
    data: DataSettings
    method_config: dict[str, Any]  # the method's fields that the preset sets
    by_group: dict[str, dict[str, Any]] = field(default_factory=dict)  # what differs by group, as in `Preset.by_group`
    fixed: dict[str, Any] = field(default_factory=dict)  # fields fixed with --set: never searched
    # Stage that reads published weights, or metric that needs a model -> hash or identity.
    weights: dict[str, str] = field(default_factory=dict)
    corpus_source: str  # as the user named it
    corpus_uri: str  # the prepared corpus
    corpus_fingerprint: str
    corpus_summary: dict[str, Any]
    pretraining_corpus_source: str = ""  # "" = the corpus itself; likewise below
    pretraining_corpus_uri: str = ""
    pretraining_corpus_fingerprint: str = ""
    pretraining_corpus_summary: dict[str, Any] = field(default_factory=dict)
    output: str  # <...>/sweeps/<name> or s3://bucket/prefix/<name>
    home: str  # a local folder of the driver's own: lock, spool, SQLite files; = output where that is local
    tracking_uri: str
    study_uri: str
    gates: bool = True
    meaningful: bool = True
    threads: int = 1
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    margin: float = 0.1  # equivalence margin in the metric's unit
    alpha: float = 0.05
    asynchronous: bool = False  # ask and stop by whatever has ended: faster on many workers, not reproducible
    max_hours: float | None = None  # of driving, over all starts; then the sweep stops and can be resumed
    extensions: tuple[dict[str, Any], ...] = ()  # what later starts added: {"time", "samples": [2, 4], ...}

    # -- the space, looked up by name ---------------------------------------------------------------

    def space_object(self) -> Space:
        return find_space(self.space_file or self.space)

    def preset_object(self, group: str) -> Preset:
        """The preset with this plan's own budget, as the space's functions see it in that group; "" is no group."""
        preset = self.space_object().presets[self.preset]
        whole = replace(
            preset,
            samples=self.samples,
            seeds=len(self.seeds),
            steps=self.steps,
            round_steps=self.round_steps,
            metric=self.metric,
            data=self.data,
            config=self.method_config,
            by_group=self.by_group,
        )
        return whole.for_group(group)

    def group_plan(self, name: str) -> GroupPlan:
        return next(group for group in self.groups if group.name == name)

    def candidate(self, group: str, label: str) -> Candidate:
        return next(c for c in self.group_plan(group).candidates if c.label == label)

    @property
    def key(self) -> str:
        """What this sweep is found by where others may have its name."""
        return self.identity or self.name

    @property
    def scored(self) -> tuple[str, ...]:
        """Every metric of the rows on test."""
        return (*self.space_object().scored, *self.also)

    def held(self, metric: str) -> str:
        """The metric itself, or the one that stands in for it here, where the test set has no transcripts."""
        other = METRICS[metric].untranscribed
        return other if metric not in self.scored and other in self.scored else metric

    # -- looks ---------------------------------------------------------------------------------------

    @property
    def look_ends(self) -> tuple[int, ...]:
        """The numbers of seeds at which candidates are compared; without `looks` only the last."""
        return self.looks or (len(self.seeds),)

    @property
    def alpha_per_look(self) -> float:
        """Each look's share, the verdict's on test included (Bonferroni)."""
        return self.alpha / len(self.look_ends)

    @property
    def resolve(self) -> float | None:
        """The difference to detect, in the metric's unit, for which the number of seeds is set after the first ones."""
        return self.design.get("resolve")

    @property
    def first_seeds(self) -> int:
        """The number of seeds that every candidate gets before it is decided who gets how many more."""
        return min(FIRST_SEEDS if self.resolve else self.look_ends[0], len(self.seeds))

    @property
    def decisions(self) -> tuple[int, ...]:
        """The numbers of seeds after which it is decided who gets more."""
        ends = (self.first_seeds,) if self.resolve else self.look_ends
        return tuple(end for end in ends if end < len(self.seeds))

    def at_first_look(self) -> "Plan":
        """The smallest this plan can turn out: no candidate gets more seeds than the first look needs."""
        return replace(self, seeds=self.seeds[: self.first_seeds], looks=(), design={})

    # -- jobs ----------------------------------------------------------------------------------------

    def search_jobs(self, group: str) -> list[Job]:
        """Search trial n of a group tries candidate n mod K, so every candidate gets the same number."""
        candidates = self.group_plan(group).candidates
        return [
            Job(group, "search", candidates[n % len(candidates)].label, n)
            for n in range(self.samples * len(candidates))
        ]

    def own_number(self, job: Job) -> int:
        """Which of its candidate's search trials it is, from 0."""
        return job.number // len(self.group_plan(job.group).candidates)

    def final_jobs(self, group: str) -> list[Job]:
        """Every candidate with every seed it may be given; seed-major, so that pairs are complete early."""
        return [
            Job(group, "final", candidate.label, seed)
            for seed in self.seeds
            for candidate in self.group_plan(group).candidates
        ]

    @property
    def phases(self) -> list[tuple[str, Phase]]:
        """Every (group, phase), each of which has a study of its own."""
        return [(group.name, phase) for group in self.groups for phase in PHASES]

    def all_jobs(self) -> Iterator[Job]:
        for group in self.groups:
            yield from self.search_jobs(group.name)
            yield from self.final_jobs(group.name)

    def job_seed(self, job: Job) -> int:
        return self.search_seed if job.phase == "search" else job.number

    def method_of(self, candidate: Candidate) -> str:
        """The name of the method that trains it."""
        return candidate.method or self.space_object().method

    def methods(self) -> dict[str, MethodInfo]:
        """Every method of a candidate, by name, in the order of the candidates."""
        own = self.space_object().method
        names = (candidate.method or own for group in self.groups for candidate in group.candidates)
        return {name: METHODS[name] for name in dict.fromkeys(names)}

    @property
    def mixed(self) -> bool:
        """Whether candidates name methods of their own; each then takes what is set for all where it has the field."""
        return any(candidate.method for group in self.groups for candidate in group.candidates)

    def baseline_method(self, group: str) -> str:
        """The name of the baseline's method in that group, whose gates are asked."""
        return self.method_of(self.candidate(group, self.space_object().baseline))

    def config(self, group: str, candidate: str, nuisance: dict[str, Any]) -> dict[str, Any]:
        """The method's complete, validated configuration of a candidate with its nuisance values."""
        return self.parsed(group, candidate, nuisance).to_dict()

    def anchor(self, group: GroupPlan, candidate: Candidate) -> dict[str, Any]:
        """The nuisance values of the candidate's first search trial."""
        return self.space_object().anchor(group.group, candidate, self.preset_object(group.name))

    def typical_config(self, group: str) -> MethodConfig:
        """The first candidate's, as its first search trial has it: how examples are drawn is the same for all."""
        return self.first_config(self.group_plan(group), self.group_plan(group).candidates[0])

    def typical_configs(self, group: str) -> dict[str, MethodConfig]:
        """That of each method's first candidate, by method: what costs and requirements are taken from."""
        asked, found = self.group_plan(group), dict[str, MethodConfig]()
        for candidate in asked.candidates:
            if (method := self.method_of(candidate)) not in found:
                found[method] = self.first_config(asked, candidate)
        return found

    def first_config(self, group: GroupPlan, candidate: Candidate) -> MethodConfig:
        """The candidate's, as its first search trial has it."""
        return self.parsed(group.name, candidate.label, self.anchor(group, candidate))

    def shared_config(self, group: str) -> dict[str, Any]:
        """The fields that are set for all of the group's candidates, apart from those of --set."""
        own = self.by_group.get(group, {}).get("config", {})
        return {**self.method_config, **own, **self.group_plan(group).group}

    def parsed(self, group: str, candidate: str, nuisance: dict[str, Any]) -> MethodConfig:
        """`config`, as the method's own type."""
        chosen = self.candidate(group, candidate)
        kind = config_class(self.method_of(chosen))
        shared, fixed = self.shared_config(group), self.fixed
        if self.mixed:
            known = rules_of(kind)
            shared, fixed = ({n: v for n, v in given.items() if n in known} for given in (shared, fixed))
        return kind.from_dict({**shared, **nuisance, **fixed, **chosen.config})

    def assignment(self, job: Job, nuisance: dict[str, Any], attempt: int) -> Assignment:
        parsed = self.parsed(job.group, job.candidate, nuisance)
        plain = Assignment(
            job=job.path,
            attempt=attempt,
            phase=job.phase,
            method=self.method_of(self.candidate(job.group, job.candidate)),
            config=parsed.to_dict(),
            seed=self.job_seed(job),
            steps=self.steps_of(job.group),
            round_steps=self.round_steps_of(job.group),
            metric=self.metric,
            corpus_uri=self.corpus_uri,
            corpus_fingerprint=self.corpus_fingerprint,
            **self._second_corpus(parsed),
            data=parsed.data_settings(self.data_of(job.group)),
            stages=tuple(stage.to_json() for stage in self._stages_of(parsed, self.job_seed(job))),
            threads=self.threads,
            device=self.device,
        )
        prefix = self._prefix(job, nuisance, plain)
        return replace(plain, prefix=prefix.to_json()) if prefix else plain

    def _second_corpus(self, parsed: MethodConfig) -> dict[str, Any]:
        names = ("pretraining_corpus_uri", "pretraining_corpus_fingerprint")
        return {name: getattr(self, name) for name in names} if parsed.trains_on_pretraining_corpus else {}

    def steps_of(self, group: str) -> int:
        """The budget of each of the group's jobs."""
        return int(self.by_group.get(group, {}).get("steps", self.steps))

    def round_steps_of(self, group: str) -> int:
        """Steps between two reports."""
        return int(self.by_group.get(group, {}).get("round_steps", self.round_steps))

    def data_of(self, group: str) -> DataSettings:
        """How examples are drawn in this group."""
        own = self.by_group.get(group, {})
        return replace(self.data, **{name: own[name] for name in ("batch", "crop_seconds") if name in own})

    @property
    def device(self) -> str:
        return "cuda" if self.gpus_per_trial > 0 else "cpu"

    # -- stages --------------------------------------------------------------------------------------

    def _stages_of(self, parsed: MethodConfig, seed: int) -> tuple[Stage, ...]:
        """What a job with this configuration and seed reads."""
        stages = parsed.stages(
            corpus_uri=self.corpus_uri,
            corpus_fingerprint=self.corpus_fingerprint,
            seed=seed,
            threads=self.threads,
            device=self.device,
        )
        return tuple(map(self._placed, stages))

    def _placed(self, stage: Stage) -> Stage:
        """With its pre-training on the corpus for it, where there is one."""
        if not self.pretraining_corpus_source:
            return stage
        return on_pretraining_corpus(stage, self.pretraining_corpus_uri, self.pretraining_corpus_fingerprint)

    def stages(self) -> list[Stage]:
        """Every distinct stage any job rests on, dependencies first."""
        return in_order((*(stage for stage, _ in self._needed()), *self._prefixes()))

    def stage_methods(self) -> dict[str, str]:
        """Of every stage any job rests on, but for shared prefixes: its key -> the first such job's method."""
        found: dict[str, str] = {}
        for stage, method in self._needed():
            for below in in_order((stage,)):
                found.setdefault(below.key, method)
        return found

    def _needed(self) -> Iterator[tuple[Stage, str]]:
        """What each job reads, and the job's method."""
        for group in self.groups:
            for candidate in group.candidates:
                parsed = self.first_config(group, candidate)
                for seed in (self.search_seed, *self.seeds):
                    for stage in self._stages_of(parsed, seed):
                        yield stage, self.method_of(candidate)

    def _prefix(self, job: Job, nuisance: dict[str, Any], assignment: Assignment) -> Stage | None:
        """The training this search trial shares with those of other candidates: all have one seed."""
        if job.phase != "search" or self.space_object().every_draw is None:
            return None
        candidates = self.group_plan(job.group).candidates
        labels = [each.label for each in candidates if self.method_of(each) == assignment.method]
        return prefix_stage(assignment, [self.config(job.group, label, nuisance) for label in labels])

    def _prefixes(self) -> Iterator[Stage]:
        """Of every draw a search trial may make; none where the space does not list its draws."""
        every_draw = self.space_object().every_draw
        if every_draw is None:
            return
        for group in self.groups:
            preset = self.preset_object(group.name)
            for candidate in group.candidates:
                job = Job(group.name, "search", candidate.label, 0)
                more = every_draw(group.group, candidate, preset) if self.samples > 1 else ()
                for nuisance in (self.anchor(group, candidate), *more):
                    prefix = self.assignment(job, self.searched(nuisance), attempt=1).prefix
                    if prefix:
                        yield Stage.from_json(prefix)

    def searched(self, nuisance: dict[str, Any]) -> dict[str, Any]:
        """Without the fields that --set fixed."""
        return {name: value for name, value in nuisance.items() if name not in self.fixed}

    def gate_stages(self, group: str | None = None) -> list[Stage]:
        """The stages that measure whether the question is meaningful at this size, for one group or all.

        They rest on the baseline's pre-training, which is not listed here.
        """
        return [
            self._placed(stage)
            for asked in self.groups
            if self.gates and group in (None, asked.name) and (gates := gates_of(self.baseline_method(asked.name)))
            for stage in gates.gate_stages(
                self.first_config(asked, self.candidate(asked.name, self.space_object().baseline)),
                corpus_uri=self.corpus_uri,
                corpus_fingerprint=self.corpus_fingerprint,
                seeds=self.at_first_look().seeds,
                data=self.data_of(asked.name),
                threads=self.threads,
                device=self.device,
            )
        ]

    # -- persistence ---------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the passwords of addresses."""
        hidden = {name: hide_password(getattr(self, name)) for name in ("study_uri", "tracking_uri")}
        plain = json.loads(json.dumps({**asdict(self), **hidden}))
        for group in plain["groups"]:
            for candidate in group["candidates"]:
                if candidate["method"] is None:  # as in plans from before candidates could name one
                    del candidate["method"]
        return plain

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Plan":
        plain = dict(value)
        plain["groups"] = tuple(
            GroupPlan(
                name=item["name"],
                group=item["group"],
                candidates=tuple(Candidate(**candidate) for candidate in item["candidates"]),
            )
            for item in plain["groups"]
        )
        if "generation" in plain:  # its name in earlier plans
            plain["generation_size"] = plain.pop("generation")
        plain["seeds"] = tuple(plain["seeds"])
        plain["looks"] = tuple(plain.get("looks", ()))
        plain["also"] = tuple(plain.get("also", ()))
        plain["extensions"] = tuple(plain.pop("raises", plain.get("extensions", ())))  # older plans: "raises"
        plain["data"] = DataSettings(**plain["data"])
        return Plan(**plain)


def default_seeds(count: int, sweep_seed: int) -> tuple[int, ...]:
    """The finalists' seeds: the same for every candidate and group, disjoint from the search seed."""
    return tuple(1001 + sweep_seed * 1000 + index for index in range(count))


def default_search_seed(sweep_seed: int) -> int:
    return derive_seed("search", sweep_seed) % 1000
