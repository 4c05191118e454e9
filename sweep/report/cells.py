"""The words and numbers of a result's tables, shared by all formats.

Numbers are rounded here and nowhere else.
"""

from collections.abc import Iterable, Mapping, Sequence

from sweep.stored import layout
from sweep.verdict.result import (
    COSTS,
    CandidateResult,
    EarlierReads,
    FailedJob,
    GroupResult,
    Result,
    by_score,
    candidate_verdict,
    cost_numbers,
    group_name,
)
from trainables.metrics.catalogue import METRICS

Row = list[str]
COST_TITLES = {
    "parameters": "parameters",
    "mac_per_second": "multiply-accumulates per second of audio",
    "real_time_factor": "real-time factor on one core",
    "core_seconds": "core-seconds of training",
    "gpu_seconds": "GPU-seconds of training",
}
NOT_KNOWN = "-"
# What `leaderboard.py --by` splits by; here, so that `--help` loads no pandas.
BREAKDOWNS = {"noise_type": "noise type", "snr": "SNR (dB)", "speaker": "speaker", "seed": "seed"}


def headline(result: Result) -> str:
    """What the leaderboard shows: "evening: SI-SDR (dB) on test; 10 speakers, 26 utterances, 3 seeds; ± spans 95 %"."""
    groups = result["groups"]
    decided_by = result.get("decided_by", result["metric"])
    other = "" if decided_by == result["metric"] else f" (decided by {METRICS[decided_by].title})"
    parts = [f"{result['sweep']}: {METRICS[result['metric']].title} on test{other}"]
    parts += dict.fromkeys(_extent(group) for group in groups)
    parts += dict.fromkeys(f"± spans {100 * (1 - group['alpha']):g} %" for group in groups)
    return "; ".join(parts)


def leaderboard(result: Result) -> tuple[Row, list[Row]]:
    """Header and one row per group."""
    groups, metric = result["groups"], result["metric"]
    baseline = groups[0]["baseline"] if groups else "none"
    named_by = next(iter(groups[0]["group"]), "") if groups else ""
    title, gained = METRICS[metric].title, f"gain over {baseline}"
    header = [named_by, "leader", title, gained, "verdict", "detectable", "meaningful?"]
    rows = [
        [
            group_name(group["group"]),
            group["leader"]["label"],
            estimate(group["score"], group["interval"], metric),
            gain(group, leader_row(group), metric),
            verdict(group),
            resolvable(group, metric),
            ("yes" if group["interpretable"] else "no") if gated(group) else "-",
        ]
        for group in groups
    ]
    return header, rows


def candidates(group: GroupResult, metric: str) -> tuple[Row, list[Row]]:
    """Header and one row per candidate of a group, best first."""
    title, gained = METRICS[metric].title, f"gain over {group['baseline']}"
    header = ["candidate", title, "leader's lead", gained, "P(best)", "seeds", "failures", ""]
    rows = [
        [
            row["label"],
            estimate(row["score"], row["interval"], metric),
            estimate(row["behind_leader"], row["behind_leader_interval"], metric, signed=True),
            gain(group, row, metric),
            NOT_KNOWN if row["p_best"] is None else f"{row['p_best']:.2f}",
            str(row["n_seeds"]),
            str(row["failures"]),
            standing(group, row),
        ]
        for row in by_score(group["candidates"], group.get("lower", False))
    ]
    return header, rows


def all_candidates(result: Result) -> tuple[Row, list[Row]]:
    """The candidates of every group in one table, each group named in its first row.

    Numbers of seeds and failures that are the same for all, as the headline has them, have no column.
    """
    groups = result["groups"]
    if not groups:
        return [], []
    tables = [candidates(group, result["metric"]) for group in groups]
    header = [next(iter(groups[0]["group"]), ""), *tables[0][0]]
    rows = [
        [group_name(group["group"]) if number == 0 else "", *row]
        for group, (_, of_group) in zip(groups, tables, strict=True)
        for number, row in enumerate(of_group)
    ]
    planned = {str(len(group["seeds"])) for group in groups}
    plain = {"seeds": planned if len(planned) == 1 else set(), "failures": {"0"}}
    shown = [
        column
        for column, name in enumerate(header)
        if not {row[column] for row in rows} <= plain.get(name, set()) and (column or len(groups) > 1)
    ]
    return [header[column] for column in shown], [[row[column] for column in shown] for row in rows]


