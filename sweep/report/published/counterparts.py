"""Which published figure belongs to which of our candidates, and whether a sweep was run as the paper's systems were.

`counterparts.csv` has one row per published system that a candidate of ours repeats.

A sweep is comparable with a figure if it is of the paper's preset, unchanged, on the paper's test set, which is
recognised by its utterances, not by what the user called it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sweep.plan.plan import Plan
from sweep.report.published import published_rows
from trainables.metrics.catalogue import METRICS

FULL_SIZE = "paper"  # the preset at the papers' size
FIGURES = "feature_normalization"  # the file with a column for each of
FEATURE_METRICS = ("wb_pesq", "stoi", "csig", "cbak", "covl")


@dataclass(frozen=True)
class Counterpart:
    """A published figure of the system that one of our candidates repeats."""

    group: str
    candidate: str
    system: str
    metric: str
    value: float
    corpus: str  # it was measured on; a key of CORPORA
    unlike: str = ""  # what our recipe for it has otherwise than its paper's; "" = nothing


def counterparts(plan: Plan) -> list[Counterpart]:
    """The published figures of the plan's groups and candidates; none for a space that repeats no paper's systems."""
    ours = {(group.name, candidate.label) for group in plan.groups for candidate in group.candidates}
    known = published_rows("counterparts") if not plan.space_file else []
    return [
        Counterpart(row["group"], row["candidate"], system, metric, value, row["corpus"], row["unlike"])
        for row in known
        if row["space"] == plan.space and (row["group"], row["candidate"]) in ours
        for table, system, metric, value in _figures(row["paper"])
        if (table, system) == (row["table"], row["system"])
    ]


def differences(plan: Plan, corpus: str, utterances: Collection[str]) -> list[str]:
    """Why the plan's scores on these test utterances are not comparable with figures on `corpus`; empty if they are."""
    found, size = [], plan.method_config.get("size")
    if plan.preset != FULL_SIZE:
        found.append(f"the {plan.preset} preset trains models of {size} size, not the paper's")
    elif plan.steps != plan.space_object().presets[FULL_SIZE].steps:
        found.append(f"trained for {plan.steps} steps, not {plan.space_object().presets[FULL_SIZE].steps}")
    if plan.fixed:
        found.append(f"fixed by --set: {', '.join(sorted(plan.fixed))}")
    if plan.mixed:
        found.append("every system has the same budget of audio, none its published one")
    if plan.data.labelled_minutes is not None:
        found.append(f"only {plan.data.labelled_minutes:g} labelled minutes")
    if not CORPORA[corpus](plan.corpus_summary, utterances):
        found.append(f"the test set is not {corpus}'s")
    return found


# -- test sets ---------------------------------------------------------------------------------------------


def _by_names(number: int, pattern: str) -> Callable[[Mapping[str, Any], Collection[str]], bool]:
    name = re.compile(pattern + r"(@[\d.]+s)?")  # cut, where longer than the evaluation's clips
    return lambda summary, utterances: len(utterances) == number and all(map(name.fullmatch, utterances))


def _is_timit_nonspeech(summary: Mapping[str, Any], utterances: Collection[str]) -> bool:
    test = summary.get("splits", {}).get("test", {})
    found = summary.get("kind"), test.get("speakers"), summary.get("noises"), summary.get("synthetic")
    return found == ("speech+noise", 50, 100, False)


CORPORA: dict[str, Callable[[Mapping[str, Any], Collection[str]], bool]] = {
    "VoiceBank-DEMAND": _by_names(824, r"testset/p(232|257)_\d+"),
    "TIMIT with Nonspeech-100": _is_timit_nonspeech,
    "WSJ0-2mix": _by_names(3000, r"\w+_-?[\d.]+_\w+_-?[\d.]+"),
    "Libri2Mix": _by_names(3000, r"\d+-\d+-\d+_\d+-\d+-\d+"),
}


# -- systems -----------------------------------------------------------------------------------------------


def candidate_of(variant: str) -> str:
    """The label of a sweep's candidate: pretrained is `none`, base is `random`, normed(layer2) is `layer2`."""
    names = {"pretrained": "none", "base": "random"}
    return names.get(variant, variant.removeprefix("normed(").removesuffix(")"))


def rows_of_upstream(upstream: str) -> list[dict[str, str]]:
    """The rows of one upstream, each variant once; none for an upstream that is not in the paper."""
    mine = (row for row in published_rows(FIGURES) if upstream in row["upstream"].split("/"))
    return list({row["variant"]: row for row in mine}.values())


def _figures(paper: str) -> Iterator[tuple[str, str, str, float]]:
    """(table, system, metric, value) over all SNRs of a paper's file, with a column per metric or a row per figure."""
    for row in published_rows(paper):
        if "value" not in row:
            yield from ((row["table"], row["system"], name, float(row[name])) for name in row if name in METRICS)
        elif not row["snr_db"]:
            yield row["table"], row["system"], row["metric"], float(row["value"])
