"""The words and numbers of the findings' tables, shared by the terminal and Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from sweep.report.cells import COST_TITLES, NOT_KNOWN, Row, amount, counted, estimate
from sweep.verdict.result import (
    COSTS,
    CandidateCost,
    LearningCurve,
    MetricLeader,
    Result,
    SnrScores,
    by_score,
    cost_numbers,
    group_name,
)
from trainables.metrics.catalogue import METRICS

_POINTS = 4  # of each curve in the table


def snr_cells(result: Result) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, header, rows) of each table of test scores; the deciding metric's come first."""
    tables = list(_snr_tables(result.get("by_snr", [])))
    for group, metric, entries in sorted(tables, key=lambda table: table[1] != result["metric"]):
        snrs = sorted({snr for entry in entries for snr in entry["scores"]}, key=float)
        rows = [
            [
                entry["candidate"],
                *(estimate(entry["scores"].get(snr), None, metric) for snr in snrs),
                estimate(entry["mean"], None, metric),
            ]
            for entry in entries
        ]
        header = ["candidate", *(f"{snr} dB" for snr in snrs), "mean"]
        yield f"{METRICS[metric].title}{' by SNR' if snrs else ''}, {group}", header, rows


def metric_cells(result: Result) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, header, rows): each group's means by all metrics, the published ones last; the longer list goes down."""
    entries = result.get("metrics", [])
    for group in dict.fromkeys(entry["group"] for entry in entries):
        mine = [entry for entry in entries if entry["group"] == group]
        metrics, rows = _by_metric({entry["candidate"]: entry["scores"] for entry in mine})
        parts = {metric: count for entry in mine for metric, count in entry.get("utterances", {}).items()}
        heard = {metric: f", {count} utterances" for metric, count in parts.items()}
        header = ["candidate", *(f"{METRICS[metric].title}{heard.get(metric, '')}" for metric in metrics)]
        if len(metrics) > len(mine):  # wide tables wrap within words
            (_, *titles), columns = header, [list(column) for column in zip(*rows, strict=True)]
            header, rows = ["metric", *columns[0]], [[t, *c] for t, c in zip(titles, columns[1:], strict=True)]
        yield f"All metrics, {group}", header, rows


def rate_cells(result: Result) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, header, rows): each group's error rates over the whole test set."""
    entries = result.get("corpus_rates", [])
    for group in dict.fromkeys(entry["group"] for entry in entries):
        mine = [entry for entry in entries if entry["group"] == group]
        metrics, rows = _by_metric({entry["candidate"]: entry["rates"] for entry in mine})
        yield f"Error rates of the whole test set, {group}", ["candidate", *(METRICS[m].pooled for m in metrics)], rows


def _by_metric(values: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[Row]]:
    """All metrics of the candidates' values, and a row of cells for each candidate."""
    metrics = list(dict.fromkeys(metric for found in values.values() for metric in found))
    rows = [
        [label, *(estimate(found.get(metric), None, metric) for metric in metrics)] for label, found in values.items()
    ]
    return metrics, rows


def metric_leader_cells(result: Result, group: str | None = None) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, header, rows): each group's best candidate by every metric, held against the leader; of one `group`."""
    entries = [entry for entry in result.get("metric_leaders", []) if group in (None, entry["group"])]
    for name in dict.fromkeys(entry["group"] for entry in entries):
        mine = [entry for entry in entries if entry["group"] == name]
        leader = mine[0]["leader"]
        rows = [
            [
                METRICS[entry["metric"]].title,
                entry["best"],
                NOT_KNOWN
                if entry["best"] == leader
                else estimate(entry["ahead"], entry["interval"], entry["metric"], signed=True),
                _agreement(entry),
                ", ".join(f"{label} {count}" for label, count in entry["failures"].items()) or NOT_KNOWN,
            ]
            for entry in mine
        ]
        header = ["metric", "best on test", f"ahead of {leader}", "", "failures"]
        yield f"Where metrics disagree, {name}", header, rows


def curve_cells(result: Result) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, header, rows): each candidate's lead over the baseline on valid, at a few points of training."""
    curves = [curve for curve in result.get("curves", []) if curve["steps"]]
    for group in dict.fromkeys(curve["group"] for curve in curves):
        mine = [curve for curve in curves if curve["group"] == group]
        last = len(mine[0]["steps"]) - 1
        points = sorted({round(last * point / (_POINTS - 1)) for point in range(_POINTS)})
        header = [
            "candidate",
            *(f"epoch {mine[0]['epochs'][point]:.3g}" for point in points),
            "reaches the baseline's final score",
            "steps to the baseline's best, each seed's own",
        ]
        rows = [
            [curve["candidate"], *_leads(curve, points, result["metric"]), _reached(curve), _convergence(curve)]
            for curve in mine
        ]
        yield f"Lead over the baseline on valid during training, {group}", header, rows


def switch_cells(result: Result) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, header, rows): how often each candidate's label assignment switched, over all rounds."""
    entries = result.get("label_switches", [])
    for group in dict.fromkeys(entry["group"] for entry in entries):
        rows = [
            [
                entry["candidate"],
                f"{entry['mean_switch']:.1f}",
                f"{entry['mean_symmetric']:.1f}",
                _percent_difference(entry["difference"], entry["difference_interval"]),
            ]
            for entry in entries
            if entry["group"] == group
        ]
        header = ["candidate", "switched (%)", "symmetric (%)", "symmetric, minus the baseline's"]
        yield f"Label switches per round of training, {group}", header, rows


