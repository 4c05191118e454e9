"""How much audio each candidate's training sees: systems of different methods are compared at the same amount."""

from sweep.plan.plan import Plan
from trainables.config.method_config import MethodConfig


def audio_seconds(plan: Plan, group: str) -> dict[str, float]:
    """Candidate -> `audio_of` its first search trial."""
    asked = plan.group_plan(group)
    return {each.label: audio_of(plan, group, plan.first_config(asked, each)) for each in asked.candidates}


def audio_of(plan: Plan, group: str, config: MethodConfig) -> float:
    """Seconds of noisy audio in a whole training: steps x batch x crop, in all views of a crop."""
    data = config.data_settings(plan.data_of(group))
    return plan.steps_of(group) * data.batch * config.views * data.crop_seconds
