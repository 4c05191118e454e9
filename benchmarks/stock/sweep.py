"""The demo's question by stock tools: Ray Tune, OptunaSearch, ASHA and MLflow's callback, as their tutorials do it.

    python -m benchmarks.stock.sweep FOLDER --corpus PREPARED

It is an afternoon's work without this project's engine, and it is meant to be good: the training code,
candidates, ranges, first guesses, numbers of trials and seeds are those of `sweep/run.py --space norm_layers`,
pre-training is done once for all trials of a seed, and both phases use every core. What it lacks is what the tools do
not have: scores are computed inside a trial, on the core it trains on; there is no verdict, and no test set kept
shut. Started again after a kill it restores, phase by phase (`Tuner.restore`). Prints one line of JSON.
"""

import argparse
import json
import logging
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from search_spaces.norm_layers import NORM_LAYERS
from search_spaces.space import Preset
from search_spaces.ssl_presets import RATIOS, STRENGTHS, TINY_RATES, usual_anchor
from sweep.plan.plan import default_search_seed, default_seeds
from sweep.storage.artifacts import StoredArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.base.storage.storage import Storage
from trainables.job.assignment import Assignment
from trainables.job.stages import Stage, in_order
from trainables.normalized_ssl.config import NormalizedSSLConfig


@dataclass(frozen=True)
class Question:
    """One upstream's share of the sweep; travels to every trial."""

    upstream: str
    preset: Preset
    corpus: Corpus
    artifacts: StoredArtifacts
    seeds: tuple[int, ...]

    @property
    def candidates(self) -> dict[str, dict[str, Any]]:
        """Label -> the part of the configuration it fixes."""
        found = NORM_LAYERS.candidates({"upstream": self.upstream}, self.preset)
        return {candidate.label: candidate.config for candidate in found}

    def anchors(self) -> list[dict[str, Any]]:
        """Each candidate's first guess, as Optuna's points to evaluate."""
        group = {"upstream": self.upstream}
        candidates = NORM_LAYERS.candidates(group, self.preset)
        anchors = {each.label: usual_anchor(group, each, self.preset) for each in candidates}
        return [{"candidate": label, "k0": STRENGTHS[0], **anchor} for label, anchor in anchors.items()]

    def configuration(self, config: Mapping[str, Any]) -> NormalizedSSLConfig:
        """Of a trial of Tune's."""
        fixed = self.candidates[config["candidate"]]
        values = {name: config[name] for name in ("lr_head", "lr_body_ratio")}
        strength = {"k0": config["k0"]} if fixed["norm_layers"] else {}
        parts = {"upstream": self.upstream, **self.preset.config, **values, **strength, **fixed}
        return NormalizedSSLConfig.from_dict(parts)

    def stages(self, config: Mapping[str, Any]) -> tuple[Stage, ...]:
        place = {"corpus_uri": self.corpus.uri, "corpus_fingerprint": self.corpus.fingerprint}
        return self.configuration(config).stages(config["seed"], **place, threads=1, device="cpu")

    def assignment(self, config: Mapping[str, Any]) -> Assignment:
        return Assignment(
            job=f"{self.upstream}/{config['phase']}/{config['candidate']}/{config['seed']}",
            phase=config["phase"],
            config=self.configuration(config).to_dict(),
            seed=config["seed"],
            steps=self.preset.steps,
            round_steps=self.preset.round_steps,
            metric=self.preset.metric,
            corpus_uri=self.corpus.uri,
            corpus_fingerprint=self.corpus.fingerprint,
            data=self.preset.data,
            stages=tuple(stage.to_json() for stage in self.stages(config)),
        )


def train(config: dict[str, Any], question: Question) -> None:
    """A function trainable: a round, its score, a checkpoint; a finalist scores the test set in the end."""
    from trainables.base.determinism import make_deterministic
    from trainables.session import TrainingSession

    make_deterministic(1)
    assignment = question.assignment(config)
    session = TrainingSession(assignment, question.corpus, question.artifacts)
    checkpoint = tune.get_checkpoint()
    if checkpoint:
        with checkpoint.as_directory() as folder:
            session.load_state({path.name: path.read_bytes() for path in Path(folder).iterdir()})
    while not session.finished:
        report = session.run_round()
        if session.finished and config["phase"] == "final":
            report = {**report, **_test_scores(session, assignment, question.preset.slow_clips)}
        with tempfile.TemporaryDirectory() as folder:
            for name, content in session.state().items():
                (Path(folder) / name).write_bytes(content)
            tune.report(report, checkpoint=tune.Checkpoint.from_directory(folder))


def _test_scores(session: Any, assignment: Assignment, slow_clips: int | None) -> dict[str, float]:
    """The mean of every metric, PESQ included, on the trial's own core."""
    from trainables.inference import score_estimates
    from trainables.metrics.scorer import mean_of_ok

    rows = score_estimates(assignment, session.estimates("test"), "test", slow_clips=slow_clips)
    metrics = dict.fromkeys(row["metric"] for row in rows)
    means = {metric: mean_of_ok(rows, metric)[0] for metric in metrics}
    return {f"test_{metric}": mean for metric, mean in means.items() if mean is not None}


