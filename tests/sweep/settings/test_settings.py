"""Which preset is the default: it depends on GPUs, which a test machine lacks, so their counts are replaced here."""

from pathlib import Path

import pytest

from search_spaces import SPACES
from sweep.settings import settings
from tests.support.sweeps.typed_plan import plan


@pytest.mark.parametrize(
    ("here", "in_cluster", "preset"), [(0, False, "demo"), (1, False, "paper"), (0, True, "paper")]
)
def test_the_default_preset_follows_the_devices(
    here: int, in_cluster: bool, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "cuda_devices", lambda: here)
    monkeypatch.setattr(settings, "cluster_has_gpus", lambda environ: in_cluster)
    assert settings.default_preset(SPACES["norm_layers"], {}) == preset


def test_a_preset_chosen_for_the_gpu_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "cuda_devices", lambda: 1)
    planned = plan(tmp_path, "--corpus", "demo")
    assert planned.plan.preset == "paper"
    assert "because there is a GPU; --preset demo" in planned.sources["preset"]