def noise_types(group: GroupResult, metric: str) -> tuple[Row, list[Row]]:
    """Header and one row per noise type: its leader and every candidate's mean."""
    types = group["by_noise_type"]["types"]
    entries = [(row["noise_type"], row["n_utterances"], row["leader"], row["scores"]) for row in types]
    return parts_table("noise type", entries, metric)


def parts_table(
    title: str, entries: Sequence[tuple[object, int, str, Mapping[str, float]]], metric: str
) -> tuple[Row, list[Row]]:
    """Header and one row per part of the test set: (value, utterances, leader, means by candidate)."""
    labels = list(entries[0][-1]) if entries else []
    rows = [
        [str(value), str(utterances), leader, *(estimate(means[label], None, metric) for label in labels)]
        for value, utterances, leader, means in entries
    ]
    return [title, "utterances", "leader", *labels], rows


def estimate(value: float | None, interval: Sequence[float] | None, metric: str, signed: bool = False) -> str:
    """ "1.93 ± 0.22"; every interval of ours is symmetric."""
    if value is None:
        return NOT_KNOWN
    digits = _digits(metric)
    shown = f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"  # + 0.0: never "-0.00"
    return shown if interval is None else f"{shown} ± {(interval[1] - interval[0]) / 2:.{digits}f}"


def leader_row(group: GroupResult) -> CandidateResult:
    return next(row for row in group["candidates"] if row["label"] == group["leader"]["label"])


def gain(group: GroupResult, row: CandidateResult, metric: str) -> str:
    """A candidate's gain over the baseline; the baseline itself has none."""
    if row["label"] == group["baseline"]:
        return NOT_KNOWN
    return estimate(row["gain"], row["gain_interval"], metric, signed=True)


def verdict(group: GroupResult) -> str:
    if group["verdict"] == "winner":
        return "winner"
    contenders = ", ".join(group["contenders"])
    return f"tie with {contenders}" if contenders else "tie"


def resolvable(group: GroupResult, metric: str) -> str:
    """ "0.21 (needs 9 seeds)": the smallest detectable difference, and the seeds or audio that a tie needs."""
    if group["resolvable"] is None:
        return NOT_KNOWN
    shown = f"{group['resolvable']:.{_digits(metric)}f}"
    if group["verdict"] == "winner":
        return shown
    needed = group["seeds_needed"]
    return f"{shown} (needs {'more test audio' if needed is None else f'{needed} seeds'})"


def standing(group: GroupResult, row: CandidateResult) -> str:
    """ "leader", "contender, unstable", "behind, failed seeds: 1"."""
    words: list[str] = [candidate_verdict(group, row["label"])]
    if row["label"] in group["equivalent"]:
        words.append("equivalent")
    if row["unstable"]:
        words.append("unstable")
    if row.get("left_after"):
        words.append(f"left after {row['left_after']} seeds")
    if row["failed_seeds"]:
        words.append(f"failed seeds: {row['failed_seeds']}")
    return ", ".join(words)


def footers(result: Result) -> list[str]:
    """The data and settings behind the tables, one fact per line, those first that weigh most against the answer."""
    groups, metric = result["groups"], result["metric"]
    often, once = _test_reads(result.get("test_reads", {}))
    above = [(group, _over_noisy(group, metric)) for group in groups]
    doubtful = [(group["noisy"]["interval"] or [0.0])[0] <= 0 for group in groups]
    return [
        *_failures(result.get("failed", [])),
        *often,
        *_earlier_reads(result.get("earlier_reads", {})),
        *_named((group, _meaningless(group)) for group in groups),
        *_named(entry for entry, doubt in zip(above, doubtful, strict=True) if doubt),
        *_named((group, group["notes"]) for group in groups),
        *comparisons(result),
        *_named(entry for entry, doubt in zip(above, doubtful, strict=True) if not doubt),
        *([_together(groups)] if len(groups) > 1 else []),
        *dict.fromkeys(_population(group) for group in groups),
        *_named((group, _by_noise_type(group)) for group in groups),
        *([_reading(groups[0], result)] if groups else []),
        _material(result),
        *once,
        *_named((group, _spread(group, metric)) for group in groups),
        *_paper_terms(result),
    ]


