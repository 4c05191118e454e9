"""Bad input gets one clear line before anything starts; good input becomes a complete plan."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from search_spaces.ssl_presets import PRESETS
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.by_name import sweep_names
from tests.support.methods import s3prl_model
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


def test_defaults_are_the_demo_on_the_demo_corpus(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    assert planned.plan.preset == "demo"
    assert planned.plan.corpus_source == "demo"
    assert [group.name for group in planned.plan.groups] == ["tera", "wav2vec2"]
    assert planned.plan.output == str(tmp_path / "sweeps" / planned.plan.name)
    assert planned.sources["preset"] == "default"


def test_a_default_name_is_space_date_time_and_four_hex_digits(tmp_path: Path) -> None:
    import re

    assert re.fullmatch(r"norm_layers-\d{8}-\d{6}-[0-9a-f]{4}", plan(tmp_path).plan.name)


def test_flags_win_over_the_environment_and_both_over_defaults(tmp_path: Path) -> None:
    environ = {"SPEECH_SWEEP_PRESET": "smoke"}
    assert plan(tmp_path, environ=environ).plan.preset == "smoke"
    assert plan(tmp_path, environ=environ).sources["preset"] == "SPEECH_SWEEP_PRESET"
    assert plan(tmp_path, "--preset", "demo", environ=environ).plan.preset == "demo"


def test_seeds_auto_plans_looks_that_share_alpha(tmp_path: Path) -> None:
    made = plan(tmp_path, "--seeds", "auto").plan
    assert made.looks == (3, 5, 8)
    assert len(made.seeds) == 8
    assert made.alpha_per_look == pytest.approx(0.05 / 3)
    assert len(made.at_first_look().final_jobs("tera")) == 3 * 5
    assert Plan.from_json(made.to_json()) == made


def test_a_slow_metric_that_decides_is_computed_on_every_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(tmp_path).plan.slow_clips == 10
    assert plan(tmp_path, "--preset", "smoke").plan.slow_clips is None
    monkeypatch.setitem(PRESETS, "demo", replace(PRESETS["demo"], metric="wb_pesq"))
    assert plan(tmp_path).plan.slow_clips is None


def test_further_metrics_are_columns_that_never_decide(tmp_path: Path) -> None:
    made = plan(tmp_path, "--also", "dnsmos,si_sdr,nb_pesq").plan
    assert made.also == ("dnsmos", "nb_pesq")  # the other one is there anyway
    assert made.scored[-2:] == ("dnsmos", "nb_pesq")
    assert made.metric == "si_sdr"
    assert Plan.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--also", "mos"), "unknown metric 'mos': choose from wb_pesq"),
        (("--also", "si_sdri"), "metric 'si_sdri' is of separated mixtures"),
        (
            ("--space", "separation_pretraining", "--also", "dnsmos"),
            "'dnsmos' needs audio at 16000 Hz, this is at 8000 Hz",
        ),
    ],
)
def test_a_further_metric_that_cannot_be_is_refused(tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(tmp_path, *flags)


def test_every_candidate_gets_the_same_number_of_search_trials_and_the_same_seeds(tmp_path: Path) -> None:
    made = plan(tmp_path, "--samples", "3", "--seeds", "4").plan
    labels = [candidate.label for candidate in made.group_plan("tera").candidates]
    searched = [job.candidate for job in made.search_jobs("tera")]
    assert labels == ["none", "random", "layer1", "layer2", "layer3"]
    assert all(searched.count(label) == 3 for label in labels)
    finals = made.final_jobs("tera")
    assert {label: {job.number for job in finals if job.candidate == label} for label in labels} == {
        label: set(made.seeds) for label in labels
    }


def test_finalists_never_train_with_the_seed_of_the_search(tmp_path: Path) -> None:
    made = plan(tmp_path, "--seeds", "10", "--seed", "7").plan
    assert made.search_seed not in made.seeds


def test_a_plan_survives_its_json(tmp_path: Path) -> None:
    made = plan(tmp_path).plan
    assert Plan.from_json(made.to_json()) == made


def test_an_assignment_is_complete_and_lists_the_stages_it_reads(tmp_path: Path) -> None:
    made = plan(tmp_path).plan
    job = made.final_jobs("tera")[2]
    assignment = made.assignment(job, {"lr_head": 1e-3, "lr_body_ratio": 0.5, "k0": 0.5}, attempt=2)
    assert assignment.job == f"tera/final/layer1/seed-{made.seeds[0]}"
    assert assignment.config["norm_layers"] == [1]
    assert assignment.config["upstream"] == "tera"
    assert [stage["seed"] for stage in assignment.stages] == [made.seeds[0]]


def test_all_candidates_of_a_seed_share_one_pre_training(tmp_path: Path) -> None:
    made = plan(tmp_path).plan
    pretraining = [stage for stage in made.stages() if stage.kind == "pretraining"]
    assert len(pretraining) == 2 * (1 + len(made.seeds))


def test_more_steps_keep_the_number_of_rounds(tmp_path: Path) -> None:
    made = plan(tmp_path, "--steps", "500").plan
    assert (made.steps, made.round_steps) == (500, 250)


def test_a_fixed_momentum_is_a_fixed_horizon(tmp_path: Path) -> None:
    made = plan(tmp_path, "--set", "beta_m=0.99").plan
    assert made.fixed == {"horizon_m": 100.0}
    assert made.config("tera", "layer1", {"horizon_m": 7.0})["horizon_m"] == 100.0


def test_a_fixed_field_is_never_searched(tmp_path: Path) -> None:
    made = plan(tmp_path, "--set", "lr_head=0.003").plan
    assert made.config("tera", "none", {"lr_head": 1e-3, "lr_body_ratio": 0.5})["lr_head"] == 0.003


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--space", "norm_layer"], ["norm_layer'", "norm_layers", "--list-spaces"]),
        (["--preset", "big"], ["'big'", "smoke, demo"]),
        (["--upstreams", "tera,bert"], ["'bert'", "tera, wav2vec2"]),
        (["--upstreams", "tera,tera"], ["twice"]),
        (["--corpus", "nowhere"], ["nowhere", "does not exist"]),
        (["--corpus", "x" * 300], ["--corpus 'xxx", "File name too long", "give a folder"]),
        (["--labelled-minutes", "-2"], ["-2", "above 0", "all"]),
        (["--name", "a/b"], ["a/b", "letters"]),
        (["--output", "gs://bucket"], ["gs://bucket", "s3://"]),
        (["--output", "s3://"], ["--output 's3://'", "no bucket", "s3://bucket/prefix"]),
        (["--output", "s3:/bucket/x"], ["--output 's3:/bucket/x'", "no bucket"]),
        (["--corpus", "s3://"], ["--corpus 's3://'", "no bucket"]),
        (["--corpus", "s3:/bucket/x"], ["--corpus 's3:/bucket/x'", "no bucket"]),
        (["--tracking-uri", "./mlruns"], ["mlruns", "sqlite:///"]),
        (["--set", "k0"], ["k0", "FIELD=VALUE"]),
        (["--set", "no_such_field=1"], ["no_such_field"]),
        (["--set", "norm_layers=[2]"], ["norm_layers", "compares"]),
        (["--set", "optimizer=None"], ["optimizer='None'", "adam, muon, null"]),
        (["--set", "k0=1", "--set", "k0=0.5"], ["k0", "twice"]),
        (["--set", "k0=" + 5000 * "9"], ["k0=999", "shorter"]),
        (["--set", "k0=" + 100_000 * "["], ["k0=[[[", "shorter"]),
        (["--preset", ""], ["--preset ''", "leave it out"]),
        (["--upstreams", ""], ["--upstreams ''", "leave it out"]),
        (["--output", ""], ["--output ''", "leave it out"]),
        (["--tracking-uri", "http://[::1"], ["http://[::1", "brackets"]),
        (
            ["--study-uri", "http://localhost:1"],
            ["--study-uri 'http://localhost:1'", "sqlite:////", "postgresql://"],
        ),
        (["--study-uri", "mlruns"], ["'mlruns'", "sqlite:////"]),
        (["--study-uri", "sqlite://"], ["'sqlite://'", "sqlite:////"]),
        (["--study-uri", "mysql://x/y"], ["mysql", "sqlite:////"]),
        (["--study-uri", "postgresql://[::1"], ["postgresql://[::1", "sqlite:////"]),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_allowed(tmp_path: Path, flags: list[str], says: list[str]) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, *flags)
    line = str(error.value)
    assert "\n" not in line
    assert all(part in line for part in says)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SPEECH_SWEEP_CORPUS", "nowhere"), ("SPEECH_SWEEP_PRESET", "big"), ("MLFLOW_TRACKING_URI", "mlruns")],
)
def test_bad_input_from_the_environment_is_blamed_on_its_variable(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(UserError, match=f"{variable}.*'{value}'"):
        plan(tmp_path, environ={variable: value})


def test_an_sqlite_file_is_known_by_its_absolute_path(tmp_path: Path) -> None:
    """The driver changes its folder while it runs, and would leave a relative one behind with it."""
    flags = ("--study-uri", "sqlite:///study.db", "--tracking-uri", "sqlite:///mlflow.db")
    made = plan(tmp_path, *flags).plan
    assert made.study_uri == f"sqlite:///{tmp_path}/study.db"
    assert made.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_name_that_exists_needs_resume(tmp_path: Path) -> None:
    freeze(plan(tmp_path, "--name", "first"))
    with pytest.raises(UserError, match="--resume first"):
        plan(tmp_path, "--name", "first")


def test_resume_takes_everything_from_the_plan(tmp_path: Path) -> None:
    started = plan(tmp_path, "--name", "first", "--steps", "80")
    freeze(started)
    again = resume(tmp_path, "first")
    assert again.plan == started.plan
    assert again.stored is not None


def test_resume_refuses_what_would_change_the_plan_by_name(tmp_path: Path) -> None:
    freeze(plan(tmp_path, "--name", "first"))
    with pytest.raises(UserError, match="--steps"):
        resume(tmp_path, "first", "--steps", "7")


@pytest.mark.parametrize(
    ("started", "repeated"),
    [
        (["--corpus", "demo"], ["--corpus", "demo"]),
        ([], ["--corpus", "demo", "--labelled-minutes", "all"]),
        (["--labelled-minutes", "5"], ["--labelled-minutes", "5.0"]),
        (["--also", "sdr,nb_pesq"], ["--also", "nb_pesq"]),
        (["--set", "lr_head=0.003", "--set", "k0=1"], ["--set", "lr_head=3e-3"]),
        (["--set", "beta_m=0.99"], ["--set", "beta_m=0.99"]),
        (["--set", "beta_m=0.99"], ["--set", "horizon_m=100"]),
        (["--seed", "3", "--steps", "80"], ["--seed", "3", "--steps", "80"]),
        ([], ["--seed", "0", "--gpus-per-trial", "0"]),
        ([], ["--name", "first"]),
        (["--study-uri", "sqlite:///study.db"], ["--study-uri", "sqlite:///study.db"]),
    ],
)
def test_resume_takes_what_merely_repeats_the_plan(tmp_path: Path, started: list[str], repeated: list[str]) -> None:
    freeze(plan(tmp_path, "--name", "first", *started))
    assert resume(tmp_path, "first", "--space", "norm_layers", *repeated).stored is not None


@pytest.mark.parametrize(
    "flags",
    [
        ["--corpus", "elsewhere"],
        ["--labelled-minutes", "6"],
        ["--also", "nb_pesq"],
        ["--set", "lr_head=0.004"],
        ["--set", "k0=1"],
        ["--seed", "0"],
        ["--gpus-per-trial", "0"],
        ["--name", "second"],
    ],
)
def test_resume_refuses_what_differs_from_the_plan(tmp_path: Path, flags: list[str]) -> None:
    started = ["--labelled-minutes", "5", "--also", "sdr", "--set", "lr_head=0.003", "--seed", "3"]
    freeze(plan(tmp_path, "--name", "first", *started, "--gpus-per-trial", "0.5"))
    with pytest.raises(UserError, match=f"{flags[0]} would change it"):
        resume(tmp_path, "first", *flags)


def test_resume_of_nothing_says_what_there_is(tmp_path: Path) -> None:
    freeze(plan(tmp_path, "--name", "first"))
    with pytest.raises(UserError, match="there are: first"):
        resume(tmp_path, "second")


def test_resume_refuses_other_training_code(tmp_path: Path) -> None:
    started = plan(tmp_path, "--name", "first")
    stored = {**started.plan.to_json(), "code": "0" * 16}
    Storage(started.plan.output).write(layout.PLAN, json.dumps(stored).encode())
    with pytest.raises(UserError, match="training code"):
        resume(tmp_path, "first")


def test_resume_refuses_weights_that_are_no_longer_what_they_were(tmp_path: Path) -> None:
    weights = tmp_path / "tera.ckpt"
    s3prl_model.write(weights)
    flags = ("--preset", "paper", "--corpus", "demo", "--upstreams", "tera")
    started = plan(tmp_path, "--name", "first", *flags, "--set", f"checkpoint={weights}")
    freeze(started)
    weights.touch()
    assert resume(tmp_path, "first").plan == started.plan
    s3prl_model.write(weights, Step=2)
    with pytest.raises(UserError, match=r"the weights of tera \(base\) checkpoint have changed since sweep 'first'"):
        resume(tmp_path, "first")


def test_a_share_of_a_gpu_makes_every_job_train_on_one(tmp_path: Path) -> None:
    made = plan(tmp_path, "--gpus-per-trial", "0.25").plan
    assert made.gpus_per_trial == 0.25
    assert {stage.device for stage in made.stages()} == {"cuda"}
    assert plan(tmp_path).plan.device == "cpu"


def test_only_a_default_share_is_measured(tmp_path: Path) -> None:
    """At scale, on a cluster, if no share was given; and never again on resume."""
    at_scale = ("--preset", "small", "--corpus", "demo", "--name", "first")
    on_a_cluster = {"RAY_ADDRESS": "10.0.0.1:6379"}
    planned = plan(tmp_path, *at_scale, environ=on_a_cluster)
    assert planned.plan.gpus_per_trial == 1
    assert planned.measures_gpu_share
    assert not plan(tmp_path, *at_scale, "--gpus-per-trial", "1", environ=on_a_cluster).measures_gpu_share
    assert not plan(tmp_path, "--preset", "demo", environ=on_a_cluster).measures_gpu_share
    freeze(planned)
    assert not resume(tmp_path, "first").measures_gpu_share


@pytest.mark.parametrize("share", ["2", "-1", "half", "nan"])
def test_more_than_a_gpu_is_refused(tmp_path: Path, share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plan(tmp_path, "--gpus-per-trial", share)
    assert "a number from 0 to 1" in capsys.readouterr().err


def test_a_bucket_that_cannot_be_reached_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"cannot look into s3://lab/sweeps/evening.*AWS_ENDPOINT_URL"):
        plan(tmp_path, "--output", "s3://lab/sweeps", "--name", "evening")


def test_a_folder_that_cannot_be_looked_into_is_no_matter_of_buckets(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot look into .*File name too long.*a folder you may read") as error:
        plan(tmp_path, "--output", "a" * 300, "--name", "evening")
    assert "AWS" not in str(error.value)


def test_only_sweeps_are_listed_and_nothing_below_them(tmp_path: Path) -> None:
    freeze(plan(tmp_path, "--name", "first"))
    freeze(plan(tmp_path, "--name", "inner", "--output", str(tmp_path / "sweeps" / "archive")))
    (tmp_path / "sweeps" / "notes").mkdir()
    assert sweep_names(str(tmp_path / "sweeps")) == ["first"]
    with pytest.raises(UserError, match=r"\(there are: first\)"):
        resume(tmp_path, "second")


def test_a_foreign_folder_next_to_the_sweeps_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal is made here, since tests may run as root, who may enter every folder."""
    freeze(plan(tmp_path, "--name", "first"))
    (tmp_path / "sweeps" / "private").mkdir()
    is_file = Path.is_file

    def refusing(path: Path) -> bool:
        if path.parent.name == "private":
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refusing)
    assert sweep_names(str(tmp_path / "sweeps")) == ["first"]


