"""How many jobs share a GPU, from given figures; the measurement itself runs on a CPU here."""

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.machines.gpu_share import fitting_share, probes, train_briefly
from sweep.storage.artifacts import StoredArtifacts
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.sweeps import contrastive_sweep, separation_sweep, small_sweep
from trainables.audio.corpus.corpus import Corpus
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

GB = 1e9


@pytest.mark.parametrize(
    ("job", "gpu", "share"),
    [
        (2 * GB, 24 * GB, 0.25),  # seven would fit; four share it
        (5 * GB, 24 * GB, 0.3333),
        (9 * GB, 24 * GB, 0.5),
        (15 * GB, 24 * GB, 1.0),
        (15 * GB, 80 * GB, 0.25),
    ],
)
def test_as_many_as_fit_with_headroom(job: float, gpu: float, share: float) -> None:
    assert fitting_share(job, gpu) == share


def test_no_more_than_the_cores_can_feed() -> None:
    assert fitting_share(2 * GB, 24 * GB, most=2) == 0.5
    assert fitting_share(2 * GB, 24 * GB, most=0) == 1.0


def test_what_does_not_fit_is_refused_with_the_figures() -> None:
    with pytest.raises(UserError, match=r"takes about 28\.2 GB and the smallest GPU of the cluster has 24\.0 GB"):
        fitting_share(22 * GB, 24 * GB)


@given(st.floats(0.01 * GB, 15 * GB), st.floats(20 * GB, 200 * GB))
def test_side_by_side_they_never_take_more_than_the_device(job: float, gpu: float) -> None:
    share = fitting_share(job, gpu)
    jobs = int(1 / share)
    assert jobs * share <= 1
    assert jobs * job < gpu


def test_each_network_is_tried_by_the_candidates_that_rest_on_nothing(tmp_path: Path) -> None:
    tried = probes(small_sweep.make_plan(tmp_path))
    assert [assignment.job for assignment in tried] == [
        "tera/final/random/seed-1001",
        "wav2vec2/final/random/seed-1001",
    ]
    assert all(assignment.steps == assignment.round_steps == 2 for assignment in tried)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"), speakers=15)


@pytest.mark.parametrize("sweep", [small_sweep, contrastive_sweep, separation_sweep])
def test_a_probe_trains_and_infers_without_any_stage(sweep: ModuleType, corpus: Corpus, tmp_path: Path) -> None:
    plan = sweep.make_plan(tmp_path)
    short = replace(plan.data, batch=2, crop_seconds=0.512, evaluation_clip_seconds=1.0)
    tried = probes(replace(plan, data=short))
    report = train_briefly(tried[-1], corpus, StoredArtifacts(Storage(tmp_path)))
    assert report["step"] == 2
    assert math.isfinite(report["score"])