def warnings(result: Result) -> list[str]:
    """Why the whole result is not meaningful or not reproducible, if so."""
    lines = []
    if not result.get("meaningful", True):
        lines.append(f"NOT MEANINGFUL: the {result.get('preset')} preset only shows that everything runs.")
    if not result.get("reproducible", True):
        lines.append("NOT REPRODUCIBLE: with --async the search depends on which job ended first.")
    return lines


def _reading(group: GroupResult, result: Result) -> str:
    decided_by = METRICS[result.get("decided_by", result["metric"])].title
    return (
        f"{decided_by} decides. Scores are means over seeds and {group['population']['unit']}s, ± is their "
        f"{100 * (1 - group['alpha']):g} % interval; gains over {group['baseline']} use Dunnett's. "
        "Detectable: the true difference found with 80 % power."
        + (" Less is better: leads and gains are positive where a score is lower." if group.get("lower") else "")
    )


def _population(group: GroupResult) -> str:
    population = group["population"]
    types = population["noise_types"]
    speakers = "on these speakers and " if population["conditional_on_speakers"] else "on "
    return (
        f"Population: {_extent(group)}; "
        f"conditional {speakers}these {counted(len(types), 'noise type')} ({', '.join(types)})."
    )


def _extent(group: GroupResult) -> str:
    population = group["population"]
    return (
        f"{counted(population['speakers'], 'speaker')}, {counted(population['utterances'], 'utterance')}, "
        f"{counted(len(group['seeds']), 'seed')}"
    )


def _material(result: Result) -> str:
    synthetic = "synthetic corpus" if result.get("corpus", {}).get("synthetic") else "real corpus"
    trials = result["trials"]
    return (
        f"{result['space']}, {result.get('preset', NOT_KNOWN)} preset, {synthetic}; jobs: "
        f"{trials['complete']} complete, {trials['pruned']} stopped early, {trials['failed']} failed"
        + (f"; {reused} trained by earlier sweeps." if (reused := result.get("reused")) else ".")
    )


