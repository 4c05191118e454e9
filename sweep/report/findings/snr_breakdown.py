"""Test scores, SNR by SNR where the plan lists SNRs, with the paper's figures for its systems.

The mean over all SNRs is the leaderboard's; each SNR's is the same mean over that SNR's utterances alone. They
decide nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

from sweep.plan.plan import Plan
from sweep.report.findings.metric_means import Scores
from sweep.report.published import published_scores
from sweep.verdict.means import mean_scores, parts
from sweep.verdict.paired_scores import NOISY, PairedScores
from sweep.verdict.result import SnrScores

SHOWN = ("si_sdri", "sdri", "si_sdr", "wb_pesq", "nb_pesq", "stoi")


def snr_breakdown(plan: Plan, scores: Scores, leaders: Mapping[str, str]) -> list[SnrScores]:
    """One entry per group, metric and candidate: {"scores": {"-7.5": mean, ...}, "mean", "utterances", "left_out"}.

    Published systems follow as entries with "published": true. Without a list of SNRs, "scores" are empty; where
    nothing was published either, so is the whole.
    """
    scored = [metric for metric in SHOWN if metric in plan.scored]
    published = list(_published(plan, scored))
    if not (plan.data.evaluation_snrs or published):
        return []
    ours = [
        entry
        for group in plan.groups
        for metric in scored
        for entry in _measured(plan, group.name, metric, scores[group.name, metric], leaders[group.name])
    ]
    return [*ours, *published]


def _measured(plan: Plan, group: str, metric: str, paired: PairedScores, leader: str) -> Iterator[SnrScores]:
    for label, mean in mean_scores(paired, leader).items():
        block = paired.block_of(leader if label == NOISY else label)
        split = parts(paired, block.labels, "snr_db") if plan.data.evaluation_snrs else []
        yield {
            "group": group,
            "metric": metric,
            "candidate": label,
            "published": False,
            "scores": {f"{part.value:g}": part.means[label] for part in split},
            "mean": mean,
            "utterances": block.n_utterances,
            "left_out": paired.unscorable + len(paired.utterances) - block.n_utterances,
        }


def _published(plan: Plan, metrics: Sequence[str]) -> Iterator[SnrScores]:
    paper = plan.space_object().published
    scores = published_scores(paper) if paper else ()
    systems = dict.fromkeys((score.metric, score.system) for score in scores if score.metric in metrics)
    for metric, system in systems:
        mine = [score for score in scores if (score.metric, score.system) == (metric, system)]
        yield {
            "group": None,
            "metric": metric,
            "candidate": f"{system} (published)",
            "published": True,
            "scores": {f"{score.snr_db:g}": score.value for score in mine if score.snr_db is not None},
            "mean": next((score.value for score in mine if score.snr_db is None), None),
        }
