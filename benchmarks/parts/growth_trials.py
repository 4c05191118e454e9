"""What a trial costs the driver, from ten trials to ten thousand: nothing is trained, every other line of code runs.

Two groups of five candidates, and from ten thousand trials on five; a study in memory, eight reports a trial. Next
to it Optuna alone: its TPE proposes as many trials and gets their scores, in one study and without a driver.
"""

import time
from dataclasses import replace

import optuna
from optuna.storages import InMemoryStorage

from benchmarks.harness.findings import Comparison, Curve, Finding
from benchmarks.harness.part import Context
from benchmarks.simulation.known_world import world_plan, world_score
from benchmarks.simulation.simulated import Simulation
from sweep.study.study import StudyStore

COUNTS = (10, 100, 1000, 10_000)
_WIDE = 10_000  # from here on five groups
_LARGEST_PEER = 1000  # one study of Optuna's slows down with its square
PEER = "Optuna's TPE alone"


def measure(context: Context) -> list[Finding]:
    found: list[Finding] = []
    points = []
    for count in COUNTS if not context.small else (10, 20):
        context.say(f"{count} trials")
        ours = _ours(count)
        points.append((float(count), 1000 * ours))
        theirs = (1000 * _optuna(count),) if count <= _LARGEST_PEER else ()
        if theirs:
            comparison = Comparison(
                what=f"a trial of {count:,}",
                unit="ms of the driver",
                peer=PEER,
                ours=(1000 * ours,),
                theirs=theirs,
                why="ours also keeps generations, compares curves at every report, and names and trains finalists; "
                "each group has a study of its own, which stays small",
            )
            found.append(comparison)
    why = "TPE reads all earlier trials of its group, so a trial of a larger group costs more"
    return [*found, Curve(what="driving trials", x="trials", y="ms a trial", points=tuple(points), why=why)]


def _ours(count: int) -> float:
    """Seconds a trial, search and finals alike."""
    plan = world_plan(5 if count >= _WIDE else 2, seeds=(1001,))
    candidates = sum(len(group.candidates) for group in plan.groups)
    plan = replace(plan, samples=-(-count // candidates))
    store = StudyStore(InMemoryStorage(), plan.name)
    start = time.perf_counter()
    assert Simulation(plan, store, workers=16, score=world_score).run()
    seconds = time.perf_counter() - start
    return seconds / len(store.all_records(plan))


def _optuna(count: int) -> float:
    """Seconds a trial, over the same ranges."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    start = time.perf_counter()
    for _ in range(count):
        trial = study.ask()
        layer = trial.suggest_categorical("candidate", [0, 1, 2, 3, 4])
        rate = trial.suggest_float("lr_head", 2e-4, 2e-2, log=True)
        ratio, strength = (trial.suggest_float(name, 0.1, 1.0) for name in ("lr_body_ratio", "k0"))
        study.tell(trial, -abs(layer - 2) - abs(rate - 2e-3) - abs(ratio - 0.5) - abs(strength - 0.6))
    return (time.perf_counter() - start) / count