def cost_cells(result: Result, group: str | None = None) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, header, rows): what each candidate costs and its score, the best first; of one `group`."""
    scored = {(group_name(g["group"]), c["label"]): c for g in result["groups"] for c in g["candidates"]}
    entries = [entry for entry in result.get("costs", []) if group in (None, entry["group"])]
    for name in dict.fromkeys(entry["group"] for entry in entries):
        mine = {entry["candidate"]: entry for entry in entries if entry["group"] == name}
        known = [c for c in COSTS if any(cost_numbers(entry)[c] is not None for entry in mine.values())]
        order = by_score([scored[name, label] for label in mine], METRICS[result["metric"]].lower)
        rows = [
            [
                row["label"],
                mine[row["label"]]["method"],
                estimate(row["score"], row["interval"], result["metric"]),
                *(_cost(mine[row["label"]], cost) for cost in known),
            ]
            for row in order
        ]
        header = ["candidate", "method", METRICS[result["metric"]].title, *(COST_TITLES[cost] for cost in known)]
        yield f"Costs, {name}", header, rows


def alarm_lines(result: Result) -> list[str]:
    """Findings that question the answer."""
    collapse = result.get("collapse")
    return [f"COLLAPSED encoders in: {', '.join(collapse['alarmed'])}."] if collapse and collapse["alarmed"] else []


def finding_lines(result: Result) -> list[str]:
    """One line for each finding that has no table."""
    lines = list(_disagreements(result))
    shown = [*result.get("by_snr", []), *result.get("metrics", [])]
    if any(entry["published"] for entry in shown):
        lines.append(
            "Published rows are the paper's figures, on its own corpus and at its own scale, without intervals."
        )
    lines += cost_lines(result.get("costs", []))
    shared = result.get("shared_training")
    if shared:
        lines.append(
            f"Shared training: {counted(shared['prefixes'], 'prefix')} computed once for "
            f"{counted(shared['trials'], 'search trial')}, {shared['steps_saved']} steps saved."
        )
    collapse = result.get("collapse")
    if collapse and not collapse["alarmed"]:
        lines.append(f"Collapse monitor: healthy in all {counted(collapse['watched'], 'finished trial')}.")
    return lines


def _cost(entry: CandidateCost, name: str) -> str:
    value, spread = cost_numbers(entry)[name], entry["machine"]["real_time_factor_spread"]
    if value is None:
        return NOT_KNOWN
    return amount(value) + (f" ± {amount(spread / 2)}" if name == "real_time_factor" and spread is not None else "")


def cost_lines(entries: Sequence[CandidateCost]) -> Iterator[str]:
    """How they were measured."""
    if not entries:
        return
    cpus = dict.fromkeys(entry["machine"]["cpu"] or "an unknown CPU" for entry in entries)
    yield (
        "Costs: parameters are those that inference reads. Multiply-accumulates are those of matrix products, "
        "convolutions, recurrence and attention, for 4 s of audio. They are the same everywhere; seconds are not. "
        f"Real-time factor: seconds of one core ({', '.join(cpus)}) per second of audio, median ± half the distance of "
        "the quartiles. Seconds of training: the steps of one finalist, median over seeds; without pre-training."
    )
    for entry in entries:
        if entry["uncounted"]:
            yield f"{entry['candidate']}: {', '.join(entry['uncounted'])} cannot be counted."


def _agreement(entry: MetricLeader) -> str:
    if entry["best"] == entry["leader"]:
        return "same leader"
    return "another, significantly" if entry["significant"] else "another, not significantly"


def _disagreements(result: Result) -> Iterator[str]:
    """A line for each group in which another candidate is significantly above the leader by some metric."""
    significant = [entry for entry in result.get("metric_leaders", []) if entry["significant"]]
    for group in dict.fromkeys(entry["group"] for entry in significant):
        mine = [entry for entry in significant if entry["group"] == group]
        shown = ", ".join(f"{METRICS[entry['metric']].title} ({entry['best']})" for entry in mine)
        yield f"{group}: significantly above the leader {mine[0]['leader']} by other metrics: {shown}."


def _leads(curve: LearningCurve, points: Sequence[int], metric: str) -> Iterator[str]:
    for point in points:
        if point < len(curve["lead"]):
            yield estimate(curve["lead"][point], curve["lead_interval"][point], metric, signed=True)
        else:
            yield NOT_KNOWN


def _percent_difference(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return NOT_KNOWN
    return f"{value:+.1f}" + (f" ± {(interval[1] - interval[0]) / 2:.1f}" if interval else "")


def _reached(curve: LearningCurve) -> str:
    return NOT_KNOWN if curve["reached_baseline"] is None else f"epoch {curve['reached_baseline']:.3g}"


def _convergence(curve: LearningCurve) -> str:
    """ "340 ± 60", or which seeds got there: a mean over these alone would hide the others."""
    found = curve.get("convergence")
    if not found or not found["steps"]:
        return NOT_KNOWN
    if found["mean"] is not None:
        interval = found["interval"]
        return f"{found['mean']:.0f}" + (f" ± {(interval[1] - interval[0]) / 2:.0f}" if interval else "")
    reached = sorted(step for step in found["steps"] if step is not None)
    after = f", after {', '.join(map(str, reached))}" if reached else ""
    return f"{len(reached)} of {len(found['steps'])} seeds{after}"


def _snr_tables(breakdown: Sequence[SnrScores]) -> Iterator[tuple[str | None, str, list[SnrScores]]]:
    """(group, metric, its entries with the published ones last) for each table worth printing."""
    measured = [entry for entry in breakdown if not entry["published"]]
    for group, metric in dict.fromkeys((entry["group"], entry["metric"]) for entry in measured):
        ours = [entry for entry in measured if (entry["group"], entry["metric"]) == (group, metric)]
        theirs = [entry for entry in breakdown if entry["published"] and entry["metric"] == metric]
        yield group, metric, [*ours, *theirs]
