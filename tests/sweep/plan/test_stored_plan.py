"""Plans as they are stored, those of earlier versions included."""

from pathlib import Path

from sweep.plan.plan import Plan
from tests.support.sweeps.small_sweep import make_plan


def test_a_stored_plan_is_read_as_it_was(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, generation_size=5)
    assert Plan.from_json(plan.to_json()) == plan


def test_the_earlier_name_of_the_generation_size_is_read(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, generation_size=5)
    stored = plan.to_json()
    stored["generation"] = stored.pop("generation_size")
    assert Plan.from_json(stored) == plan
