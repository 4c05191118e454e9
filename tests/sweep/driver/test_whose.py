"""Two users with one name, on one database and one MLflow: nothing is shared, nothing changed, one clear line.

Real PostgreSQL and a real MLflow server, in four orders of events. A whole sweep through the command line is in
test_two_users.py.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.mlflow_server import MlflowServer
from benchmarks.simulation.simulated import Simulation, facts
from sweep.commands.main import run_command
from sweep.driver.whose import freeze, own_name, refuse_clash
from sweep.plan.plan import Plan
from sweep.settings.settings import Planned
from sweep.stored import layout
from sweep.study.claim import IDENTITY, OUTPUT
from sweep.study.outcomes import outcomes
from sweep.study.study import StudyStore
from sweep.tracking.mlflow_view import IDENTITY_TAG, KIND_TAG, OUTPUT_TAG
from tests.support.sweeps.shared_servers import User, everything_of, runs_of
from tests.support.sweeps.typed_plan import plan as typed_plan
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_numbers = itertools.count()


@pytest.fixture(scope="module")
def study(postgresql: Callable[[], str]) -> str:
    return postgresql()


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    try:
        yield server.uri
    finally:
        server.kill()


@pytest.fixture
def name() -> str:
    """Of this test alone, since the servers are those of all."""
    return f"evening-{next(_numbers)}"


@pytest.fixture
def ada(tmp_path: Path, study: str, mlflow: str) -> User:
    (tmp_path / "ada").mkdir()
    return User(tmp_path / "ada", ["--study-uri", study, "--tracking-uri", mlflow])


@pytest.fixture
def others(tmp_path: Path, study: str, mlflow: str) -> list[User]:
    """Bob shares both servers with her, Cem the study's and Dan MLflow's."""
    addresses = {"study": ["--study-uri", study], "mlflow": ["--tracking-uri", mlflow]}
    shared = {"bob": ["study", "mlflow"], "cem": ["study"], "dan": ["mlflow"]}
    for name in shared:
        (tmp_path / name).mkdir()
    return [
        User(tmp_path / name, [flag for kind in kinds for flag in addresses[kind]]) for name, kinds in shared.items()
    ]


@pytest.fixture
def alone(tmp_path: Path) -> User:
    """He has servers of his own."""
    (tmp_path / "alone").mkdir()
    return User(tmp_path / "alone", [])


def refuses(others: list[User], name: str, ada: User) -> None:
    """Each of them is refused in a line that names her sweep's place, and leaves nothing."""
    for user in others:
        planned = user.starts(name)
        with pytest.raises(UserError) as error:
            user.drive(planned)
        line = str(error.value)
        assert "\n" not in line
        assert "choose another --name" in line
        assert str(ada.folder / "sweeps" / name) in line
        assert list(user.folder.iterdir()) == []


def undisturbed(plan: Plan) -> dict[str, tuple[object, ...]]:
    store = StudyStore(InMemoryStorage(), plan.name)
    assert Simulation(plan, store).run()
    return facts(store, plan)


def test_the_second_starts_after_the_first_has_finished(ada: User, others: list[User], name: str) -> None:
    first = ada.starts(name)
    assert ada.drive(first)
    before = everything_of(first.plan)
    refuses(others, name, ada)
    assert everything_of(first.plan) == before
    (sweep,) = [run for run in runs_of(first.plan).values() if run[4][KIND_TAG] == "sweep"]
    assert sweep[0] == "FINISHED"


def test_the_second_starts_while_the_first_runs(ada: User, others: list[User], name: str) -> None:
    first = ada.starts(name)

    def others_try() -> None:
        before = everything_of(first.plan)["study"]
        # Her studies are marked before her first job; MLflow hears of her within seconds.
        refuses(others[:2], name, ada)
        assert everything_of(first.plan)["study"] == before

    assert not ada.drive(first, events=7, meanwhile=others_try)
    refuses(others, name, ada)
    again = ada.resumes(name)
    assert ada.drive(again)
    assert facts(StudyStore.of(again.plan), again.plan) == undisturbed(again.plan)


