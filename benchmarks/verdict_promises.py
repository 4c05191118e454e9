"""What a verdict promises, counted in simulated worlds with 3, 5 and 8 seeds, as a Markdown table.

python -m benchmarks.verdict_promises [WORLDS]
python -m benchmarks.verdict_promises shapes [WORLDS]    what `judge` promises, in every shape of scores
python -m benchmarks.verdict_promises races [WORLDS]     what --seeds auto promises, costs and saves
python -m benchmarks.verdict_promises designs [WORLDS]   what --resolve promises
python -m benchmarks.verdict_promises apart [WORLDS]     what setting a candidate apart promises and gains
python -m benchmarks.verdict_promises others [WORLDS]    what papers do, in the same worlds

Six candidates and 200 utterances, spreads as in benchmarks/simulated_scores.py. Half an hour on
one core with the 3,000 worlds of docs/verdict.md, ten minutes with 2,000 for the shapes. `others` needs
`pip install confidence-intervals`; without it the bootstrap has no column.
"""

import sys
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks import simulated_apart, simulated_designs, simulated_shapes
from benchmarks.simulated_apart import promises
from benchmarks.simulated_designs import tied_world, wanted_world
from benchmarks.simulated_races import WORLDS, outcomes
from benchmarks.simulated_scores import TWO_ON_TOP, World, claims, coverage
from benchmarks.simulated_shapes import SHAPES, Method, Shape, SpeakerBootstrap, of_method, utterance_t, winners

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


def shapes(worlds: int) -> None:
    """Coverage and winners of every shape; the leader is chosen by the very scores."""
    print("| scores | a pair | all pairs at once | winner, two of six tied on top | two tied systems | finds .08 |")
    print("|---|---|---|---|---|---|")
    for name, shape in SHAPES.items():
        pair, at_once = simulated_shapes.coverage(shape, worlds)
        false = winners(shape, simulated_shapes.TWO_ON_TOP, worlds)[0]
        of_two = winners(shape, simulated_shapes.EQUAL[:2], worlds)[0]
        found = winners(shape, simulated_shapes.ONE_LEADS, worlds)[1]
        _cells(name, [pair, at_once, false, of_two, found])


def races(worlds: int) -> None:
    """With and without the stop at a tie, in the same worlds."""
    print("| true means | the best wins | a false winner | runs | without the stop: wins | false | runs | covered |")
    print("|---|---|---|---|---|---|---|---|")
    for name, world in WORLDS.items():
        cells, covered = [], 0.0
        best = world.means.index(max(world.means))
        is_tied = world.means.count(max(world.means)) > 1
        for stops in (True, False):
            found = list(outcomes(world, worlds, seed=4, stops_ties=stops))
            right = [outcome.winner == str(best) and not is_tied for outcome in found]
            false = [outcome.winner is not None and not won for outcome, won in zip(found, right, strict=True)]
            wins = "" if is_tied else f"{100 * np.mean(right):.1f} %"
            cells += [wins, f"{100 * np.mean(false):.1f} %", f"{np.mean([o.seeds for o in found]):.1f}"]
            covered = covered or float(np.mean([outcome.covered for outcome in found]))
        print(f"| {name} |", " | ".join(cells), f"| {100 * covered:.1f} % |", flush=True)


def designs(worlds: int) -> None:
    """What --resolve promises: the lead over the second is the wanted one; or two are tied on top."""
    print("| candidates | spread between seeds, expected .03 | finds .05 | a false winner | covered | seeds |")
    print("|---|---|---|---|---|---|")
    for candidates, seed_sd in ((2, 0.03), (2, 0.02), (2, 0.0424), (3, 0.03), (6, 0.03), (6, 0.02), (6, 0.0424)):
        wanted = list(simulated_designs.outcomes(wanted_world(candidates, seed_sd), worlds, seed=5))
        tied = list(simulated_designs.outcomes(tied_world(candidates, seed_sd), worlds, seed=6))
        found = np.mean([outcome.found for outcome in wanted])
        false = np.mean([outcome.won for outcome in tied])
        covered = np.mean([outcome.covered for outcome in [*wanted, *tied]])
        seeds = np.mean([outcome.seeds for outcome in wanted])
        cells = [f"{100 * share:.1f} %" for share in (found, false, covered)]
        print(f"| {candidates} | {seed_sd:.3g} |", " | ".join(cells), f"| {seeds:.1f} |", flush=True)
    beaten = list(simulated_designs.outcomes(wanted_world(6, rest=0.0), worlds, seed=7))
    print(f"one leads all five by .05: {100 * np.mean([outcome.found for outcome in beaten]):.1f} % win")


