"""How much audio each candidate's training sees: systems of different methods are compared at the same amount."""

from sweep.plan.plan import Plan


def audio_seconds(plan: Plan, group: str) -> dict[str, float]:
    """Candidate -> seconds of noisy audio in a whole training: steps x batch x crop, in all views of a crop."""
    found, asked = {}, plan.group_plan(group)
    for candidate in asked.candidates:
        config = plan.first_config(asked, candidate)
        data = config.data_settings(plan.data_of(group))
        found[candidate.label] = plan.steps_of(group) * data.batch * config.views * data.crop_seconds
    return found
