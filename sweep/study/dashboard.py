"""What `optuna-dashboard` shows of a study besides its name and its trials: the objective by name, and a note.

Both are attributes that Optuna and the dashboard keep for this purpose (`Study.set_metric_names`, `save_note`), and
nothing of ours reads them. They are written by their keys, so that a sweep does not need the dashboard's package;
a test asks the real one what it shows.
"""

from typing import Any

from sweep.core.next_command import command_line
from sweep.plan.plan import Plan
from trainables.metrics.catalogue import METRICS

_PHASES = {
    "search": "Search trials of {group}: each tunes one candidate, and the best configuration of every candidate goes "
    "on to the final.",
    "final": "Finalists of {group}: the best configuration of every candidate, trained with fresh seeds.",
}


def dashboard_attributes(plan: Plan, group: str, phase: str) -> dict[str, Any]:
    """System attributes of one study of the plan."""
    objective = f"{METRICS[plan.metric].title} on valid"
    leaderboard = command_line("leaderboard", plan.output)
    note = "\n\n".join(
        [
            f"**{plan.space_object().question}** (sweep `{plan.name}`, space `{plan.space}`, preset `{plan.preset}`)",
            _PHASES[phase].format(group=group),
            f"A trial's `job` says which candidate it is of. Its value is {objective}. PRUNED: stopped early. "
            "FAIL: see `end` for the reason.",
            f"Values on valid decide nothing between candidates; the verdict: `{leaderboard}`",
        ]
    )
    return {"study:metric_names": [objective], "dashboard:note_ver": 1, "dashboard:note_str:0": note}
