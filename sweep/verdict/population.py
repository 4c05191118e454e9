"""The population a verdict holds for: speakers, utterances, noise types, and the means in each noise type."""

from sweep.verdict.comparisons import Comparisons
from sweep.verdict.crossed_effects import MINIMUM_SPEAKERS
from sweep.verdict.means import parts
from sweep.verdict.result import ByNoiseType, NoiseType, Population


def population(comparisons: Comparisons) -> Population:
    """The population that the verdict generalizes to, and its conditions."""
    utterances = comparisons.paired.utterances
    speakers = int(utterances["speaker"].nunique())
    return {
        "speakers": speakers,
        "utterances": comparisons.pooled_block.n_utterances,
        "noise_types": sorted(name for name in map(str, utterances["noise_type"].unique()) if name),
        "unit": comparisons.paired.unit,
        "conditional_on_speakers": speakers < MINIMUM_SPEAKERS,
    }


def by_noise_type(comparisons: Comparisons, leader: str) -> ByNoiseType:
    """The complete candidates' means per noise type, and on how many the leader leads too."""
    types: list[NoiseType] = [
        {
            "noise_type": part.value,
            "n_utterances": part.n_utterances,
            "leader": part.leader,
            "scores": {label: part.means[label] for label in comparisons.paired.complete},
        }
        for part in parts(comparisons.paired, comparisons.paired.complete, "noise_type")
    ]
    return {"same_leader": sum(row["leader"] == leader for row in types), "of": len(types), "types": types}