# -- paths ----------------------------------------------------------------------------------------------

AT_BASE = ("--preset", "paper", "--corpus", "demo", "--upstreams", "tera")


def checkpoints_of(made: Plan) -> set[str]:
    return {stage.config["checkpoint"] for stage in made.stages()}


@pytest.mark.parametrize(
    "given", ["./w/x.pt", "w/x.pt", "w/../w/x.pt", "x.pt", "~/w/x.pt", "w/ä #1?.pt", "./w/{upstream}"]
)
def test_a_checkpoint_is_found_from_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w").mkdir()
    for name in ("w/x.pt", "x.pt", "w/ä #1?.pt", "w/tera"):
        s3prl_model.write(tmp_path / name)
    made = plan(tmp_path, *AT_BASE, "--name", "first", "--set", f"checkpoint={given}")
    (found,) = checkpoints_of(made.plan)
    assert Path(found).is_absolute()
    assert Path(found).is_file()
    freeze(made)
    assert resume(tmp_path, "first", "--set", f"checkpoint={given}").plan == made.plan


@pytest.mark.parametrize("given", ["./x.pt", "models/x.pt", "x", "~/x.pt", "../x.pt", "/nowhere/x.pt", "/dev/null"])
def test_a_checkpoint_that_is_not_there_is_refused_by_its_whole_path(tmp_path: Path, given: str) -> None:
    with pytest.raises(UserError, match=r"checkpoint (at )?/\S+") as refused:
        plan(tmp_path, *AT_BASE, "--set", f"checkpoint={given}")
    assert str((tmp_path / Path(given).expanduser()).resolve()) in str(refused.value)