def apart(worlds: int) -> None:
    """One of five scatters more than the others, pooled with them and set apart, in the same worlds."""
    print("| its spreads | seeds | set apart | a pair of the others | it and another | false winner | half-width |")
    print("|---|---|---|---|---|---|---|")
    for times in (1, 3, 7):
        for seeds in SEEDS[:2]:
            for is_apart in (False, True):
                found = promises(times, seeds, worlds, is_apart)
                false = promises(times, seeds, worlds, is_apart, simulated_apart.TWO_ON_TOP).false_winner
                cells = [f"{100 * share:.1f} %" for share in (found.covered, found.covered_apart, false)]
                name = f"{times} times" if times > 1 else "alike"
                yes = "yes" if is_apart else "no"
                print(f"| {name} | {seeds} | {yes} |", " | ".join(cells), f"| {found.half_width:.3f} |", flush=True)


# What the claim is about: these models, or the methods that trained them.
QUESTIONS = {
    "these models: one run, 200 utterances": (Shape(runs=1), True),
    "these models: one run, 200 utterances of 20 speakers who matter": (
        SHAPES["20 speakers who matter (.10), one run"],
        True,
    ),
    "the methods: one run, 200 utterances": (Shape(runs=1), False),
    "the methods: 3 seeds, 200 utterances": (Shape(runs=3), False),
    "the methods: 5 seeds, 824 utterances": (Shape(units=824), False),
    "the methods: 3 seeds, 200 utterances of 20 speakers who matter": (
        SHAPES["20 speakers who matter (.10), 3 seeds"],
        False,
    ),
}


def others(worlds: int) -> None:
    """Coverage / false winners of each method."""
    methods: Mapping[str, Callable[[Shape], Method]] = {"t-test over utterances": lambda _: utterance_t}
    try:
        SpeakerBootstrap(np.arange(3))
        methods = {**methods, "bootstrap by speaker": _bootstrap}
    except ImportError:
        print("confidence_intervals is not installed: no bootstrap")
    print("| the claim is about | judge |", " | ".join(methods), "|")
    print("|---|---|" + "---|" * len(methods))
    for question, (shape, of_models) in QUESTIONS.items():
        cells = [_ours(shape, of_models, worlds)]
        cells += [of_method(shape, worlds, make(shape), of_models) for make in methods.values()]
        print(f"| {question} |", " | ".join(f"{100 * c:.0f} / {100 * w:.1f} %" for c, w in cells), "|", flush=True)


def _ours(shape: Shape, of_models: bool, worlds: int) -> tuple[float, float]:
    pair, _ = simulated_shapes.coverage(shape, worlds, of_models=of_models)
    return pair, winners(shape, simulated_shapes.TWO_ON_TOP, worlds, equal_models=of_models)[0]


def _bootstrap(shape: Shape) -> Method:
    return SpeakerBootstrap(next(simulated_shapes.worlds(shape, simulated_shapes.EQUAL, 1)).speakers)


def _cells(name: str, found: list[float]) -> None:
    print(f"| {name} |", " | ".join(f"{100 * share:.1f} %" for share in found), "|", flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    tasks = {"shapes": shapes, "races": races, "designs": designs, "apart": apart, "others": others}
    task = tasks.get(arguments[0], main) if arguments else main
    numbers = [int(argument) for argument in arguments if argument.isdigit()]
    task(numbers[0] if numbers else {main: 3000, shapes: 2000, races: 1000, designs: 2000}.get(task, 300))
