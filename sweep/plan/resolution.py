"""What a difference costs: numbers of seeds and of test utterances, what each pair detects, and the cheapest that does.

A difference counts as detected where the verdict's interval of two candidates excludes zero with 80 % power.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sweep.plan.cost import scored_seconds, speakers_on_test, speech_seconds
from sweep.plan.plan import Plan, default_seeds
from sweep.verdict.crossed_effects import FEWEST_SEEDS
from sweep.verdict.planning.spreads import MOST_SEEDS, Spreads

CAP = 2  # times the seeds that the spreads ask for may be trained, should the sweep's own be larger
_SHOWN = (3, 5, 8, 12, 20)  # numbers of seeds in the table, besides the chosen one

Price = Callable[[Plan], float | None]  # core-seconds of a plan; None where no step of it was ever measured


@dataclass(frozen=True)
class Design:
    """One pair of numbers: what it detects (in the metric's unit) and what it costs (core-seconds, None: not known)."""

    seeds: int
    test_seconds: float
    utterances: int
    detectable: float
    cost: float | None


class Resolution:
    """Every design that a plan may take. `spreads` by group; the group that needs most decides."""

    def __init__(self, plan: Plan, spreads: Mapping[str, Spreads], price: Price) -> None:
        self._plan = plan
        self._spreads = spreads
        self._price = price
        self._levels = [(seconds, utterances(plan, seconds)) for seconds in levels_of_test(plan)]

    def design(self, seeds: int, level: int) -> Design:
        """`level`: of the test audio, from what the preset asks for up to all there is."""
        seconds, clips = self._levels[level]
        cost = self._price(sized(self._plan, seeds, seconds))
        return Design(seeds, seconds, clips, self._detectable(seeds, level), cost)

    def _detectable(self, seeds: int, level: int) -> float:
        clips, speakers = self._levels[level][1], speakers_on_test(self._plan)
        return max(
            self._spreads[group.name].resolvable(seeds, clips, speakers, group.pooled, self._plan.alpha)
            for group in self._plan.groups
        )

    def cheapest(self, difference: float) -> Design | None:
        """That detects the difference; the fewest seeds where costs are not known. None where no design does."""
        fit = [self._fewest(difference, level) for level in range(len(self._levels))]
        return min((design for design in fit if design), key=_cost, default=None)

    def finest(self, core_seconds: float) -> Design | None:
        """The design that detects the smallest difference for the money.

        None if three seeds cost more, or their cost is unknown.
        """
        paid = [self._most(core_seconds, level) for level in range(len(self._levels))]
        return min((design for design in paid if design), key=_fineness, default=None)

    def limit(self) -> Design:
        """The most seeds that are allowed, with all test audio there is."""
        return self.design(MOST_SEEDS, len(self._levels) - 1)

    def least(self) -> Design:
        return self.design(FEWEST_SEEDS, 0)

    def table(self, chosen: Design) -> list[list[Design]]:
        """A row per number of seeds, a column per number of utterances, the chosen ones among them."""
        seeds = sorted({*(number for number in _SHOWN if number <= max(2 * chosen.seeds, 8)), chosen.seeds})
        return [[self.design(number, level) for level in range(len(self._levels))] for number in seeds]

    def _fewest(self, difference: float, level: int) -> Design | None:
        found = _first(lambda seeds: self._detectable(seeds, level) <= difference)
        return None if found is None else self.design(found, level)

    def _most(self, core_seconds: float, level: int) -> Design | None:
        seconds, _ = self._levels[level]

        def is_too_much(seeds: int) -> bool:
            cost = self._price(sized(self._plan, seeds, seconds))
            return cost is None or cost > core_seconds

        beyond = _first(is_too_much) or MOST_SEEDS + 1
        return self.design(beyond - 1, level) if beyond > FEWEST_SEEDS else None


def _first(holds: Callable[[int], bool]) -> int | None:
    """The fewest seeds from which on it holds, by bisection; None where it never does."""
    if not holds(MOST_SEEDS):
        return None
    low, high = FEWEST_SEEDS - 1, MOST_SEEDS  # it does not hold, it holds
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def sized(plan: Plan, seeds: int, test_seconds: float) -> Plan:
    """The plan with so many seeds and so much test audio."""
    data = replace(plan.data, test_seconds=test_seconds)
    return replace(plan, seeds=default_seeds(seeds, plan.sweep_seed), looks=(), stops_ties=False, data=data)


def levels_of_test(plan: Plan) -> list[float]:
    """Seconds of test audio: the preset's own, then twice as much each time, up to all there is."""
    first = scored_seconds(plan, "test")
    counts = plan.corpus_summary.get("splits", {}).get(plan.data.source_split("test"), {})
    there = speech_seconds(counts)
    if there is None or plan.data.evaluation_snrs or there <= first:
        return [plan.data.test_seconds]
    levels = [plan.data.test_seconds]
    while 2 * levels[-1] < there and len(levels) < 4:
        levels.append(2 * levels[-1])
    return [*levels, there]


def utterances(plan: Plan, test_seconds: float) -> int:
    """Clips of full length in so much test audio."""
    return max(2, round(test_seconds / plan.data.evaluation_clip_seconds))


def _fineness(design: Design) -> tuple[float, float, int, float]:
    return design.detectable, *_cost(design)


def _cost(design: Design) -> tuple[float, int, float]:
    return design.cost or 0.0, design.seeds, design.test_seconds