def test_the_second_resumes_his_own_after_the_first_has_made_the_same_name_elsewhere(
    ada: User, alone: User, name: str
) -> None:
    own = alone.starts(name)
    assert not alone.drive(own, events=7)
    first = ada.starts(name)
    assert ada.drive(first)
    before = everything_of(first.plan)
    again = alone.resumes(name)
    assert alone.drive(again)
    assert again.plan.identity == own.plan.identity != first.plan.identity
    assert everything_of(first.plan) == before
    assert facts(StudyStore.of(again.plan), again.plan) == undisturbed(own.plan)
    assert {run[4][IDENTITY_TAG] for run in runs_of(again.plan).values()} == {own.plan.identity}


def test_the_first_crashed_midway_and_resumes_after_the_second_has_tried(
    ada: User, others: list[User], name: str
) -> None:
    first = ada.starts(name)
    assert not ada.drive(first, events=7)
    before = everything_of(first.plan)
    refuses(others, name, ada)
    assert everything_of(first.plan) == before
    again = ada.resumes(name)
    assert ada.drive(again)
    assert facts(StudyStore.of(again.plan), again.plan) == undisturbed(first.plan)
    assert {run[0] for run in runs_of(first.plan).values()} == {"FINISHED"}


def test_the_first_holds_the_lock_and_has_claimed_nothing_yet(ada: User, name: str, tmp_path: Path) -> None:
    first = ada.starts(name)
    other = User(tmp_path / "other", ada.addresses)
    with own_name(first, Storage(first.plan.output)), pytest.raises(UserError, match=r"already being driven.*--name"):
        other.drive(other.starts(name))
    assert not other.folder.exists() or list(other.folder.rglob("plan.json")) == []


def test_the_command_line_says_it_in_one_line_and_starts_nothing(
    ada: User, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ada.starts(name)
    assert not ada.drive(first, events=3)
    (tmp_path / "bob").mkdir()
    monkeypatch.chdir(tmp_path / "bob")
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)
    words = ["--space", "norm_layers", "--preset", "smoke", "--corpus", "demo", "--name", name, *ada.addresses]
    for more in ([], ["--dry-run"]):
        assert run_command("run", [*words, *more]) == 2
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(said) == 1
        assert f"another sweep named '{name}', of {first.plan.output}" in said[0]
        assert f"--resume {name} --output {ada.folder / 'sweeps'}" in said[0]
    assert list(Path.cwd().iterdir()) == []


# -- where the identity is ----------------------------------------------------------------------------------


def test_the_identity_is_in_the_plan_the_studies_and_every_run(ada: User, name: str) -> None:
    planned = ada.starts(name)
    assert ada.drive(planned)
    identity, output = planned.plan.identity, planned.plan.output
    assert len(identity) == 32
    assert json.loads(Storage(output).read(layout.PLAN))["identity"] == identity
    store = StudyStore.of(planned.plan)
    for group, phase in planned.plan.phases:
        found = store._database.find_study(f"{name}/{group}/{phase}")
        assert found is not None
        assert store._database.study_attributes(found) == {IDENTITY: identity, OUTPUT: output}
    runs = runs_of(planned.plan)
    assert len(runs) == 1 + 5 + 10 + 5  # the sweep, its trials, finalists and candidates
    (sweep,) = [run for run in runs.values() if run[4][KIND_TAG] == "sweep"]
    assert sweep[4][OUTPUT_TAG] == output


def test_the_identity_decides_nothing(tmp_path: Path) -> None:
    flags = ("--upstreams", "tera", "--samples", "2", "--seeds", "2", "--preset", "smoke")
    one, other = (typed_plan(tmp_path, "--name", name, *flags).plan for name in ("one", "other"))
    assert one.identity != other.identity
    assert undisturbed(one) == undisturbed(other)
    job = next(one.all_jobs())
    nuisance = one.anchor(one.groups[0], one.groups[0].candidates[0])
    assert one.assignment(job, nuisance, attempt=1) == other.assignment(job, nuisance, attempt=1)
    assert [stage.key for stage in one.stages()] == [stage.key for stage in other.stages()]


