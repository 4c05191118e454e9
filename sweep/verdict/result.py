"""The result of a sweep as `--json` prints it and `result.json` keeps it, key by key, and how to read it.

A score, and its interval, is in the metric's own sign. A lead or a gain, and its interval, is positive where it is an
improvement, whichever way the metric goes: with a word error rate, a gain of 0.02 is a rate lower by 0.02. The leader
of a metric where less is better has the lowest score.

Everything is plain JSON: unknown values are null, never NaN. A key that is not required is absent from results of
earlier versions, or where the sweep has nothing to say about it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, TypeVar

Interval = Sequence[float]  # low, high


# -- the verdict on one group ------------------------------------------------------------------------------


class EarlierReads(TypedDict):
    """How often a test set was opened by earlier sweeps that share this one's cache or bucket."""

    sweeps: int
    first: str | None  # when, in UTC
    added: list[str]  # this sweep's candidates that the first of them did not have


class Leader(TypedDict):
    """The leading candidate: its label, and its configuration as further keys."""

    label: str


class CandidateResult(TypedDict):
    """One candidate on test, in units of the metric."""

    label: str
    config: dict[str, Any]
    baseline: bool
    apart: NotRequired[bool]  # its variance is not pooled with the others'
    n_seeds: int
    n_utterances: int
    failures: int  # (utterance, seed) cells that failed where the noisy input has a score
    failed_seeds: int
    left_after: NotRequired[int | None]  # seeds, where it left contention before the others had theirs
    score: float | None
    interval: Interval | None
    p_best: float | None  # descriptive
    behind_leader: float | None  # the leader's lead over it, in better scores
    behind_leader_interval: Interval | None
    gain: float | None  # over the baseline, in better scores
    gain_interval: Interval | None  # Dunnett's
    unstable: bool


class Estimate(TypedDict):
    """A value with its interval, None where there is too little data for one."""

    value: float | None
    interval: Interval | None


class Gain(Estimate):
    """The leader's over the baseline, with Dunnett's interval and p-value."""

    p: float | None


class NoisyInput(TypedDict):
    """The score of the unprocessed input, and the leader's gain over it."""

    score: float | None
    gain: float | None
    interval: Interval | None


class Population(TypedDict):
    """The population that the verdict generalizes to, and its conditions."""

    speakers: int
    utterances: int
    noise_types: list[str]
    unit: str  # of analysis: "speaker" or "utterance"
    conditional_on_speakers: bool


class NoiseType(TypedDict):
    """The complete candidates' means in one type of noise."""

    noise_type: str
    n_utterances: int
    leader: str
    scores: dict[str, float]


class ByNoiseType(TypedDict):
    """Every noise type by itself; the overall leader leads in `same_leader` of `of`."""

    same_leader: int
    of: int
    types: list[NoiseType]


class Spread(TypedDict):
    """Standard deviations of one score beyond what all candidates share, and the degrees of freedom of a difference."""

    candidate_seed: float
    candidate_unit: float
    residual: float
    df: float


class SiteMismatch(Estimate):
    """How far noisy and clean features differ at one normalization site."""

    site: int


class LayerPosition(Estimate):
    """How far frames of clean speech are alike at equal positions, at one layer of a reference."""

    layer: int


class Gates(TypedDict):
    """What was measured before the sweep; `reasons` say why the question is not meaningful at this size."""

    reasons: list[str]
    transfer_gap: NotRequired[Estimate]  # the frozen pretrained body's score minus the random one's, dB
    mismatch: NotRequired[list[SiteMismatch]]
    position: NotRequired[list[LayerPosition]]


class GateVerdict(Gates):
    """The gates with their verdict, which in a group's result stands outside them."""

    interpretable: bool


class Holm(TypedDict, total=False):
    """The group's verdict where all groups are claimed at once; empty until then."""

    groups: int
    verdict: str
    p: float
    beats_baseline: bool
    gain_p: float


class GroupResult(TypedDict):
    """The answer for one group."""

    group: dict[str, str]
    metric: str
    leader: Leader
    verdict: Literal["winner", "tie"]
    contenders: list[str]  # not shown to be below the leader
    equivalent: list[str]  # shown to be within the margin of the leader
    resolvable: float | None  # smallest true difference found with 80 % power
    half_width: float | None  # of the interval of any difference
    seeds_needed: int | None
    baseline: str
    gain: Gain
    beats_baseline: bool
    winner_p: float  # p-value of the least separated pair; 1 where the leader cannot win
    noisy: NoisyInput
    candidates: list[CandidateResult]
    seeds: list[int]
    alpha: float
    margin: float
    population: Population
    by_noise_type: ByNoiseType
    variance: Spread | None
    unstable: list[str]
    gates: Gates
    notes: list[str]
    holm: Holm
    winner: Leader | None
    interpretable: bool
    score: float | None  # the leader's
    interval: Interval | None
    lower: NotRequired[bool]  # of the metric less is better


