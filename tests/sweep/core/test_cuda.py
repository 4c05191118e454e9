"""Counting CUDA devices without torch, and what follows for the default preset."""

from pathlib import Path

import pytest

from search_spaces import SPACES
from sweep.commands.run import build_run_parser
from sweep.core.hardware import cuda_devices
from sweep.settings import planning


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, 2),
        ({"CUDA_VISIBLE_DEVICES": "1"}, 1),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, 2),
        ({"CUDA_VISIBLE_DEVICES": ""}, 0),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, 0),
    ],
)
def test_devices_that_the_driver_knows_and_nothing_hides(
    driver: Path, environ: dict[str, str], expected: int
) -> None:
    assert cuda_devices(environ, driver) == expected


def test_none_without_a_driver(tmp_path: Path) -> None:
    assert cuda_devices({}, tmp_path / "nowhere") == 0


@pytest.mark.parametrize(
    ("here", "in_cluster", "preset"), [(0, False, "demo"), (1, False, "paper"), (0, True, "paper")]
)
def test_the_default_preset_follows_the_devices(
    here: int, in_cluster: bool, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "cuda_devices", lambda: here)
    monkeypatch.setattr(planning, "cluster_has_gpus", lambda environ: in_cluster)
    assert planning.default_preset(SPACES["norm_layers"], {}) == preset


def test_a_preset_chosen_for_the_gpu_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "cuda_devices", lambda: 1)
    (tmp_path / "corpus").mkdir()
    monkeypatch.setattr(planning, "_inspect_corpus", lambda _: {"uri": "", "kind": "speech+noise"})
    arguments = build_run_parser().parse_args(["--space", "norm_layers", "--corpus", "corpus"])
    planned = planning.plan_from_arguments(arguments, {}, tmp_path)
    assert planned.plan.preset == "paper"
    assert "because there is a GPU; --preset demo" in planned.sources["preset"]
