"""The parts themselves, as small as they get, on the CPU; also those of the GPU suite, which nothing else runs."""

import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks.catalogue import BENCH, GPU
from benchmarks.gpu import seeds, shares
from benchmarks.harness.findings import Comparison, Curve, Fact
from benchmarks.harness.part import Context, Measure, Part, measure_of
from benchmarks.harness.picture import draw
from benchmarks.parts import base_step, data, growth_corpus, growth_trials, scoring
from tests.support.methods.tiny_corpus import make_tiny_corpus


@pytest.fixture
def context(tmp_path: Path) -> Context:
    for name in ("scratch", "kept"):
        (tmp_path / name).mkdir()
    corpus = str(make_tiny_corpus(tmp_path / "material").uri)
    return Context(tmp_path / "scratch", tmp_path / "kept", small=True, missing=("torchmetrics",), corpus=corpus)


@pytest.mark.parametrize("part", [*BENCH, *GPU], ids=lambda part: part.key)
def test_every_part_has_a_module_that_measures(part: Part) -> None:
    module = part.module or f"benchmarks.parts.{part.name}"
    assert importlib.util.find_spec(module) is not None
    assert callable(measure_of(module))


@pytest.mark.parametrize("measure", [data.measure, growth_corpus.measure, growth_trials.measure])
def test_a_part_gives_figures_above_zero(measure: Measure, context: Context) -> None:
    found = measure(context)
    assert found
    for each in found:
        if isinstance(each, Comparison):
            assert min(each.ours) > 0
        if isinstance(each, Curve):
            assert all(x > 0 and y > 0 for x, y in each.points)


def test_without_its_peer_scoring_still_measures_ours(context: Context) -> None:
    found = scoring.measure(context)
    assert {each.what for each in found} == set(scoring.WHY)
    assert all(isinstance(each, Comparison) and min(each.ours) > 0 and not each.theirs for each in found)


def test_the_same_jobs_on_one_device_differ_by_nothing(context: Context) -> None:
    (found,) = seeds.measure(context)
    assert isinstance(found, Fact)
    assert found.ours.endswith("mean +0.000 dB from the CPU's, a seed 0.000 dB at most")


def test_a_job_that_shares_a_device_reports_its_rate(context: Context) -> None:
    folder = context.folder
    (folder / "go").touch()
    shares.train(context.corpus, folder, "cpu", "tiny", 0.1, "3")
    assert (folder / "3.ready").exists()
    report = json.loads((folder / "3.json").read_text())
    assert report["rate"] > 0
    assert report["gb"] == 0


@pytest.mark.slow
def test_jobs_that_share_a_device_run_at_once(context: Context) -> None:
    _, shared, curve = shares.measure(context)
    assert isinstance(shared, Comparison)
    assert isinstance(curve, Curve)
    assert [jobs for jobs, _ in curve.points] == [1.0, 2.0]
    assert shared.ours[0] == curve.points[1][1]
    assert shared.theirs[0] == curve.points[0][1]


def test_a_device_that_differs_by_more_than_seeds_do_is_an_error() -> None:
    assert seeds.compared("tera", [1.0, 1.2, 0.9, 1.1], [1.1, 1.1, 1.0, 1.2], "cuda").what.startswith("tera")
    with pytest.raises(AssertionError, match="cuda"):
        seeds.compared("tera", [1.0, 1.2, 0.9, 1.1], [2.1, 2.2, 2.0, 2.1], "cuda")


def test_the_stock_model_reads_what_ours_reads(context: Context) -> None:
    """Both decoders are given the same sites: waveform, convolutions, projection, one transformer layer."""
    import torch

    wave = torch.randn(1, 1600)
    stock = base_step.StockModel()
    with torch.no_grad():
        theirs = base_step.features(stock.hub, wave, 1)
        ours = base_step.our_method().body(wave)
    assert [each.shape for each in theirs] == [each.shape for each in ours]


def test_curves_become_a_picture(tmp_path: Path) -> None:
    draw([Curve(what="cost", x="n", y="ms", points=((1.0, 2.0), (10.0, 3.0)))], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
