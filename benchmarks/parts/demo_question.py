"""The demo's question, from nothing to an answer: ours, and the stock script with the same training code and trials.

Both start with a prepared corpus and an empty cache, pre-train the same bodies and train as many trials with the same
seeds. Ours does more: gates, a verdict with intervals, a report, rows for every utterance.
"""

from benchmarks.harness.findings import Comparison, Fact, Finding
from benchmarks.harness.part import Context
from benchmarks.parts.sweeps import STOCK, our_sweep, stock_sweep

_WHY = (
    "the stock script starts a process for each trial, which imports torch anew, and scores on the core it trains on; "
    "ours keeps its workers, and also computes gates, a verdict and a report. ASHA stops about half of the stock "
    "script's search trials after their first round"
)


def measure(context: Context) -> list[Finding]:
    flags = ("--preset", "smoke", "--upstreams", "tera") if context.small else ("--preset", "demo")
    ours = our_sweep(context, "question", "--space", "norm_layers", *flags)
    theirs = stock_sweep(context, "question", *flags)
    same = sum(theirs.leaders[group] == leader for group, leader in ours.leaders.items())
    verdicts = {"/".join(each["group"].values()): each["verdict"] for each in ours.answers["groups"]}
    return [
        Comparison(
            what="the demo's question, to the answer",
            unit="s",
            peer=STOCK,
            ours=(ours.seconds,),
            theirs=(theirs.seconds,),
            why=_WHY,
        ),
        Comparison(
            what="core-seconds of that",
            unit="s",
            peer=STOCK,
            ours=(ours.core_seconds,),
            theirs=(theirs.core_seconds,),
            why=_WHY,
        ),
        Fact(what="trials lost", peer=STOCK, ours=str(ours.lost), theirs=str(theirs.lost)),
        Fact(what="MLflow runs left open", peer=STOCK, ours=str(ours.open_runs), theirs=str(theirs.open_runs)),
        Fact(
            what="leaders",
            peer=STOCK,
            ours=_listed(ours.leaders),
            theirs=_listed(theirs.leaders),
            why=f"{same} of {len(ours.leaders)} are the same; our verdicts are {_listed(verdicts)}, and where that is "
            "a tie, another leader is as good an answer",
        ),
    ]


def _listed(names: dict[str, str]) -> str:
    return ", ".join(f"{group} {name}" for group, name in names.items())
