"""For whom a verdict speaks: speakers, utterances, and each noise type by itself."""

from typing import Any

import pandas as pd

from sweep.verdict.comparisons import Comparisons
from sweep.verdict.crossed_effects import MINIMUM_SPEAKERS


def population(comparisons: Comparisons) -> dict[str, Any]:
    """What the verdict speaks about, and on what it is conditional."""
    utterances = comparisons.paired.utterances
    speakers = int(utterances["speaker"].nunique())
    return {
        "speakers": speakers,
        "utterances": comparisons.pooled_block.n_utterances,
        "noise_types": sorted(map(str, utterances["noise_type"].unique())),
        "unit": comparisons.paired.unit,
        "conditional_on_speakers": speakers < MINIMUM_SPEAKERS,
    }


def by_noise_type(comparisons: Comparisons, leader: str) -> dict[str, Any]:
    """The complete candidates' means per noise type, and on how many the leader leads too."""
    paired, labels = comparisons.paired, list(comparisons.pooled_block.labels)
    chosen = [paired.labels.index(label) for label in labels]
    scores = paired.scores[chosen][:, paired.finished[chosen].all(axis=0)]
    if not scores.size:
        return {"same_leader": 0, "of": 0, "types": []}
    means = pd.DataFrame(scores.mean(axis=1).T, columns=labels)
    means["noise_type"] = paired.utterances["noise_type"].to_numpy(str)
    types = [
        {
            "noise_type": name,
            "n_utterances": len(part),
            "leader": part[labels].mean().round(9).idxmax(),
            "scores": part[labels].mean().to_dict(),
        }
        for name, part in means.dropna().groupby("noise_type")
    ]
    return {"same_leader": sum(row["leader"] == leader for row in types), "of": len(types), "types": types}
