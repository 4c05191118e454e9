"""What a verdict promises, counted in simulated worlds with 3, 5 and 8 seeds, as a Markdown table.

python -m benchmarks.verdict_promises [WORLDS]

Six candidates and 200 utterances, spreads as in benchmarks/simulated_scores.py. Half an hour on
one core with the 3,000 worlds of docs/verdict.md.
"""

import sys

from benchmarks.simulated_scores import TWO_ON_TOP, World, claims, coverage

SEEDS = (3, 5, 8)
LEADS = (0.05, 0.08, 0.15)


def main(worlds: int) -> None:
    print("| | promised |", " | ".join(f"{seeds} seeds" for seeds in SEEDS), "|")
    print("|---|---|" + "---|" * len(SEEDS))
    _row("coverage of a pair's interval", "95 %", [coverage(World(), worlds, s, 200) for s in SEEDS])
    _row(
        "a winner although two are tied on top",
        "at most 5 %",
        [claims(TWO_ON_TOP, worlds, s)[0] for s in SEEDS],
    )
    _row("a false gain of the picked one", "2.5 %", [claims(World(), worlds, s, seed=2)[1] for s in SEEDS])
    for lead in LEADS:
        world = World(means=(lead, *[0.0] * 5))
        _row(f"a winner, true lead {lead:g}", "", [claims(world, worlds, s, seed=3)[0] for s in SEEDS])


def _row(what: str, promised: str, shares: list[float]) -> None:
    print(f"| {what} | {promised} |", " | ".join(f"{100 * share:.1f} %" for share in shares), "|", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
