"""Systems of different methods are compared at the same amount of audio, and a plan says where they are not."""

from pathlib import Path

import pytest

from sweep.plan.audio import audio_seconds
from sweep.settings.dry_run import cautions, describe
from tests.support.sweeps.typed_plan import plan

UNEQUAL = """
from dataclasses import replace
from search_spaces.systems import SYSTEMS

def candidates(group, preset):
    found = SYSTEMS.candidates(group, preset)
    return [replace(each, config={n: v for n, v in each.config.items() if n != "batch_of"}) for each in found]

MINE = replace(SYSTEMS, name="mine", candidates=candidates)
"""


@pytest.mark.parametrize(("preset", "seconds"), [("smoke", 4.0), ("demo", 2_000.0)])
def test_every_system_hears_as_much(preset: str, seconds: float, tmp_path: Path) -> None:
    made = plan(tmp_path, "--space", "systems", "--preset", preset)
    found = audio_seconds(made.plan, "all")
    assert len(found) == 7
    assert set(found.values()) == {seconds}
    assert f"{seconds:,.0f} s of noisy audio" in describe(made)
    assert not any("different amounts" in each for each in cautions(made.plan))


def test_a_space_of_ones_own_is_told_where_they_differ(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(UNEQUAL)
    made = plan(tmp_path, "--space", "mine.py", "--preset", "demo")
    found = audio_seconds(made.plan, "all")
    assert {label: found[label] for label in ("none", "normal", "byol", "demucs")} == {
        "none": 2_000.0,
        "normal": 4_000.0,
        "byol": 4_000.0,
        "demucs": 2_000.0,
    }
    (said,) = [each for each in cautions(made.plan) if "different amounts" in each]
    assert "4,000 s (normal, byol)" in said
    assert "of noisy audio in each training" not in describe(made)