@ray.remote(num_cpus=1)
def pretrain(stage: Stage, question: Question) -> None:
    from trainables.config.registry import run_stage

    run_stage(stage, question.corpus, question.artifacts)


def answer(question: Question, folder: Path, samples: int) -> dict[str, Any]:
    """Pre-train, search, and train every candidate's best configuration with every seed."""
    label = next(iter(question.candidates))
    usual = {"candidate": label, "lr_head": TINY_RATES[0], "lr_body_ratio": 1.0, "k0": STRENGTHS[0]}
    every = [question.stages({**usual, "seed": seed}) for seed in (default_search_seed(0), *question.seeds)]
    ray.get([pretrain.remote(stage, question) for stage in in_order(tuple(s for stages in every for s in stages))])
    space = {
        "phase": "search",
        "seed": default_search_seed(0),
        "candidate": tune.choice(list(question.candidates)),
        "lr_head": tune.choice(list(TINY_RATES)),
        "lr_body_ratio": tune.choice(list(RATIOS)),
        "k0": tune.choice(list(STRENGTHS)),
    }
    rounds = -(-question.preset.steps // question.preset.round_steps)
    searched = _fit(
        question,
        folder,
        f"search-{question.upstream}",
        space,
        tune.TuneConfig(
            metric="score",
            mode="max",
            search_alg=OptunaSearch(points_to_evaluate=question.anchors(), seed=0),
            scheduler=ASHAScheduler(time_attr="training_iteration", max_t=max(rounds, 1), grace_period=1),
            num_samples=samples * len(question.candidates),
        ),
    )
    best = _best_configurations(question, searched)
    finals = {"final": tune.grid_search([{**best[name], "seed": s} for s in question.seeds for name in best])}
    trained = _fit(question, folder, f"final-{question.upstream}", finals, tune.TuneConfig())
    scores, test = defaultdict(list), defaultdict(list)
    for result in trained:
        if result.metrics and "test_si_sdr" in result.metrics:
            name = result.metrics["config"]["final"]["candidate"]
            scores[name].append(result.metrics["score"])
            test[name].append(result.metrics["test_si_sdr"])
    leader = max(scores, key=lambda name: fmean(scores[name])) if scores else ""
    done = sum(map(len, scores.values()))
    asked = samples * len(question.candidates) + len(question.candidates) * len(question.seeds)
    ended = sum(1 for result in searched if not result.error and result.metrics) + done
    return {"leader": leader, "test": {name: fmean(values) for name, values in test.items()}, "lost": asked - ended}


def _best_configurations(question: Question, searched: Any) -> dict[str, dict[str, Any]]:
    """Each candidate's best trial; the first guess where a candidate has none that ended."""
    best = {each["candidate"]: (float("-inf"), each) for each in question.anchors()}
    for result in searched:
        if result.error or not result.metrics or "score" not in result.metrics:
            continue
        config, score = result.metrics["config"], result.metrics["score"]
        if score > best[config["candidate"]][0]:
            best[config["candidate"]] = (score, config)
    names = ("candidate", "lr_head", "lr_body_ratio", "k0")
    return {label: {"phase": "final", **{n: c[n] for n in names}} for label, (_, c) in best.items()}


def _fit(question: Question, folder: Path, name: str, space: dict[str, Any], how: tune.TuneConfig) -> Any:
    """Run or restore one experiment of Tune's."""
    trainable = tune.with_resources(tune.with_parameters(_unpacked, question=question), {"cpu": 1})
    path = str(folder / "tune" / name)
    if tune.Tuner.can_restore(path):
        return tune.Tuner.restore(path, trainable, param_space=space, resume_errored=True).fit()
    callback = MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name=name)
    run = tune.RunConfig(name=name, storage_path=str(folder / "tune"), callbacks=[callback], verbose=0)
    return tune.Tuner(trainable, param_space=space, tune_config=how, run_config=run).fit()


def _unpacked(config: dict[str, Any], question: Question) -> None:
    train(config.get("final", config), question)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--upstreams", default="")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    preset = NORM_LAYERS.presets[options.preset]
    seeds = default_seeds(options.seeds or preset.seeds, 0)
    ray.init(address="local", logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
    answers = {}
    for upstream in options.upstreams.split(",") if options.upstreams else preset.groups:
        artifacts = StoredArtifacts(Storage(str(folder)))
        own = preset.for_group(upstream)
        if options.steps:
            own = replace(own, steps=options.steps, round_steps=min(own.round_steps, options.steps))
        question = Question(upstream, own, Corpus.open(options.corpus), artifacts, seeds)
        answers[upstream] = answer(question, folder, options.samples or own.samples)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