class CorpusVerdict(TypedDict):
    """The verdict on one corpus of several, by itself."""

    corpus: str
    utterances: int
    leader: str
    verdict: Literal["winner", "tie"]
    contenders: list[str]
    scores: dict[str, float | None]


class JudgedGroup(GroupResult):
    """The answer for one group of scores that no sweep of ours need have made (`sweep.verdict.judge`)."""

    chance: Literal["seeds and units", "units", "seeds", "none"]  # what the intervals account for
    seeds_paired: bool  # seeds of one name are compared with each other
    chosen_from: int  # how many the leader was chosen from by these very scores; 2 = named beforehand
    units_needed: int | None  # as `seeds_needed`, of `population.unit`; None where more of them alone would not do
    tiers: list[list[str]]  # runs of candidates that are not separable, best first; they may overlap
    left_out: int  # units that lack a score of some candidate
    corpora: list[CorpusVerdict]  # each by itself, where there are several


# -- findings ----------------------------------------------------------------------------------------------


class MetricMeans(TypedDict):
    """One candidate's mean in every metric; `published` marks a system of the paper.

    `utterances`: of metrics that were computed on a part of the test set, on how many.
    """

    group: str
    candidate: str
    published: bool
    scores: dict[str, float]
    utterances: NotRequired[dict[str, int]]


class CorpusRates(TypedDict):
    """One candidate's error rates over the whole test set, by metric."""

    group: str
    candidate: str
    rates: dict[str, float]


class MetricLeader(TypedDict):
    """The best candidate on test by one metric, and how far it is above the leader that the deciding metric named."""

    group: str
    metric: str
    leader: str
    best: str  # the leader itself where no other is above it
    ahead: float  # in better scores
    interval: Interval | None  # Dunnett's, with the leader as control
    significant: bool
    failures: dict[str, int]  # failed scores in this metric, of those candidates that have any


class SnrScores(TypedDict):
    """One candidate's mean in one metric, overall and by SNR in dB ("-7.5")."""

    group: str | None
    metric: str
    candidate: str
    published: bool
    scores: dict[str, float]
    mean: float | None
    utterances: NotRequired[int]
    left_out: NotRequired[int]


class Convergence(TypedDict):
    """Optimizer steps until one candidate is as good as the baseline ever gets with the same seed."""

    steps: list[int | None]  # by seed that both finished; None = never
    mean: float | None  # None unless every seed got there: without the slowest it would be too good
    interval: Interval | None


class LearningCurve(TypedDict):
    """One candidate's finalists on valid, round by round; means over seeds."""

    group: str
    candidate: str
    seeds: int
    steps: list[int]
    epochs: list[float]
    score: list[float]
    lead: list[float | None]  # over the baseline
    lead_interval: list[Interval | None]
    switches: list[float]  # epochs at which its schedule switches
    reached_baseline: float | None  # first epoch at which it is as good as the baseline at the end
    convergence: NotRequired[Convergence]  # absent in results of before it was counted


class LabelSwitches(TypedDict):
    """How often one candidate's assignment of outputs to voices changed, round by round, in %."""

    group: str
    candidate: str
    seeds: int
    steps: list[int]
    epochs: list[float]
    switch: list[float]
    symmetric: list[float]  # a swap of all outputs at once not counted
    phases: NotRequired[list[float]]  # epochs at which its training enters another phase; older results have none
    mean_switch: float
    mean_symmetric: float
    difference: float | None  # of the symmetric share, against the baseline
    difference_interval: Interval | None


class MachineCost(TypedDict):
    """What depends on the machine as well: it differs from run to run."""

    cpu: str  # "" = unknown
    real_time_factor: float | None  # seconds of one core per second of audio: median over runs
    real_time_factor_spread: float | None  # distance of the quartiles
    core_seconds: float | None  # of one finalist's training steps: median over seeds; None on GPUs
    gpu_seconds: float | None


class CandidateCost(TypedDict):
    """What one candidate costs; unknown numbers are None."""

    group: str
    candidate: str
    method: str
    audio_seconds: float  # of noisy audio in a job's training: steps x batch x crop, in all views of a crop
    trials: int  # of its search
    parameters: int | None  # of what is deployed
    mac_per_second: float | None  # multiply-accumulates per second of audio
    uncounted: list[str]  # operations that multiply but could not be counted
    machine: MachineCost


