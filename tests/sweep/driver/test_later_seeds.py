"""Later seeds pre-train only when it is known who gets them, and the answer is that of a sweep without such pauses."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulation.simulated import Simulation, facts
from sweep.engine.finalist_queue import Contention
from sweep.engine.finalist_scoring import FinalistScoring
from sweep.engine.seed_number import further_seeds, stages_so_far
from sweep.plan.plan import Plan
from sweep.report.findings.metric_means import scores_of
from sweep.stored import layout
from sweep.verdict.result import Result
from tests.chaos.simulated_drive import SimulatedDrive, SimulatedScoring, UnbrokenDrive
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.sweeps.typed_plan import plan
from trainables.audio.corpus.corpus import Corpus


class Killed(RuntimeError):
    """The driver is gone."""


@dataclass
class Seen:
    """What a driver did, in order: the numbers of seeds that pre-trained, and those whose jobs it ran up to."""

    pretrained: list[int] = field(default_factory=list)
    driven: list[int] = field(default_factory=list)
    most: int = 10**9  # runs of jobs, until the driver is killed


class PausingDrive(SimulatedDrive):
    """The driver's own phases, with jobs trained by a `Simulation` in this process."""

    seen: Seen

    def answer(self, seen: Seen) -> Result:
        self.seen = seen
        pool: Any = SimulatedScoring(self.checkpoints, self._reported_score)
        scoring = FinalistScoring(self.plan, self.store, self.checkpoints, pool, self.stop)
        self._compute_stages([])
        self._run_jobs(scoring, [])
        leaders = self._nominate(scoring)
        rows = self._test_rows(scoring)
        return self._confirm(rows, scores_of(self.plan, rows), leaders, None)

    def _compute_stages(self, listeners: Sequence[Any]) -> None:
        stages = stages_so_far(self.plan, further_seeds(self.plan, self.storage, lambda group: None))
        seeds = {stage.seed for stage in stages if stage.pretrains} - {self.plan.search_seed}
        self.seen.pretrained.append(len(seeds))

    def _drive_jobs(self, plan: Plan, scoring: FinalistScoring, listeners: Any, looks: Contention) -> None:
        if len(self.seen.driven) == self.seen.most:
            raise Killed
        self.seen.driven.append(len(plan.seeds))
        assert Simulation(plan, self.store, listeners=(scoring,), contention=looks).run()
        trained = {record.job.number for record in self.store.all_records(plan) if record.job.phase == "final"}
        assert len(trained) <= self.seen.pretrained[-1], "a finalist ran before its pre-training"

    def _reported_score(self, job: Any) -> float:
        record = self.store.record(job)
        assert record is not None
        assert record.score is not None
        return record.score


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))


def _placed(made: Plan, folder: Path) -> Plan:
    folder.mkdir()
    return replace(made, output=str(folder), home=str(folder), study_uri=f"sqlite:///{folder}/study.db")


def _same(first: Result, second: Result) -> bool:
    return first["groups"] == second["groups"]


SMALL = ("--preset", "smoke", "--samples", "1", "--upstreams", "tera")
FLAGS = {"looks": ("--seeds", "auto"), "resolve": ("--resolve", "0.3")}


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_the_answer_is_that_of_a_sweep_without_pauses(tmp_path: Path, corpus: Corpus, flags: tuple[str, ...]) -> None:
    made = plan(tmp_path, *SMALL, *flags).plan
    whole = UnbrokenDrive(_placed(made, tmp_path / "whole"), corpus, lambda: None)
    expected, seen = whole.answer(), Seen()
    drive = PausingDrive(_placed(made, tmp_path / "pausing"), corpus, lambda: None)
    assert _same(drive.answer(seen), expected)
    assert facts(drive.store, drive.plan) == facts(whole.store, whole.plan)
    assert seen.pretrained[0] == 3
    assert seen.driven[0] == 3
    assert seen.driven[-1] == len(made.seeds)
    trained = {record.job.number for record in drive.store.all_records(drive.plan) if record.job.phase == "final"}
    assert seen.pretrained[-1] == len(trained), "nothing pre-trains that no finalist needs"
    (group,) = expected["groups"]
    assert len(group["seeds"]) == len(trained) <= len(made.seeds)
    if not made.looks:
        assert any(note.startswith(f"{len(trained)} seeds, ") for note in group["notes"])


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_a_driver_that_dies_between_the_pauses_is_continued(
    tmp_path: Path, corpus: Corpus, flags: tuple[str, ...]
) -> None:
    made = _placed(plan(tmp_path, *SMALL, *flags).plan, tmp_path / "killed")
    with pytest.raises(Killed):
        PausingDrive(made, corpus, lambda: None).answer(Seen(most=1))
    decisions = made.output + "/" + (layout.LOOKS if made.looks else layout.SEED_NUMBERS)
    stored = Path(decisions).read_bytes()
    again, seen = PausingDrive(made, corpus, lambda: None), Seen()
    found = again.answer(seen)
    if not made.looks:
        assert Path(decisions).read_bytes() == stored
        assert seen.driven == [len(made.seeds)], "the number is set: there is nothing to pause for"
    whole = UnbrokenDrive(_placed(made, tmp_path / "whole"), corpus, lambda: None)
    assert _same(found, whole.answer())
