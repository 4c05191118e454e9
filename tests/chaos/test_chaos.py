"""Nothing lost, nothing twice, the same winner: a sweep under random kills against the same sweep undisturbed.

Real Ray, PostgreSQL, MLflow server and S3 server (moto behind a gateway), all killed with SIGKILL; only training
and scoring are simulated. Undisturbed means `UnbrokenDrive`: the same plan without Ray or servers, in this process.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from benchmarks.simulation.simulated import facts
from benchmarks.simulation.simulated_trainable import journal_of, rounds_trained
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.settings.new_plan import LOOKS
from sweep.stored.by_name import load_plan
from sweep.study.database import database_url
from sweep.study.study import StudyStore
from sweep.tracking.mlflow_view import JOB_TAG, open_client
from tests.chaos.monkey import TARGETS, Monkey, Sweep
from tests.chaos.servers import BUCKET, Servers
from tests.chaos.simulated_drive import UnbrokenDrive
from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.base.storage.storage import Storage

OUTPUT = f"s3://{BUCKET}"
KILLS = int(os.environ.get("KILLS") or 60)
_CANDIDATES, _ROUNDS = 5, 2  # of the smoke preset, per group and per job


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    (tmp_path / "servers").mkdir()
    with Servers(tmp_path / "servers") as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
        yield started


class Undisturbed:
    """What the sweep of this plan must come to."""

    def __init__(self, plan: Plan, corpus: Corpus, folder: Path) -> None:
        folder.mkdir()
        here = replace(plan, output=str(folder), home=str(folder), study_uri=f"sqlite:///{folder}/study.db")
        drive = UnbrokenDrive(here, corpus, lambda: None)
        self.groups = drive.answer()["groups"]
        self.facts = facts(drive.store, here)
        self.rounds = sum(len(scores) for _, _, scores, *_ in self.facts.values())


def _figures(sweep: Sweep, plan: Plan, undisturbed: Undisturbed) -> str:
    """What was lost and repeated, in a line."""
    found = {record.job.path: record for record in StudyStore(plan.study_uri, plan.name).all_records(plan)}
    states = Counter(record.state for record in found.values())
    lost, more = undisturbed.facts.keys() - found.keys(), found.keys() - undisturbed.facts.keys()
    failed = [f"{path} ({record.reason})" for path, record in found.items() if record.state == "failed"]
    trained = sum(len(rounds_trained(sweep.folder, job)) for job in found)
    again = Counter(record.attempt for record in found.values())
    return (
        f"{len(found)} jobs, lost {len(lost)}, added {len(more)}, failed {failed}, running {states['running']}; "
        f"{trained} rounds trained for {undisturbed.rounds}; attempts of jobs {dict(sorted(again.items()))}"
    )


def _check(sweep: Sweep, plan: Plan, undisturbed: Undisturbed) -> None:
    """Everything the suite promises, from the study, MLflow, storage and the workers' journals."""
    store = StudyStore(plan.study_uri, plan.name)
    assert facts(store, plan) == undisturbed.facts  # jobs, states, values and scores, to the bit
    result = json.loads(Storage(plan.output).read("result.json"))
    assert result["groups"] == undisturbed.groups  # the verdict
    _check_study(plan, list(undisturbed.facts))
    _check_mlflow(plan, store)
    for job in undisturbed.facts:
        _check_journal(sweep.folder, job)
    trained = sum(len(rounds_trained(sweep.folder, job)) for job in undisturbed.facts)
    assert trained <= 1.5 * undisturbed.rounds


def _check_study(plan: Plan, expected: list[str]) -> None:
    """Each job is one trial, and none is left running."""
    url = database_url(plan.study_uri).render_as_string(hide_password=False)
    jobs: Counter[str] = Counter()
    for group, phase in plan.phases:
        study = optuna.load_study(study_name=f"{plan.name}/{group}/{phase}", storage=url)
        assert all(trial.state != TrialState.RUNNING for trial in study.trials)
        jobs.update(trial.user_attrs["job"] for trial in study.trials)
    assert jobs == Counter(expected)


def _check_mlflow(plan: Plan, store: StudyStore) -> None:
    """Each job is one run, ended, with each of its scores once."""
    client = open_client(plan.tracking_uri)
    experiment = client.get_experiment_by_name(f"speech-sweep/{plan.space}")
    runs = client.search_runs([experiment.experiment_id], max_results=5000)
    by_job = {run.data.tags[JOB_TAG]: run for run in runs}
    assert len(by_job) == len(runs)
    assert {run.info.status for run in runs} == {"FINISHED"}
    for path in facts(store, plan):
        record = store.record(Job.parse(path))
        assert record is not None
        history = client.get_metric_history(by_job[f"{plan.name}/{path}"].info.run_id, "score")
        assert sorted((point.step, point.value) for point in history) == sorted(record.scores.items())


def _check_journal(folder: Path, job: str) -> None:
    """The worker that takes a job up goes on from the newest checkpoint that was stored by then."""
    stored = 0
    for what, step in journal_of(folder, job):
        if what == "stored":
            stored = max(stored, step)
        elif what == "from":
            assert step >= stored, f"{job} was at {stored} and was taken up from {step}"


def _survives(folder: Path, servers: Servers, corpus: Corpus, groups: str, samples: int, seeds: str, kills: int) -> str:
    """The figures of the run.

    `kills` are shared evenly between all that can be killed, over the rounds that are sure to be trained.
    """
    question = ["--space", "norm_layers", "--preset", "smoke", "--upstreams", groups, "--steps", "8"]
    question += ["--samples", str(samples), "--seeds", seeds, "--corpus", corpus.uri]
    targets = [*TARGETS] * (kills // len(TARGETS))
    random.Random(0).shuffle(targets)
    sweep = Sweep(folder, servers, "chaos", seconds=0.1, question=question)
    sweep.start()
    monkey = Monkey(sweep, servers, seed=kills)
    jobs = _CANDIDATES * (samples + (LOOKS[0] if seeds == "auto" else int(seeds)))
    monkey.rage(targets, rounds=(groups.count(",") + 1) * jobs * _ROUNDS)
    assert monkey.kills == Counter(targets)
    plan = load_plan("chaos", OUTPUT)
    undisturbed = Undisturbed(plan, corpus, folder / "undisturbed")
    figures = f"{dict(monkey.kills)} killed; {_figures(sweep, plan, undisturbed)}"
    (folder / "figures").write_text(figures)  # also of a run that does not pass
    _check(sweep, plan, undisturbed)
    return f"{figures}; the same verdict"


@pytest.mark.timeout(3600)
def test_a_sweep_survives_one_kill_of_everything_it_rests_on(tmp_path: Path, servers: Servers, corpus: Corpus) -> None:
    _survives(tmp_path, servers, corpus, "tera", samples=2, seeds="2", kills=5)


@pytest.mark.chaos
@pytest.mark.timeout(6 * 3600)
def test_a_sweep_survives_sixty_kills(
    tmp_path: Path, servers: Servers, corpus: Corpus, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or as many as KILLS says."""
    figures = _survives(
        tmp_path, servers, corpus, "tera,wav2vec2", samples=8 * max(1, KILLS // 60), seeds="auto", kills=KILLS
    )
    with capsys.disabled():
        print(f"\n{figures}")
