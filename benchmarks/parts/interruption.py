"""A sweep whose every process is killed at half time, and started again: ours, and the stock script with its restore.

Both first run undisturbed, which says when half time is and what the answer should be.
"""

from benchmarks.harness.findings import Comparison, Fact, Finding
from benchmarks.harness.part import Context
from benchmarks.parts.sweeps import STOCK, Swept, our_sweep, stock_sweep

_SMALL = ("--preset", "smoke", "--upstreams", "tera")
_FULL = ("--preset", "demo", "--upstreams", "tera", "--samples", "1", "--seeds", "1")  # as few jobs as a kill can hit


def measure(context: Context) -> list[Finding]:
    flags = _SMALL if context.small else _FULL
    question = ("--space", "norm_layers", *flags)
    ours = our_sweep(context, "undisturbed", *question)
    killed = our_sweep(context, "killed", *question, killed_after=ours.seconds / 2)
    theirs = stock_sweep(context, "undisturbed", *flags)
    why = (
        "both train again only the rounds that were under way; most of the ratio is there without a kill, since the "
        "stock script starts a process for each trial"
    )
    try:
        restored: Swept | None = stock_sweep(context, "killed", *flags, killed_after=theirs.seconds / 2)
    except RuntimeError as error:
        restored, why = None, f"{why}; the stock script does not come back: {str(error).strip().splitlines()[-1]}"
    return [
        Comparison(
            what="to the answer, killed at half time and started again",
            unit="s",
            peer=STOCK,
            ours=(killed.seconds,),
            theirs=(restored.seconds,) if restored else (),
            why=why,
        ),
        Fact(
            what="time lost to the kill",
            peer=STOCK,
            ours=f"{killed.seconds - ours.seconds:.0f} of {ours.seconds:.0f} s",
            theirs=f"{restored.seconds - theirs.seconds:.0f} of {theirs.seconds:.0f} s" if restored else "no answer",
            why="both start Ray and import everything again; of whole sweeps that ran once each",
        ),
        Fact(
            what="trials lost",
            peer=STOCK,
            ours=str(killed.lost),
            theirs=str(restored.lost) if restored else "all",
        ),
        Fact(
            what="MLflow runs left open",
            peer=STOCK,
            ours=str(killed.open_runs),
            theirs=str(restored.open_runs) if restored else "unknown",
        ),
        Fact(
            what="the answer of the undisturbed sweep",
            peer=STOCK,
            ours=_same(killed.answers["groups"] == ours.answers["groups"]),
            theirs=_same(restored is not None and restored.answers == theirs.answers),
        ),
    ]


def _same(equal: bool) -> str:
    return "the same, to the bit" if equal else "another"