# -- sweeps of earlier versions -------------------------------------------------------------------------------


def earlier(ada: User, name: str) -> Planned:
    """As a version without identities planned it."""
    planned = ada.starts(name)
    return replace(planned, plan=replace(planned.plan, identity=""))


def test_a_sweep_of_an_earlier_version_is_resumed_and_keeps_its_name(ada: User, others: list[User], name: str) -> None:
    first = earlier(ada, name)
    assert not ada.drive(first, events=7)
    for user in others:
        with pytest.raises(UserError, match=f"holds another sweep named '{name}'"):
            user.drive(user.starts(name))
    again = ada.resumes(name)
    assert again.plan.identity == ""
    assert ada.drive(again)
    assert facts(StudyStore.of(again.plan), again.plan) == undisturbed(first.plan)


def test_a_sweep_of_an_earlier_version_does_not_take_trials_that_have_an_owner(ada: User, name: str) -> None:
    assert not ada.drive(ada.starts(name), events=3)
    old = replace(ada.starts(f"{name}-x").plan, name=name, identity="")
    stored = replace(old, output=f"{ada.folder}/old", home=f"{ada.folder}/old")
    with pytest.raises(UserError, match="another sweep named"):
        refuse_clash(Planned(stored, stored=stored), Storage(stored.output))
    with pytest.raises(UserError, match="another sweep named"):
        StudyStore.of(stored).all_records(stored)
    with pytest.raises(UserError, match="another sweep named"):
        outcomes(stored)


# -- places ---------------------------------------------------------------------------------------------------


def test_of_two_first_starts_in_one_place_the_later_is_refused(tmp_path: Path, storage: Storage) -> None:
    """With two studies, and so two locks, only the plan itself tells."""
    one, other = (typed_plan(tmp_path, "--name", "evening") for _ in range(2))
    one, other = (replace(each, plan=replace(each.plan, output=storage.uri)) for each in (one, other))
    freeze(one, one.plan, storage)
    before = storage.read(layout.PLAN)
    with pytest.raises(UserError, match="already exists"):
        freeze(other, other.plan, storage)
    assert storage.read(layout.PLAN) == before
    freeze(one, one.plan, storage)  # a repeated write of one's own is none


@pytest.mark.parametrize(
    "left", ["jobs/tera/final/none/seed-1001/step-8/manifest.json", "nominations.json", "spool/records.jsonl"]
)
@pytest.mark.parametrize("where", ["output", "home"])
def test_what_a_sweep_left_without_its_plan_is_not_taken_over(tmp_path: Path, left: str, where: str) -> None:
    planned = typed_plan(tmp_path, "--name", "evening")
    planned = replace(planned, plan=replace(planned.plan, home=str(tmp_path / "home")))
    refuse_clash(planned, Storage(planned.plan.output))
    Storage(getattr(planned.plan, where)).write(left, b"{}")
    with pytest.raises(UserError, match=r"of another sweep: choose another --name"):
        refuse_clash(planned, Storage(planned.plan.output))


def test_a_sweep_that_has_begun_does_not_begin_again_without_its_study(tmp_path: Path) -> None:
    planned = typed_plan(tmp_path, "--name", "evening")
    storage = Storage(planned.plan.output)
    started = replace(planned, stored=planned.plan)
    refuse_clash(started, storage)
    storage.write(layout.HEARTBEAT, b"{}")
    with pytest.raises(UserError, match=r"study .*study\.db is not on this machine"):
        refuse_clash(started, storage)


@pytest.mark.parametrize("name", ["all", "stages", "corpora", "mlflow-artifacts"])
def test_names_that_are_used_otherwise_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="choose another"):
        typed_plan(tmp_path, "--name", name)