class SharedTraining(TypedDict):
    """What search trials saved by starting from a common prefix."""

    prefixes: int
    trials: int
    steps_saved: int


class Collapse(TypedDict):
    """Finished trials whose encoder was monitored, and those that raised the alarm."""

    watched: int
    alarmed: list[str]


class Findings(TypedDict, total=False):
    """Results that decide nothing."""

    metrics: list[MetricMeans]
    corpus_rates: list[CorpusRates]
    metric_leaders: list[MetricLeader]
    by_snr: list[SnrScores]
    curves: list[LearningCurve]
    label_switches: list[LabelSwitches]
    costs: list[CandidateCost]  # where candidates are of several methods
    shared_training: SharedTraining | None
    collapse: Collapse | None


class FailedJob(TypedDict):
    """A job that ended in failure."""

    job: str
    reason: str | None


class Result(Findings):
    """The whole answer of a sweep."""

    sweep: str
    space: str
    question: NotRequired[str]
    preset: NotRequired[str]
    meaningful: NotRequired[bool]
    reproducible: NotRequired[bool]
    metric: str
    decided_by: NotRequired[str]  # where it is shown in another metric than the deciding one
    groups: list[GroupResult]
    trials: dict[str, int]  # "complete", "pruned", "failed"
    failed: NotRequired[list[FailedJob]]
    corpus: NotRequired[dict[str, Any]]
    tracking_uri: str
    output: str
    test_reads: NotRequired[dict[str, int]]
    earlier_reads: NotRequired[dict[str, EarlierReads]]  # by group: of its test set, by other sweeps
    reused: NotRequired[int]  # jobs that earlier sweeps had trained
    # group -> candidate -> what was used, in the terms of the method's paper
    paper_terms: NotRequired[dict[str, dict[str, dict[str, float]]]]


# What a candidate costs: less is better. The first two are the same on every machine.
COSTS = ("parameters", "mac_per_second", "real_time_factor", "core_seconds", "gpu_seconds")


# -- reading it ---------------------------------------------------------------------------------------------


_S = TypeVar("_S", bound=Mapping[str, Any])


def group_name(group: Mapping[str, str]) -> str:
    """A group in one word: {"upstream": "tera"} -> "tera", {} -> "all"."""
    return "-".join(group.values()) or "all"


def by_score(candidates: Iterable[_S], lower: bool = False) -> list[_S]:
    """Best first, of a metric where less is better if `lower`; those without a score last."""
    sign = 1.0 if lower else -1.0
    return sorted(candidates, key=lambda item: (item["score"] is None, sign * (item["score"] or 0.0)))


def candidate_verdict(group: GroupResult, label: str) -> Literal["winner", "leader", "contender", "behind"]:
    """Leader of a tie, winner, contender (not separated from the leader) or behind."""
    if label == group["leader"]["label"]:
        return "winner" if group["verdict"] == "winner" else "leader"
    return "contender" if label in group["contenders"] else "behind"


def records(result: Result) -> list[dict[str, Any]]:
    """One row per group and candidate, best first, unrounded; unknown numbers are None."""
    costs = {(cost["group"], cost["candidate"]): cost_numbers(cost) for cost in result.get("costs", [])}
    unknown = dict.fromkeys(COSTS) if costs else {}
    return [
        _record(group, candidate, result["metric"])
        | costs.get((group_name(group["group"]), candidate["label"]), unknown)
        for group in result["groups"]
        for candidate in by_score(group["candidates"], group.get("lower", False))
    ]


def cost_numbers(cost: CandidateCost) -> dict[str, float | None]:
    """Those of COSTS, by name."""
    flat: dict[str, Any] = {**cost, **cost["machine"]}
    return {name: flat[name] for name in COSTS}


def _record(group: GroupResult, candidate: CandidateResult, metric: str) -> dict[str, Any]:
    low, high = candidate["interval"] or (None, None)
    gain_low, gain_high = candidate["gain_interval"] or (None, None)
    return {
        "group": group_name(group["group"]),
        "candidate": candidate["label"],
        "verdict": candidate_verdict(group, candidate["label"]),
        "metric": metric,
        "score": candidate["score"],
        "low": low,
        "high": high,
        "gain": candidate["gain"],
        "gain_low": gain_low,
        "gain_high": gain_high,
        "seeds": candidate["n_seeds"],
        "utterances": candidate["n_utterances"],
        "failures": candidate["failures"],
        "p_best": candidate["p_best"],
        "unstable": candidate.get("unstable"),
    }
