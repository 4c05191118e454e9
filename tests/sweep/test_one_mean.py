"""One candidate, one metric, one mean: every place that prints it under the same title prints the same number.

Speakers have unequal numbers of utterances and unequal scores, a reference fails, a candidate fails on a few
utterances and a finalist fails altogether. The expected means are worked out here from the rows by pandas.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation

from sweep.commands.main import run_command
from sweep.core.jobs import Job
from sweep.core.listener import JobEnded, JobStarted
from sweep.driver import answer
from sweep.frames import leaderboard
from sweep.plan.plan import Plan
from sweep.report.figures.pareto import pareto_plot
from sweep.report.findings.findings import findings
from sweep.report.findings.metric_means import scores_of
from sweep.report.publication import Publication
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.reading import read_result, read_rows
from sweep.stored.rows import collect_rows, rows_file, store_rows, to_parquet
from sweep.tracking.mlflow_view import open_client
from sweep.tracking.tracker import Tracker
from sweep.verdict.result import Result
from tests.support.sweeps.finished_sweep import LEVELS
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.storage.storage import Storage
from trainables.job.assignment import DataSettings

UTTERANCES = 240
METRICS = ("si_sdr", "wb_pesq")
LEADER = "layer2"
FAILED = Job("tera", "final", "random", 1003)

Means = Mapping[tuple[str, str, str], float]  # by group, candidate and metric


def sweep_rows(plan: Plan, n_speakers: int) -> list[dict[str, Any]]:
    """The finalists' rows; the later a speaker comes, the fewer and the better its utterances."""
    rng = np.random.default_rng(n_speakers)
    speakers = np.sort((n_speakers * rng.random(UTTERANCES) ** 2).astype(int))
    rows = []
    jobs = [(group.name, label, seed) for group in plan.groups for label in list(LEVELS)[1:] for seed in plan.seeds]
    for group, label, seed in [("", "noisy", -1), *jobs]:
        job = "noisy" if label == "noisy" else f"{group}/final/{label}/seed-{seed}"
        if job == FAILED.path:
            continue
        for number, speaker in enumerate(speakers):
            for metric in METRICS:
                score = LEVELS[label] * (1 + 0.2 * speaker) + 0.3 * rng.standard_normal()
                fails = (label, number) == ("noisy", 7) or (label, seed, number) == ("none", 1002, 11)
                fails = metric == "si_sdr" and (fails or (label, seed, number) == ("random", 1001, 200))
                rows.append(
                    {
                        "group": group,
                        "candidate": label,
                        "phase": "final",
                        "seed": seed,
                        "job": job,
                        "split": "test",
                        "utterance": f"u{number:03d}",
                        "speaker": f"s{speaker:02d}",
                        "noise_type": ("hum", "babble", "hum")[number % 3],
                        "snr_db": (-5.0, 5.0)[number % 2],
                        "metric": metric,
                        "value": None if fails else score if metric == "si_sdr" else 1.5 + score / 10,
                        "status": "non_finite" if fails else "ok",
                        "gain": 1.0,
                        "polarity": 1.0,
                        "lag": 0,
                    }
                )
    return rows


def worked_out(rows: pd.DataFrame, plan: Plan) -> Means:
    """From the rows: seeds with equal weights, then speakers from ten up, on the cells that all complete ones have."""
    speakers = rows.drop_duplicates("utterance").set_index("utterance")["speaker"]
    means = {}
    for group in plan.groups:
        for metric in METRICS:
            ok = rows["metric"].eq(metric) & rows["status"].eq("ok") & rows["group"].isin([group.name, ""])
            cells = rows[ok].pivot(index="utterance", columns=["candidate", "seed"], values="value")
            complete = [label for label in LEVELS if (group.name, label) != (FAILED.group, FAILED.candidate)]
            for label in LEVELS:
                mine = cells[complete if label in complete else ["noisy", label]].dropna()
                scores = mine[[label]].mean(axis="columns")
                if speakers.nunique() >= 10:
                    scores = scores.groupby(speakers).mean()
                means[group.name, label, metric] = float(scores.mean())
    return means