@pytest.mark.parametrize("given", ["~nobody-at-all/x.pt", "./a\\u0000b", "./" + "x" * 300])
def test_what_can_be_no_path_is_a_line(tmp_path: Path, given: str) -> None:
    with pytest.raises(UserError) as refused:
        plan(tmp_path, *AT_BASE, "--set", f'checkpoint="{given}"')
    assert str(refused.value).isprintable()


def test_a_hub_id_stays_one_unless_something_is_there(tmp_path: Path) -> None:
    flags = (*AT_BASE, "--set", "checkpoint=owner/model")
    assert checkpoints_of(plan(tmp_path, *flags).plan) == {"owner/model"}
    (tmp_path / "owner" / "model").mkdir(parents=True)
    s3prl_model.write(tmp_path / "owner" / "model" / "states-1.ckpt")
    assert checkpoints_of(plan(tmp_path, *flags).plan) == {str(tmp_path / "owner" / "model")}


def test_paths_of_a_space_of_ones_own_start_from_the_users_folder(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "mine.py").write_text(
        "from dataclasses import replace\n"
        "from search_spaces.norm_layers import NORM_LAYERS\n"
        "def candidates(group, preset):\n"
        "    return [replace(c, config={**c.config, 'checkpoint': './x.pt'})\n"
        "            if c.label == 'layer1' else c for c in NORM_LAYERS.candidates(group, preset)]\n"
        "SPACE = replace(NORM_LAYERS, name='mine', candidates=candidates)\n"
    )
    flags = ("--space", "spaces/mine.py", *AT_BASE)
    with pytest.raises(UserError, match=f"no checkpoint at {tmp_path}/x.pt"):
        plan(tmp_path, *flags)
    s3prl_model.write(tmp_path / "x.pt")
    made = plan(tmp_path, *flags).plan
    assert made.candidate("tera", "layer1").config["checkpoint"] == str(tmp_path / "x.pt")
    assert Plan.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize("flag", ["--output", "--corpus", "--space"])
