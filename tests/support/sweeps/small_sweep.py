"""A small sweep's plan, its events and its result, for tests of listeners."""

from pathlib import Path
from typing import Any

from search_spaces import find_space
from sweep.core.jobs import Job
from sweep.core.listener import EndState, JobEnded, JobReported, JobStarted, Listener
from sweep.plan.plan import GroupPlan, Plan
from sweep.settings.extension import group_plans
from trainables.job.assignment import DataSettings

START_MS = 1_800_000_000_000
ROUND_STEPS = 50
STEPS = 200


def make_plan(output: Path, tracking_uri: str = "", name: str = "evening", **changes: Any) -> Plan:
    """Two upstreams, their candidates of the norm_layers space, two search trials and three seeds each."""
    space = find_space("norm_layers")
    preset = space.presets["demo"]
    settings: dict[str, Any] = {
        "name": name,
        "space": "norm_layers",
        "preset": "demo",
        "version": "0.1.0",
        "code": "none",
        "metric": "si_sdr",
        "groups": group_plans(space, preset, ["tera", "wav2vec2"], Path.cwd()),
        "samples": 2,
        "seeds": (1001, 1002, 1003),
        "sweep_seed": 0,
        "search_seed": 7,
        "generation_size": 5,
        "exempt": 1,
        "steps": STEPS,
        "round_steps": ROUND_STEPS,
        "data": DataSettings(),
        "method_config": {"size": "tiny"},
        "corpus_source": "demo",
        "corpus_uri": "demo",
        "corpus_fingerprint": "none",
        "corpus_summary": {},
        "output": str(output),
        "home": str(output),
        "tracking_uri": tracking_uri or f"sqlite:///{output}/mlflow.db",
        "study_uri": f"sqlite:///{output}/study.db",
    }
    return Plan(**(settings | changes))


def score_of(job: Job, step: int = STEPS) -> float:
    """Higher layers and later steps are better, `random` is worst, seeds differ a little."""
    level = {"none": 1.0, "random": 0.4, "layer1": 1.2, "layer2": 1.9, "layer3": 1.5}[job.candidate]
    return level * (0.5 + 0.5 * step / STEPS) + 0.01 * (job.number % 7)


def configuration(job: Job) -> dict[str, Any]:
    space = find_space("norm_layers")
    candidates = space.candidates({"upstream": job.group}, space.presets["demo"])
    fixed = next(candidate.config for candidate in candidates if candidate.label == job.candidate)
    return {
        "upstream": job.group,
        "size": "tiny",
        "lr_head": 1e-3,
        "lr_body_ratio": 0.5,
        "k0": 0.8,
        **fixed,
    }


def tell_start(listener: Listener, job: Job, attempt: int = 1) -> None:
    listener.hear(JobStarted(job, START_MS + job.number, attempt, configuration(job)))


def tell_reports(listener: Listener, job: Job, until: int = STEPS) -> None:
    for step in range(ROUND_STEPS, until + 1, ROUND_STEPS):
        score = score_of(job, step)
        metrics = {
            "score": score,
            "score_current": score - 0.1,
            "loss_total": 2 - score,
            "site1/k": 0.5,
            "site2/k": 0.25,
        }
        listener.hear(JobReported(job, START_MS + job.number + step, step, metrics))


def tell_end(listener: Listener, job: Job, state: EndState = "complete", reason: str | None = None) -> None:
    score = score_of(job) if state == "complete" else None
    listener.hear(JobEnded(job, START_MS + job.number + STEPS + 1, state, score, reason))


def tell_job(listener: Listener, job: Job) -> None:
    tell_start(listener, job)
    tell_reports(listener, job)
    tell_end(listener, job)


def make_result(plan: Plan) -> dict[str, Any]:
    """A result in the form of `--json`: tera has a winner, wav2vec2 a tie."""
    groups = [_group_result(group, tie=group.name == "wav2vec2") for group in plan.groups]
    return {
        "sweep": plan.name,
        "space": plan.space,
        "metric": plan.metric,
        "groups": groups,
        "trials": {"complete": 44, "pruned": 5, "failed": 1},
        "tracking_uri": plan.tracking_uri,
        "output": plan.output,
    }


def _group_result(group: GroupPlan, tie: bool) -> dict[str, Any]:
    candidates = []
    for candidate in group.candidates:
        score = score_of(Job(group.name, "final", candidate.label, 0))
        candidates.append(
            {
                "label": candidate.label,
                "config": candidate.config,
                "n_seeds": 3,
                "n_utterances": 20,
                "failures": 0,
                "score": score,
                "interval": [score - 0.2, score + 0.2],
                "p_best": 0.9 if candidate.label == "layer2" else 0.025,
                "gain": score - 1.0,
                "gain_interval": None if candidate.label == "none" else [score - 1.3, score - 0.7],
                "baseline": candidate.baseline,
            }
        )
    leader = {"label": "layer2", "norm_layers": [2]}
    return {
        "group": group.group,
        "leader": leader,
        "winner": None if tie else leader,
        "verdict": "tie" if tie else "winner",
        "contenders": ["layer3"] if tie else [],
        "equivalent": [],
        "resolvable": 0.2,
        "seeds_needed": 9 if tie else None,
        "beats_baseline": True,
        "interpretable": True,
        "score": 1.9,
        "interval": [1.7, 2.1],
        "alpha": 0.05,
        "gain": {"value": 0.9, "interval": [0.6, 1.2], "p": 0.001},
        "candidates": candidates,
    }