class Sweep:
    """A finished sweep over such rows, by the driver's own functions, and what it wrote."""

    def __init__(self, base: Path, n_speakers: int) -> None:
        data = DataSettings(evaluation_snrs=(-5.0, 5.0))
        self.plan = plan = make_plan(base / "evening", name="evening", data=data)
        self.base, self.folder = base, base / "report"
        storage = Storage(plan.output)
        checkpoints = StoredCheckpoints(storage)
        by_job: dict[str, list[dict[str, Any]]] = {}
        for row in sweep_rows(plan, n_speakers):
            by_job.setdefault(row["job"], []).append(row)
        for job, rows in by_job.items():
            checkpoints.write_result(job, rows_file("test"), to_parquet(rows))
        rows = collect_rows(checkpoints, by_job, "test")
        store_rows(storage, rows, "test")
        self.rows = pd.DataFrame(rows)
        self.scores = scores_of(plan, self.rows)
        leaders = {group.name: LEADER for group in plan.groups}
        finalists = {group.name: self._finalists(group.name, by_job) for group in plan.groups}
        decided = answer.verdicts(plan, self.rows, leaders, finalists, {}, {})
        counts = {"complete": len(by_job) - 1, "pruned": 0, "failed": 1}
        self.result: Result = {
            **answer.result_object(plan, decided, counts),
            **findings(plan, self.scores, leaders, []),
        }
        storage.write("plan.json", json.dumps(plan.to_json()).encode())
        storage.write("result.json", json.dumps(self.result).encode())
        self.folder.mkdir()
        Publication(plan, self.result, self.rows, [], checkpoints).write(self.folder)
        self.means = worked_out(self.rows, plan)

    def _finalists(self, group: str, jobs: Mapping[str, Any]) -> answer.Finalists:
        mine = tuple(Job.parse(job) for job in jobs if job.startswith(f"{group}/"))
        return answer.Finalists(complete=mine, failed=(("random", 1003),) if group == FAILED.group else ())

    def printed(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
        capsys.readouterr()
        assert run_command("leaderboard", ["evening", "--output", str(self.base), *arguments]) == 0
        return capsys.readouterr().out

    def mean(self, group: str, label: str, metric: str = "si_sdr") -> Any:
        return pytest.approx(self.means[group, label, metric], rel=1e-12)

    def shown(self, group: str, label: str, metric: str = "si_sdr") -> str:
        """As tables round it."""
        return f"{self.means[group, label, metric]:.{2 if metric == 'si_sdr' else 3}f}"


@pytest.fixture(scope="module", params=[13, 6], ids=["by speaker", "by utterance"])
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return Sweep(tmp_path_factory.mktemp("sweeps"), request.param)


def each(sweep: Sweep) -> list[tuple[str, str]]:
    """(group, candidate) without the noisy input."""
    return [(group.name, label) for group in sweep.plan.groups for label in LEVELS if label != "noisy"]


def test_the_rows_tell_the_means_apart(sweep: Sweep) -> None:
    """Else the other tests would show little: speakers, failed cells and failed seeds all matter here."""
    ok = sweep.rows[sweep.rows["metric"].eq("si_sdr") & sweep.rows["status"].eq("ok")]
    plain = ok.groupby(["group", "candidate"])["value"].mean()
    by_speaker = sweep.rows["speaker"].nunique() >= 10
    assert {group["population"]["unit"] for group in sweep.result["groups"]} == {
        "speaker" if by_speaker else "utterance"
    }
    for group, label in each(sweep):
        away = abs(plain[group, label] - sweep.means[group, label, "si_sdr"])
        assert away > (0.05 if by_speaker else 1e-5)


def test_the_verdict_and_all_metrics(sweep: Sweep) -> None:
    for group in sweep.result["groups"]:
        name = group["group"]["upstream"]
        assert group["score"] == sweep.mean(name, LEADER)
        assert group["noisy"]["score"] == sweep.mean(name, "noisy")
        for candidate in group["candidates"]:
            assert candidate["score"] == sweep.mean(name, candidate["label"])
    found = [entry for entry in sweep.result["metrics"] if not entry["published"]]
    assert len(found) == len(sweep.plan.groups) * len(LEVELS)
    for entry in found:
        assert set(entry["scores"]) == set(METRICS)
        for metric, value in entry["scores"].items():
            assert value == sweep.mean(entry["group"], entry["candidate"], metric)
    exact = {(entry["group"], entry["candidate"]): entry["scores"]["si_sdr"] for entry in found}
    for group in sweep.result["groups"]:
        for candidate in group["candidates"]:
            assert exact[group["group"]["upstream"], candidate["label"]] == candidate["score"]


def test_scores_by_snr_end_in_that_mean(sweep: Sweep) -> None:
    ours = [entry for entry in sweep.result["by_snr"] if not entry["published"]]
    assert len(ours) == len(sweep.plan.groups) * len(METRICS) * len(LEVELS)
    for entry in ours:
        assert entry["group"] is not None
        assert entry["mean"] == sweep.mean(entry["group"], entry["candidate"], entry["metric"])
        assert set(entry["scores"]) == {"-5", "5"}


@pytest.mark.parametrize("metric", METRICS)
def test_the_printed_tables(sweep: Sweep, metric: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [] if metric == "si_sdr" else ["--metric", metric]
    tables = [
        sweep.printed(capsys, *arguments, "--details"),
        sweep.printed(capsys, *arguments, "--format", "markdown"),
        sweep.printed(capsys, *arguments, "--format", "latex"),
    ]
    if metric == "si_sdr":
        tables += [(sweep.folder / name).read_text() for name in ("leaderboard.md", "leaderboard.tex")]
    for text in tables:
        for name, label in each(sweep):
            found = re.findall(rf"\b{label}\s*[|&]?\s+(-?\d+\.\d+)\s*(?:±|\$)", text)
            assert sweep.shown(name, label, metric) in found
        for group in sweep.plan.groups:
            assert f"noisy input {sweep.shown(group.name, 'noisy', metric)}, the leader is" in text


def test_json_and_csv(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(sweep.printed(capsys, "--format", "json"))["groups"] == sweep.result["groups"]
    for metric in METRICS:
        out = sweep.printed(capsys, "--format", "csv", "--metric", metric)
        for line in csv.DictReader(io.StringIO(out)):
            assert float(line["score"]) == sweep.mean(line["group"], line["candidate"], metric)
        frame = leaderboard("evening", metric, str(sweep.base))
        for _, row in frame.iterrows():
            assert row["score"] == sweep.mean(row["group"], row["candidate"], metric)


def test_the_reports_files(sweep: Sweep) -> None:
    for frame in (
        pd.read_csv(sweep.folder / "leaderboard.csv"),
        pd.read_parquet(sweep.folder / "leaderboard.parquet"),
    ):
        ours = frame[frame["source"].eq("this sweep")]
        assert len(ours) == len(each(sweep))
        for _, row in ours.iterrows():
            assert row["score"] == row["si_sdr"] == sweep.mean(row["group"], row["candidate"])
            assert row["wb_pesq"] == sweep.mean(row["group"], row["candidate"], "wb_pesq")
    page = (sweep.folder / "index.html").read_text()
    for group, label in each(sweep):
        assert f"<td>{label}</td><td>{sweep.shown(group, label)} ±" in page


def test_the_pareto_figures_points(sweep: Sweep, tmp_path: Path) -> None:
    figure = pareto_plot(sweep.result, tmp_path / "pareto.png")
    assert figure is not None
    for group, axes in zip(sweep.plan.groups, figure.axes, strict=True):
        points = {text.get_text(): text.xy for text in axes.texts if isinstance(text, Annotation)}
        for label in [label for label in LEVELS if label != "noisy"]:
            across, upwards = points[label]
            assert across == sweep.mean(group.name, label, "wb_pesq")
            assert upwards == sweep.mean(group.name, label)
        noisy = [f"{sweep.means[group.name, 'noisy', metric]:.2f}" for metric in ("wb_pesq", "si_sdr")]
        assert f"noisy input: {', '.join(noisy)}" in points


@pytest.mark.parametrize("field", ["seed", "speaker", "noise_type", "snr"])
def test_a_breakdowns_parts_add_up_to_it(sweep: Sweep, field: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Seeds weigh the same, and so do the units: speakers, or else the parts' utterances."""
    by_speaker = sweep.rows["speaker"].nunique() >= 10
    for group in json.loads(sweep.printed(capsys, "--by", field, "--format", "json"))["groups"]:
        rows = group["rows"]
        if by_speaker and field in ("noise_type", "snr"):
            continue  # a speaker has utterances in several parts
        weights = [1 if field == "seed" or by_speaker else row["utterances"] for row in rows]
        for label in rows[0]["scores"]:
            total = np.average([row["scores"][label] for row in rows], weights=weights)
            assert total == sweep.mean(group["name"], label)


def test_a_part_is_the_mean_over_its_units(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    """Of wav2vec2, whose candidates are all complete; the verdict's table by noise type has the same numbers."""
    by_type = sweep.result["groups"][1]["by_noise_type"]["types"]
    found = json.loads(sweep.printed(capsys, "--by", "noise_type", "--format", "json"))["groups"][1]["rows"]
    for theirs, row in zip(by_type, found, strict=True):
        assert theirs["scores"].items() <= row["scores"].items()
        part = sweep.rows[sweep.rows["noise_type"].eq(row["value"])]
        expected = worked_out(part, sweep.plan)
        if part["speaker"].nunique() >= 10 or sweep.rows["speaker"].nunique() < 10:
            assert row["scores"]["layer1"] == pytest.approx(expected["wav2vec2", "layer1", "si_sdr"])


def test_a_comparison_without_pairs_has_each_sweeps_own_means(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_plan(sweep.base / "other", name="other", corpus_fingerprint="another")
    storage = Storage(other.output)
    storage.write("plan.json", json.dumps(other.to_json()).encode())
    storage.write("results/rows-test.parquet", Storage(sweep.plan.output).read("results/rows-test.parquet"))
    found = json.loads(sweep.printed(capsys, "--compare", "other", "--format", "json"))
    assert not found["paired"]
    for group in found["groups"]:
        for row in group["candidates"]:
            assert row["scores"] == [sweep.mean(group["name"], row["label"])] * 2


def test_mlflow(sweep: Sweep, tmp_path: Path) -> None:
    said: list[str] = []
    tracker = Tracker(sweep.plan, tmp_path / "spool", said.append)
    for job in sorted(answer.finalist_means(sweep.scores)):
        tracker.hear(JobStarted(job, 0, 1, {}))
        tracker.hear(JobEnded(job, 1, "complete", 0.0))
    tracker.log_results(sweep.result, {}, answer.finalist_means(sweep.scores))
    tracker.close()
    client = open_client(sweep.plan.tracking_uri)
    (experiment,) = [e for e in client.search_experiments() if e.name.startswith("speech-sweep/")]
    runs = {run.data.tags["speech_sweep.job"]: run for run in client.search_runs([experiment.experiment_id])}
    parent = runs["evening"]
    for name, label in each(sweep):
        run = runs[f"evening/candidates/{name}/{label}"]
        assert run.data.metrics["score"] == sweep.mean(name, label)
        finalists = [found for job, found in runs.items() if job.startswith(f"evening/{name}/final/{label}/")]
        assert len(finalists) == (2 if (name, label) == ("tera", "random") else 3)
        for metric in METRICS:
            of_seeds = [found.data.metrics[f"test_{metric}"] for found in finalists]
            assert np.mean(of_seeds) == sweep.mean(name, label, metric)
    for group in sweep.plan.groups:
        assert parent.data.metrics[f"leader_score/{group.name}"] == sweep.mean(group.name, LEADER)
        assert (
            f" {LEADER} {sweep.means[group.name, LEADER, 'si_sdr']:.3f} (" in parent.data.tags[f"verdict.{group.name}"]
        )


def test_in_another_metric_the_stored_sweep_says_what_the_driver_had_found(sweep: Sweep) -> None:
    storage = Storage(sweep.plan.output)
    other = read_result(sweep.plan, storage, "wb_pesq")
    for group in other["groups"]:
        name = group["group"]["upstream"]
        assert group["noisy"]["score"] == sweep.mean(name, "noisy", "wb_pesq")
    rows = read_rows(sweep.plan, storage)
    assert len(rows) == len(sweep.rows)
