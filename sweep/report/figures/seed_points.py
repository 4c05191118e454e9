"""Each seed's own differences to the leader and to the baseline: the points of a forest plot."""

import pandas as pd

from sweep.report.figures.forest import SeedDifferences
from sweep.stored.other_metric import paired_again
from sweep.verdict.comparisons import Comparisons
from sweep.verdict.result import GroupResult, Result, group_name


def seed_points(result: Result, rows: pd.DataFrame) -> dict[str, SeedDifferences]:
    """Group -> its points, from the rows of the test split behind the result."""
    return {
        group_name(group["group"]): seed_differences(group, Comparisons(paired_again(group, rows, result["metric"])))
        for group in result["groups"]
    }


def seed_differences(group: GroupResult, comparisons: Comparisons) -> SeedDifferences:
    """The points of one group; their mean is the difference that the verdict states."""
    leader, baseline = group["leader"]["label"], group["baseline"]
    labels = comparisons.paired.labels
    return SeedDifferences(
        behind_leader={
            label: [*comparisons.seed_differences(leader, label).values()] for label in labels if label != leader
        },
        gain={
            label: [*comparisons.seed_differences(label, baseline).values()]
            for label in labels
            if baseline in labels and label != baseline
        },
    )
