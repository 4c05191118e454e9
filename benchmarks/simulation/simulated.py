"""A sweep with a known answer and no training: the engine's tests run thousands of jobs in seconds.

The score of a configuration is a plain function with a best layer per upstream, an optimum of every nuisance value,
and noise keyed by the configuration and the seed, so a job gives the same curve wherever it runs.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from search_spaces import find_space
from sweep.core.listener import Announcer, Listener
from sweep.engine.deaths import Fault
from sweep.engine.dispatcher import Dispatcher, Handout, Pause, Reuse
from sweep.engine.finalist_queue import Contention
from sweep.plan.job_key import libraries
from sweep.plan.plan import Plan
from sweep.settings.extension import group_plans
from sweep.study.study import StudyStore
from trainables.base.randomness import generator
from trainables.normalized_ssl.config import NormalizedSSLConfig

BEST_LAYER = {"tera": 2, "wav2vec2": 3}


def simulated_plan(
    study_uri: str = "",
    *,
    groups: tuple[str, ...] = ("tera", "wav2vec2"),
    samples: int = 3,
    seeds: int = 2,
    exempt: int = 1,
    name: str = "simulated",
    output: str = "",
    **changes: Any,
) -> Plan:
    """The norm_layers space with a budget of 4 rounds and nothing to train."""
    space = find_space("norm_layers")
    preset = space.presets["smoke"]
    planned = group_plans(space, preset, list(groups), Path.cwd())
    plan = Plan(
        name=name,
        space="norm_layers",
        preset="smoke",
        version="0.1.0",
        code="",
        libraries=libraries(),
        metric="si_sdr",
        groups=planned,
        samples=samples,
        seeds=tuple(range(1001, 1001 + seeds)),
        sweep_seed=0,
        search_seed=7,
        generation_size=len(planned[0].candidates),
        tunes_apart=True,
        exempt=exempt,
        steps=8,
        round_steps=2,
        data=preset.data,
        method_config=dict(preset.config),
        corpus_source="demo",
        corpus_uri="",
        corpus_fingerprint="",
        corpus_summary={},
        output=output,
        home=output,
        tracking_uri="",
        study_uri=study_uri,
        gates=False,
    )
    return replace(plan, **changes)


def simulated_score(assignment: dict[str, Any], step: int) -> float:
    """dB: better with the best layer and the best learning rate, rising with every step."""
    config = assignment["config"]
    layers = config["norm_layers"]
    gain = 2.0 - abs(layers[0] - BEST_LAYER[config["upstream"]]) if layers else 0.0
    loss = abs(config["lr_body_ratio"] - 0.5) + 100 * abs(config["lr_head"] - 2e-3)
    key = json.dumps(stated(config), sort_keys=True)
    noise = generator(assignment["seed"], key, step).normal(0, 0.05)
    return float(gain - loss + 0.2 * step + noise)


def stated(config: dict[str, Any]) -> dict[str, Any]:
    """What differs from the defaults: a field that is new changes no score of a plan without it."""
    usual = NormalizedSSLConfig().to_dict()
    return {name: value for name, value in config.items() if name not in usual or value != usual[name]}


# What a misfortune's exception stands for.
_FAULTS: dict[type[Exception], Fault] = {
    ChildProcessError: Fault.OWN,
    InterruptedError: Fault.OTHERS,
    ConnectionError: Fault.OUTAGE,
    ValueError: Fault.TRAINING,
}


@dataclass
class Worker:
    """One job under way, in place of a Ray actor."""

    handout: Handout
    step: int = 0


@dataclass
class Simulation:
    """Drives a dispatcher with a number of imaginary workers that finish in random order.

    `misfortune(handout, step)` may raise before a round is reported; `killed_after` events the driver dies.
    """

    plan: Plan
    store: StudyStore
    workers: int = 2
    order: random.Random = field(default_factory=lambda: random.Random(0))
    misfortune: Callable[[Handout, int], None] | None = None
    listeners: tuple[Listener, ...] = ()
    score: Callable[[dict[str, Any], int], float] = simulated_score
    handed_out: list[str] = field(default_factory=list)
    stored_steps: dict[str, int] = field(default_factory=dict)  # checkpoints outlive driver and worker
    events: int = 0
    seconds: float = 0.0  # of simulated time
    contention: Contention | None = None
    reuse: Reuse | None = None

    def run(self, killed_after: int | None = None) -> bool:
        """True when every job has ended; False if the driver was killed on the way."""
        announcer = Announcer(self.listeners)
        dispatcher = Dispatcher(
            self.plan,
            self.store,
            announcer,
            clock=lambda: self.seconds,
            contention=self.contention,
            reuse=self.reuse,
        )
        busy: list[Worker] = []
        while killed_after is None or self.events < killed_after:
            while len(busy) < self.workers and isinstance(handout := dispatcher.next(), Handout):
                self.handed_out.append(handout.job.path)
                busy.append(Worker(handout, self.stored_steps.get(handout.job.path, 0)))
            if not busy and dispatcher.done:
                assert dispatcher.next() is Pause.DONE
                return True
            self.seconds += 1
            if not busy:
                continue  # a pause after an outage
            self._round(dispatcher, busy)
            self.events += 1
        return False

    def _round(self, dispatcher: Dispatcher, busy: list[Worker]) -> None:
        worker = busy[self.order.randrange(len(busy))]
        job, attempt = worker.handout.job, worker.handout.attempt
        worker.step = min(worker.step + self.plan.round_steps, self.plan.steps)
        try:
            if self.misfortune is not None:
                self.misfortune(worker.handout, worker.step)
        except tuple(_FAULTS) as error:
            dispatcher.fail(job, attempt, str(error), _FAULTS[type(error)])
            busy.remove(worker)
            return
        self.stored_steps[job.path] = worker.step
        score = self.score(worker.handout.assignment, worker.step)
        if not dispatcher.report(job, attempt, worker.step, score, {"score": score}):
            busy.remove(worker)


def facts(store: StudyStore, plan: Plan) -> dict[str, tuple[Any, ...]]:
    """The study's record of every job, without attempts and times."""
    return {
        record.job.path: (record.state, record.nuisance, record.scores, record.score, record.reason)
        for record in store.all_records(plan)
    }