def _test_reads(reads: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """(more than once, once), from the ledger, in which a crash may have counted one read too many."""
    often = [f"{group} {counted(number, 'time')}" for group, number in reads.items() if number != 1]
    if often:
        return [f"Test audio was opened more than once, by the ledger {layout.LEDGER}: {', '.join(often)}."], []
    return [], [f"Test audio was opened once, after the leaders were named ({layout.LEDGER})."] if reads else []


def _earlier_reads(earlier: Mapping[str, EarlierReads]) -> list[str]:
    """One line for groups with the same history, which is most often all of them."""
    groups: dict[tuple[int, tuple[str, ...]], list[str]] = {}
    for group, reads in earlier.items():
        if reads["sweeps"]:
            groups.setdefault((reads["sweeps"], tuple(reads["added"])), []).append(group)
    return [
        f"{', '.join(names)}: {counted(sweeps, 'earlier sweep')} of this cache or bucket opened the same test set"
        + (f"; added since it was first read: {', '.join(added)}." if added else ", with these candidates.")
        for (sweeps, added), names in groups.items()
    ]


def _failures(failed: Sequence[FailedJob]) -> list[str]:
    """Each reason once, with the jobs that failed for it."""
    by_reason: dict[str, list[str]] = {}
    for job in failed:
        by_reason.setdefault(str(job["reason"]), []).append(job["job"])
    return [f"Failed ({reason}): {', '.join(jobs)}." for reason, jobs in by_reason.items()]


def _named(remarks: Iterable[tuple[GroupResult, Iterable[str]]]) -> list[str]:
    return [f"{group_name(group['group'])}: {remark}" for group, of_group in remarks for remark in of_group]


def gated(group: GroupResult) -> bool:
    """Whether the question has gates, and they were measured."""
    return bool(set(group.get("gates", {})) - {"reasons"})


def _meaningless(group: GroupResult) -> list[str]:
    if group["interpretable"] or not gated(group):
        return []
    return [f"the question is not meaningful at this size: {'; '.join(group['gates']['reasons'])}"]


def comparisons(result: Result) -> list[str]:
    """What was the same for all candidates of a group and what was not, where their costs are known."""
    return _named((group, _compared(group, result)) for group in result["groups"])


def _compared(group: GroupResult, result: Result) -> list[str]:
    costs = [cost for cost in result.get("costs", []) if cost["group"] == group_name(group["group"])]
    if not costs:
        return []
    labels = [cost["candidate"] for cost in costs]
    rows = [row for row in group["candidates"] if row["label"] in labels]
    numbers = [cost_numbers(cost) for cost in costs]
    spent: dict[str, Sequence[float | None]] = {
        "seconds of noisy audio in training": [cost["audio_seconds"] for cost in costs],
        "search trials": [cost["trials"] for cost in costs],
        "seeds": [row["n_seeds"] for row in rows],
        "test clips": [row["n_utterances"] for row in rows],
        **{COST_TITLES[name]: [each[name] for each in numbers] for name in COSTS},
    }
    known = {what: [v for v in values if v is not None] for what, values in spent.items()}
    whole = {what: values for what, values in known.items() if len(values) == len(costs) > 1}
    equal = [f"{what} ({values[0]:,.10g})" for what, values in whole.items() if len(set(values)) == 1]
    unequal = [
        f"{what} ({amount(min(values))} to {amount(max(values))})"
        for what, values in known.items()
        if len(set(values)) > 1
    ]
    return [f"the same for all: {', '.join(equal)}", f"not the same: {', '.join(unequal)}"]


def amount(value: float) -> str:
    """Three digits and the thousands as a letter: 132113 -> "132 k"."""
    for power, letter in ((9, "G"), (6, "M"), (3, "k")):
        if abs(value) >= 0.9995 * 10**power:
            return f"{float(f'{value / 10**power:.3g}'):g} {letter}"
    return f"{float(f'{value:.3g}'):g}"


def _over_noisy(group: GroupResult, metric: str) -> list[str]:
    noisy = group["noisy"]
    if noisy["score"] is None:
        return []
    over = estimate(noisy["gain"], noisy["interval"], metric, signed=True)
    where = "below" if METRICS[metric].lower else "above"
    return [f"noisy input {estimate(noisy['score'], None, metric)}, the leader is {over} {where} it"]


def _by_noise_type(group: GroupResult) -> list[str]:
    by_type = group["by_noise_type"]
    return [f"same leader in {by_type['same_leader']} of {by_type['of']} noise types"] if by_type["of"] else []


def _spread(group: GroupResult, metric: str) -> list[str]:
    """The variance components: they show whether more seeds or more test audio would help."""
    spread, unit, digits = group["variance"], group["population"]["unit"], _digits(metric) + 1
    if not spread:
        return []
    seed, own, rest = (
        f"{value:.{digits}f}" for value in (spread["candidate_seed"], spread["candidate_unit"], spread["residual"])
    )
    return [f"standard deviations between candidates: over seeds {seed}, over {unit}s {own}, unexplained {rest}"]


def _paper_terms(result: Result) -> list[str]:
    """The leaders' settings in the terms of the method's paper."""
    lines = []
    for group in result["groups"]:
        name, leader = group_name(group["group"]), group["leader"]["label"]
        terms = result.get("paper_terms", {}).get(name, {}).get(leader, {})
        if terms:
            shown = ", ".join(f"{term} = {value:.4g}" for term, value in terms.items())
            lines.append(f"{name}: {leader} in the paper's terms: {shown}")
    return lines


def _together(groups: Sequence[GroupResult]) -> str:
    """Holm's correction, for winners of several groups claimed together."""
    stand = [group_name(group["group"]) for group in groups if group["holm"].get("verdict") == "winner"]
    return f"Claimed together (Holm-corrected), winners stand in: {', '.join(stand) or 'no group'}."


def counted(number: int, word: str) -> str:
    plural = "" if number == 1 else "es" if word.endswith("x") else "s"
    return f"{number} {word}{plural}"


def _digits(metric: str) -> int:
    return 2 if METRICS[metric].unit in ("dB", "%") else 3