@pytest.mark.parametrize("name", ["a\nb", "a\udcffb", "~nobody-at-all"])
def test_names_that_results_cannot_hold_are_refused_in_a_line(tmp_path: Path, flag: str, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UserError) as refused:
        plan(tmp_path, flag, f"{name}.py" if flag == "--space" else name)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("prefix", ["a#b", "a?b"])
def test_a_key_that_mlflow_reads_in_another_way_is_refused(s3_bucket: str, tmp_path: Path, prefix: str) -> None:
    flags = ("--output", f"{s3_bucket}/{prefix}")
    with pytest.raises(UserError, match=r"--output .*MLflow would write its artifacts to another key"):
        plan(tmp_path, *flags)
    made = plan(tmp_path, *flags, "--tracking-uri", "http://mlflow.lab:5000").plan
    assert made.output == f"{s3_bucket}/{prefix}/{made.name}"


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--output", "file"), "--output: {here}/file is not a folder"),
        (("--output", "file/below"), "--output: {here}/file is not a folder"),
        (("--study-uri", "sqlite:///absent/study.db"), "--study-uri 'sqlite:///absent/study.db': {here}/absent does"),
        (
            ("--tracking-uri", "sqlite:///file/m.db"),
            "--tracking-uri 'sqlite:///file/m.db': {here}/file is not a folder",
        ),
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused_by_name(
    tmp_path: Path, flags: tuple[str, ...], named: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as refused:
        plan(tmp_path, *flags)
    assert named.format(here=tmp_path) in str(refused.value)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
