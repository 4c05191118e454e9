"""Label strategies in a session: phases, labels that outlive them, and the same bits after any kill."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from sweep.storage.artifacts import StoredArtifacts
from tests.support.methods.assignments import small_assignment
from tests.support.methods.tiny_corpus import SPEAKERS, make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import voice_key
from trainables.audio.examples.mixture_pool import pooled_batch, whole_pool
from trainables.base.randomness import derive_seed
from trainables.base.storage.storage import Storage
from trainables.base.tensors import unpack
from trainables.config.registry import run_stage
from trainables.job.assignment import Assignment, DataSettings
from trainables.job.stages import in_order
from trainables.losses.permutation import assigned, best_assignment, pairwise_si_sdr
from trainables.method import When
from trainables.separation.config import SeparationConfig
from trainables.separation.labels import Labels
from trainables.separation.method import Separation
from trainables.separation.separators import build_separator
from trainables.session import TrainingSession

STEPS, POOL, SEED = 9, 6, 7  # phases of three steps
DATA = DataSettings(batch=2, crop_seconds=0.3, valid_seconds=1.5, test_seconds=1.0, evaluation_clip_seconds=1.0)
SMALL = {"hidden": 16, "observed_mixtures": 4, "observed_seconds": 0.5, "pool_mixtures": POOL, "lr": 3e-3}
TENSORS = ("model.pt", "optimizer.pt")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"), speakers=15)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> StoredArtifacts:
    return StoredArtifacts(Storage(tmp_path_factory.mktemp("stages")))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Training:
    """A session of one label strategy, a step a round."""

    def __init__(self, corpus: Corpus, artifacts: StoredArtifacts, label_strategy: str, **values: Any):
        config = SeparationConfig.from_dict({**SMALL, "label_strategy": label_strategy, **values})
        stages = config.stages(SEED, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
        for stage in in_order(stages):
            run_stage(stage, corpus, artifacts)
        self.corpus, self.artifacts, self.config = corpus, artifacts, config
        self.data = config.data_settings(DATA)
        self.assignment: Assignment = small_assignment(
            corpus,
            method="separation",
            config=config.to_dict(),
            metric="si_sdri",
            seed=SEED,
            steps=STEPS,
            round_steps=1,
            data=self.data,
            stages=tuple(stage.to_json() for stage in stages),
        )
        self.session = self.fresh_session()

    def fresh_session(self) -> TrainingSession:
        return TrainingSession(self.assignment, self.corpus, self.artifacts)

    def until(self, step: int) -> "Training":
        while self.session.step < step:
            self.session.run_round()
        return self

    @property
    def method(self) -> Separation:
        assert isinstance(self.session.method, Separation)
        return self.session.method

    @property
    def labels(self) -> Labels:
        assert self.method.labels is not None
        return self.method.labels

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.method.network.state_dict().items()}

    def begin(self) -> None:
        """What the session does before the first step of a phase."""
        when = When(step=self.session.step, epoch=0, steps=STEPS)
        assert self.method.phase_start(when) == when.step
        self.method.begin_phase(self.corpus, self.data, SEED, when)


def kept(training: Training, voices: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    assert training.labels.kept is not None
    assert voices is not None
    return training.labels.kept.look_up(voices)


def plain(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if not name.startswith("seconds_")}


@pytest.mark.parametrize(
    ("strategy", "killed_after"),
    [
        ("cascade", (2, 3, 4, 5, 6, 7)),  # a step before, at and after the start of both later phases
        ("voice", (1, 4)),
        ("shuffled", (3, 4)),
    ],
)
def test_a_killed_training_goes_on_to_the_same_bits(
    corpus: Corpus, artifacts: StoredArtifacts, strategy: str, killed_after: tuple[int, ...]
) -> None:
    training = Training(corpus, artifacts, strategy)
    unbroken, stored = training.session, {}
    while not unbroken.finished:
        unbroken.run_round()
        stored[unbroken.step] = unbroken.state()
    for step in killed_after:
        resumed = training.fresh_session()
        resumed.load_state(stored[step])
        torch.rand(5)  # what another process did with the global generator
        while not resumed.finished:
            resumed.run_round()
        assert {name: resumed.state()[name] for name in TENSORS} == {name: stored[STEPS][name] for name in TENSORS}
        assert list(map(plain, resumed.reports)) == list(map(plain, unbroken.reports))


def test_kept_labels_are_the_best_assignments_of_the_network_before(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    training = Training(corpus, artifacts, "fixed").until(3)
    network = build_separator(training.config, 2, seed=0).eval()
    network.load_state_dict(training.weights())
    training.begin()
    (pool,) = whole_pool(corpus, training.data, POOL, SEED, seconds=0.5)
    with torch.no_grad():
        best = best_assignment(pairwise_si_sdr(network(pool.noisy, pool.lengths), pool.clean, pool.lengths)).order
    found, known = kept(training, pool.voices)
    assert known.all()
    assert torch.equal(found, best)
    assert training.method.training


def test_the_kept_phase_trains_on_kept_labels_and_counts_conflicts(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    training = Training(corpus, artifacts, "cascade").until(3)
    training.begin()
    method = training.method
    batch = pooled_batch(corpus, training.data, POOL, SEED, 3)
    pairwise = pairwise_si_sdr(method.network(batch.noisy, batch.lengths), batch.clean, batch.lengths)
    order, known = kept(training, batch.voices)
    assert known.all()
    losses = method.training_losses(batch, When(step=3, epoch=0, steps=STEPS))
    torch.testing.assert_close(losses["total"], -assigned(pairwise, order).score.mean())
    unlike = (order != best_assignment(pairwise).order).any(1).float().mean()
    assert float(losses["conflict_percent"]) == pytest.approx(100 * float(unlike))
    late = method.training_losses(batch, When(step=6, epoch=0, steps=STEPS))
    torch.testing.assert_close(late["total"], -best_assignment(pairwise).score.mean())
    assert "conflict_percent" not in late


def test_a_pit_phase_has_the_bits_of_plain_pit(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    pit, cascade = Training(corpus, artifacts, "pit").until(3), Training(corpus, artifacts, "cascade").until(3)
    for name, value in pit.weights().items():
        assert torch.equal(value, cascade.weights()[name])
    assert [report["score"] for report in pit.session.reports] == [r["score"] for r in cascade.session.reports]


@pytest.mark.parametrize("strategy", ["fixed", "anew", "shuffled"])
def test_a_phase_starts_from_weights_that_no_training_has_touched(
    corpus: Corpus, artifacts: StoredArtifacts, strategy: str
) -> None:
    training = Training(corpus, artifacts, strategy).until(3)
    training.begin()
    expected = build_separator(training.config, 2, derive_seed(SEED, "anew", 3)).state_dict()
    first = build_separator(training.config, 2, SEED).state_dict()
    found = training.weights()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert any(not torch.equal(found[name], first[name]) for name in first)


def test_after_pre_training_it_starts_from_that_with_another_output_layer(
    corpus: Corpus, artifacts: StoredArtifacts
) -> None:
    values = {"strategy": "ptft", "pretraining_steps": 1, "pretraining_batch": 2, "pretraining_crop_seconds": 0.3}
    training = Training(corpus, artifacts, "anew", **values)
    before = training.weights()
    training.until(3).begin()
    after = training.weights()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"masker.head.output.weight", "masker.head.output.bias"}


def test_label_switches_never_compare_two_networks(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    """The first value of a phase is relative to the weights it started from."""
    training = Training(corpus, artifacts, "anew").until(3)
    before = training.method.switches.orders.clone()
    training.begin()
    after = training.method.switches.orders.clone()
    assert not torch.equal(before, after)
    assert training.method.observe(corpus, training.data)["switch_percent"] == 0.0


def test_a_later_phase_of_pit_goes_on_with_its_weights(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    training = Training(corpus, artifacts, "cascade").until(6)
    before, labels = training.weights(), {name: each.clone() for name, each in training.labels.state_dict().items()}
    training.begin()
    assert all(torch.equal(before[name], value) for name, value in training.weights().items())
    assert all(torch.equal(labels[name], value) for name, value in training.labels.state_dict().items())


def test_each_phase_has_a_fresh_optimizer(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    def updates(training: Training) -> float:
        state = unpack(training.session.state()["optimizer.pt"])["state"]
        return float(state[0]["step"])

    counted = [updates(Training(corpus, artifacts, "warm").until(step)) for step in (6, 7)]
    assert counted == [6.0, 1.0]


def test_a_plateau_knows_only_the_scores_of_its_phase(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    """Every score before the second phase is a hundred: none after it can be better, so the rate falls."""

    def rate(label_strategy: str, step: int) -> float:
        training = Training(corpus, artifacts, label_strategy, plateau_patience=1, plateau_factor=0.5)
        files = training.until(step).session.state()
        progress = json.loads(files["progress.json"])
        for report in progress["reports"]:
            report["score"] = 100.0
        session = training.fresh_session()
        session.load_state({**files, "progress.json": json.dumps(progress).encode()})
        session.run_round()
        return float(unpack(session.state()["optimizer.pt"])["param_groups"][0]["lr"])

    assert rate("pit", 6) == pytest.approx(3e-3 / 4)
    assert rate("warm", 6) == pytest.approx(3e-3)


def test_reports_say_their_phase_and_its_conflicts(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    reports = Training(corpus, artifacts, "cascade").until(STEPS).session.reports
    assert [report["phase"] for report in reports] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [report["step"] for report in reports if "loss_conflict_percent" in report] == [4, 5, 6]
    assert all(type(value) in (int, float) for report in reports for value in report.values())
    assert not {"phase", "loss_conflict_percent"} & set(Training(corpus, artifacts, "pit").until(1).session.reports[0])


def test_all_strategies_draw_the_same_mixtures(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    drawn = [
        Training(corpus, artifacts, strategy).method.draw_batches(corpus, DATA_OF_TWO, SEED, 4)[0]
        for strategy in ("pit", "cascade", "energy")
    ]
    assert all(torch.equal(batch.clean, drawn[0].clean) for batch in drawn)


DATA_OF_TWO = SeparationConfig.from_dict({}).data_settings(DATA)


def test_voices_are_counted_in_training_alone(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    training = Training(corpus, artifacts, "voice")
    training.begin()
    method, when = training.method, When(step=0, epoch=0, steps=STEPS)
    assert training.labels.shares is not None
    batch = pooled_batch(corpus, training.data, POOL, SEED, 0)
    method.eval()
    method.training_losses(batch, when)
    assert not training.labels.shares.shares.any()
    method.train()
    losses = method.training_losses(batch, when)
    assert "conflict_percent" in losses
    assert float(training.labels.shares.shares.sum()) == pytest.approx(0.1 * batch.clean[:, :, 0].numel())


def test_labels_by_energy_do_not_depend_on_the_network(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    method = Training(corpus, artifacts, "energy", pool_mixtures=None).method
    (batch,) = method.draw_batches(corpus, DATA_OF_TWO, SEED, 0)
    pairwise = pairwise_si_sdr(method.network(batch.noisy, batch.lengths), batch.clean, batch.lengths)
    louder = batch.clean.square().sum(-1).argmax(1)
    order = torch.stack([louder, 1 - louder], 1)  # the louder voice goes to output 0
    found = method.training_losses(batch, When(step=0, epoch=0, steps=STEPS))["total"]
    torch.testing.assert_close(found, -assigned(pairwise, order).score.mean())


def separated(corpus: Corpus, artifacts: StoredArtifacts, shuffled: bool, steps: int = 150) -> float:
    """SI-SDR in dB, under the best assignments, of a network trained on labels by pitch: kept, or those of others."""
    training = Training(corpus, artifacts, "fixed", pool_mixtures=20)
    method, labels = training.method, training.labels
    data = training.config.data_settings(DataSettings(batch=4, crop_seconds=0.5))
    speech = corpus.speech("train")
    pitch = {voice_key(name): PITCH.index(who) for name, who in zip(speech.ids, speech.speakers, strict=True)}
    (pool,) = whole_pool(corpus, data, 20, SEED, seconds=0.5, batch=20)
    assert pool.voices is not None
    assert labels.kept is not None
    ranks = torch.tensor([[pitch[key] for key in row] for row in pool.voices.tolist()])
    labels.expect(pool.voices)
    labels.kept.keep(pool.voices, ranks.argsort(1).argsort(1))  # the deeper voice goes to output 0
    if shuffled:
        labels.kept.shuffle(seed=1)
    optimizer, kept_phase = method.optimizer(), When(step=5, epoch=0, steps=STEPS)
    for step in range(steps):
        batch = pooled_batch(corpus, data, 20, SEED, step)
        optimizer.zero_grad()
        method.training_losses(batch, kept_phase)["total"].backward()
        optimizer.step()
    pairwise = pairwise_si_sdr(method.infer(pool.noisy), pool.clean, pool.lengths)
    return float(best_assignment(pairwise).score.mean())


PITCH = (*SPEAKERS, *(f"extra{number}" for number in range(10)))  # of the tiny corpus, deepest first


@pytest.mark.slow
def test_labels_of_other_mixtures_train_worse_than_kept_ones(corpus: Corpus, artifacts: StoredArtifacts) -> None:
    kept, shuffled = (separated(corpus, artifacts, shuffled) for shuffled in (False, True))
    assert kept > shuffled + 1.0
