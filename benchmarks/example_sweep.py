"""A norm_layers sweep without training, for benchmarks of what follows it: a plan, made-up rows and their verdict."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.commands.run import build_parser
from sweep.driver.answer import Finalists, result_object, verdicts
from sweep.plan.plan import Plan
from sweep.settings.new_plan import plan_from_arguments
from sweep.verdict.result import Result
from trainables.base.randomness import derive_seed
from trainables.inference import NOISY

# In units of each metric, over the noisy input.
_GAINS = {"none": 1.0, "random": 0.4, "layer1": 1.2, "layer2": 1.9, "layer3": 1.5, NOISY: 0.0}
_SPREAD = 0.3


def example_plan(base: Path, *flags: str) -> Plan:
    """The plan of `run.py --space norm_layers --preset demo` with these flags and its files below `base`."""
    arguments = ["--space", "norm_layers", "--preset", "demo", "--output", str(base), *flags]
    return plan_from_arguments(build_parser().parse_args(arguments), {}, base).plan


def example_rows(plan: Plan, metrics: Sequence[str], n_utterances: int) -> pd.DataFrame:
    """One test row per group, metric, finalist and utterance, and the noisy input's; layer 2 leads."""
    return pd.concat(
        [_rows(plan, group.name, metric, n_utterances) for group in plan.groups for metric in metrics],
        ignore_index=True,
    )


def _rows(plan: Plan, group: str, metric: str, n_utterances: int) -> pd.DataFrame:
    finalists = [(job.candidate, job.number, job.path) for job in plan.final_jobs(group)]
    jobs = pd.DataFrame([*finalists, (NOISY, -1, NOISY)], columns=["candidate", "seed", "job"])
    numbers = np.arange(n_utterances)
    utterances = pd.DataFrame(
        {
            "utterance": [f"u{number:04d}" for number in numbers],
            "speaker": [f"s{number % 2}" for number in numbers],
            "noise_type": [f"noise{number % 5}" for number in numbers],
            "level": np.linspace(-2.0, 2.0, n_utterances),
        }
    )
    rows = jobs.merge(utterances, how="cross")
    luck = np.random.default_rng(derive_seed(group, metric)).normal(0.0, _SPREAD, len(rows))
    value = rows.pop("level") + rows["candidate"].map(_GAINS) + luck * rows["candidate"].ne(NOISY)
    return rows.assign(
        group=group,
        phase="final",
        split="test",
        snr_db=0.0,
        metric=metric,
        value=value,
        status="ok",
        gain=1.0,
        polarity=1,
        lag=0,
    )


def example_result(plan: Plan, rows: pd.DataFrame) -> Result:
    """What `--json` says of these rows, with layer 2 nominated."""
    groups = [group.name for group in plan.groups]
    decided = verdicts(
        plan,
        rows,
        leaders=dict.fromkeys(groups, "layer2"),
        finalists={group: Finalists(complete=tuple(plan.final_jobs(group)), failed=()) for group in groups},
        gates={},
        nuisance={},
    )
    return result_object(plan, decided, {"complete": len(list(plan.all_jobs())), "pruned": 0, "failed": 0})
