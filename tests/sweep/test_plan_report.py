"""What a dry run says of a plan before it costs anything."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.cli import build_run_parser
from sweep.plan import Plan
from sweep.plan_report import cautions, corpus_line
from sweep.planning import plan_from_arguments


def plan(folder: Path, *flags: str, **changes: Any) -> Plan:
    arguments = build_run_parser().parse_args(["--space", "norm_layers", *flags])
    return replace(plan_from_arguments(arguments, {}, folder).plan, **changes)


def test_the_demo_needs_no_caution(tmp_path: Path) -> None:
    assert cautions(plan(tmp_path)) == []


@pytest.mark.parametrize(("seeds", "says"), [("1", "every verdict will be a tie"), ("2", "so few")])
def test_fewer_seeds_than_the_floor(tmp_path: Path, seeds: str, says: str) -> None:
    (caution,) = cautions(plan(tmp_path, "--seeds", seeds))
    assert says in caution
    assert cautions(plan(tmp_path, "--seeds", seeds, "--preset", "smoke")) == []


def test_full_size_models_without_a_gpu(tmp_path: Path) -> None:
    (caution,) = cautions(plan(tmp_path, "--preset", "paper", "--corpus", "demo"))[:1]
    assert "full-size models will train on the CPU" in caution


def test_a_split_that_holds_hardly_a_clip(tmp_path: Path) -> None:
    splits = {"valid": {"speech_seconds": 300.0}, "test": {"speech_seconds": 3.0}}
    (caution,) = cautions(plan(tmp_path, corpus_summary={"splits": splits}))
    assert caution.startswith("test has 3 s of speech")


def test_a_corpus_in_a_line() -> None:
    splits = {
        "train": {"speakers": 2, "speech_seconds": 180.0, "noise_types": 4},
        "valid": {"speakers": 1, "seconds": 12.0},
    }
    assert corpus_line({"splits": splits}) == "train 2 speakers, 3 min, 4 noise types; valid 1 speakers, 12 s"
