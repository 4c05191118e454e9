"""The progress of a sweep as plain data, and as one line of text.

Independent of any terminal, so that the live display, the heartbeat and the tests share it.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import Any

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from trainables.metrics.catalogue import METRICS, merit

_MOST_STAGES = 2  # running stages named on one line


@dataclass
class ProgressState:
    """`elapsed` and `training_since` are seconds since this driver started."""

    plan: Plan
    phase: str = "starting"
    elapsed: float = 0.0
    training_since: float | None = None
    stages: dict[str, tuple[int, int]] = field(default_factory=dict)  # name -> (done, total)
    states: dict[Job, str] = field(default_factory=dict)
    steps: dict[Job, int] = field(default_factory=dict)
    scores: dict[Job, float] = field(default_factory=dict)
    steps_before: int = 0  # trained by earlier drivers
    waived: set[Job] = field(default_factory=set)  # finalists of candidates that have left contention

    def _jobs(self, group: str | None = None) -> list[Job]:
        """The jobs of the plan without those waived so far."""
        jobs = (job for job in self.plan.all_jobs() if group in (None, job.group))
        return [job for job in jobs if job not in self.waived]

    def counts(self, group: str | None = None) -> dict[str, int]:
        states = [state for job, state in self.states.items() if group in (None, job.group)]
        counted = {state: states.count(state) for state in ("running", "complete", "pruned", "failed")}
        return {"total": len(self._jobs(group)), **counted}

    def running_stages(self) -> dict[str, int]:
        """The stages under way, in percent."""
        return {n: 100 * done // max(total, 1) for n, (done, total) in self.stages.items() if done < total}

    def leader(self, group: str) -> dict[str, Any] | None:
        """The best candidate so far: by the mean of its complete finalists, else by its best search trial."""
        turned = partial(merit, self.plan.metric)
        for phase, summary in (("final", fmean), ("search", max)):
            by_candidate = self._scores_of(group, phase)
            if by_candidate:
                merits = {label: summary(map(turned, found)) for label, found in by_candidate.items()}
                best = max(merits, key=lambda label: merits[label])
                return {"candidate": best, "score": turned(merits[best]), "phase": phase}
        return None

    def _scores_of(self, group: str, phase: str) -> dict[str, list[float]]:
        found: dict[str, list[float]] = defaultdict(list)
        for job, score in self.scores.items():
            if (job.group, job.phase) == (group, phase) and self.states.get(job) == "complete":
                found[job.candidate].append(score)
        return found

    def seconds_left(self) -> float | None:
        """Estimated from the rate of training steps since the first job started; None before the first report."""
        if self.training_since is None:
            return None
        done = sum(self.steps.values()) - self.steps_before
        seconds = self.elapsed - self.training_since
        if done <= 0 or seconds <= 0:
            return None
        return self._steps_left() * seconds / done

    def _steps_left(self) -> int:
        ended = ("complete", "pruned", "failed")
        going = [job for job in self._jobs() if self.states.get(job) not in ended]
        return sum(self.plan.steps_of(job.group) - self.steps.get(job, 0) for job in going)

    def snapshot(self) -> dict[str, Any]:
        """For the heartbeat: plain JSON."""
        return {
            "phase": self.phase,
            "elapsed": round(self.elapsed, 1),
            "left": self.seconds_left(),
            "stages": self.running_stages(),
            "jobs": self.counts(),
            "groups": {
                group.name: {"jobs": self.counts(group.name), "leader": self.leader(group.name)}
                for group in self.plan.groups
            },
            "metric": self.plan.metric,
        }


def progress_line(state: ProgressState) -> str:
    """Everything on one line, for logs and terminals without a live display."""
    parts = [_doing(state), job_counts_text(state.counts())]
    leaders = leader_texts(state.snapshot())
    parts += [f"ahead so far: {', '.join(leaders)}"] if leaders else []
    return " | ".join([*parts, time_text(state.elapsed, state.seconds_left())])


def _doing(state: ProgressState) -> str:
    stages = [f"{name} {percent} %" for name, percent in state.running_stages().items()]
    if not stages:
        return state.phase
    more = len(stages) - _MOST_STAGES
    return ", ".join(stages[:_MOST_STAGES]) + (f" and {more} more" if more > 0 else "")


def job_counts_text(counts: dict[str, int]) -> str:
    ended = counts["complete"] + counts["pruned"] + counts["failed"]
    words = {"running": "running", "pruned": "stopped early", "failed": "failed"}
    others = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    return ", ".join([f"{ended} of {counts['total']} jobs done", *others])


def leader_texts(snapshot: dict[str, Any]) -> list[str]:
    """Who is ahead in each group that has a score: tera layer2 1.91 dB (finalists)."""
    unit = METRICS[snapshot["metric"]].unit
    texts = []
    for name, group in snapshot["groups"].items():
        if leader := group["leader"]:
            score = f"{leader['score']:.2f} {unit}".rstrip()
            basis = "finalists" if leader["phase"] == "final" else "search"
            texts.append(f"{name} {leader['candidate']} {score} ({basis})")
    return texts


def time_text(elapsed: float, left: float | None) -> str:
    remaining = f", about {duration(left)} left" if left is not None else ""
    return f"{duration(elapsed)} elapsed{remaining}"


def duration(seconds: float) -> str:
    """42 s, 3 min 05 s, 42 min, 2 h 05 min: only as precise as is useful."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 3600:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
