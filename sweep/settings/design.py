"""`--resolve` and `--within`: the numbers of seeds and of test utterances that a plan takes, and what they trade.

The plan keeps what was asked, the spreads it was made with and where these are from.
"""

import math
import re
from dataclasses import astuple, dataclass, replace

from sweep.plan.cost import TYPICAL_SPREADS, estimate, speakers_on_test
from sweep.plan.plan import Plan
from sweep.plan.resolution import CAP, Design, Resolution, sized
from sweep.settings.uncached_stages import uncached_stages
from sweep.stored.earlier_spreads import earlier_spreads
from sweep.verdict.planning.spreads import MOST_SEEDS, Spreads
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS

_NUMBER = re.compile(r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*(.*?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Trade:
    """What the dry run shows: the choice among its neighbours."""

    rows: list[list[Design]]  # a row per number of seeds, a column per number of utterances
    chosen: Design
    source: str  # of the spreads


def designed(plan: Plan, resolve: str | None, within: float | None) -> tuple[Plan, Trade]:
    """The plan with as many seeds and as much test audio as `--resolve` or `--within` (core-hours) asks for.

    Raises `UserError` where that cannot be.
    """
    spreads, source = _spreads(plan)
    if resolve is not None:  # before the number is set, gates have the first seeds only
        plan = replace(plan, design={"resolve": difference(resolve, plan.metric)})
    resolution = Resolution(plan, spreads, _Price(plan))
    if plan.resolve is not None:
        chosen = _cheapest(plan, resolution, plan.resolve)
        most = min(CAP * chosen.seeds, MOST_SEEDS)
    else:
        assert within is not None
        plan = replace(plan, design={"within": within})
        chosen = _finest(resolution, within)
        most = chosen.seeds
    stored = {name: list(astuple(each)) for name, each in spreads.items()}
    design = {**plan.design, "seeds": chosen.seeds, "source": source, "spreads": stored}
    return (
        replace(sized(plan, most, chosen.test_seconds), design=design),
        Trade(resolution.table(chosen), chosen, source),
    )


def difference(text: str, metric: str) -> float:
    """The value of `--resolve`, in the metric's unit, which may follow the number. Raises `UserError`."""
    info = METRICS[metric]
    unit = info.unit or "points"
    example = f"give a number above 0 in {unit}, such as --resolve {info.margin:g}"
    match = _NUMBER.fullmatch(text)
    try:
        value = float(match[1]) if match else math.nan
    except ValueError:
        value = math.nan
    if match and match[2] and match[2].casefold() != info.unit.casefold():
        raise UserError(f"--resolve {text!r}: {info.title}, which decides, is not measured in {match[2]!r}; {example}")
    if not 0 < value < math.inf:
        raise UserError(f"--resolve {text!r}: not a difference in {info.title}; {example}")
    return value


def trade_lines(plan: Plan, trade: Trade) -> list[str]:
    """The trade as a small table: seeds x test utterances -> the difference found with 80 % power, and core-hours."""
    unit, chosen = METRICS[plan.metric].unit, trade.chosen
    head = [_audio(design, speakers_on_test(plan)) for design in trade.rows[0]]
    cells = [[_cell(design, unit, design == chosen) for design in row] for row in trade.rows]
    width = max(map(len, [*head, *(cell for row in cells for cell in row)]))
    lines = [f"{'design':<10} seeds   {'   '.join(text.ljust(width) for text in head)}".rstrip()]
    for row, texts in zip(trade.rows, cells, strict=True):
        lines.append(f"{'':<10} {row[0].seeds:>5}   {'   '.join(text.ljust(width) for text in texts)}".rstrip())
    lines.append(f"{'':<10} * chosen; by test utterances: the difference found with 80 % power, core-hours")
    return [*lines, f"{'':<10} spreads of {trade.source}: {'; '.join(map(_shown, *_by_group(plan)))}", *_rest(plan)]


def _rest(plan: Plan) -> list[str]:
    if plan.resolve is None:
        return []
    return [
        f"{'':<10} after {plan.first_seeds} seeds, each group's spread on valid sets its own number of them, "
        f"{len(plan.seeds)} at most"
    ]


def _by_group(plan: Plan) -> tuple[list[str], list[Spreads]]:
    stored = plan.design["spreads"]
    return list(stored), [Spreads(*values) for values in stored.values()]


def _shown(group: str, spreads: Spreads) -> str:
    unit, residual = spreads.speaker + spreads.utterance, spreads.speaker_residual + spreads.residual
    return f"{group} seed {spreads.seed**0.5:.2g}, utterance {unit**0.5:.2g}, rest {residual**0.5:.2g}"


def _audio(design: Design, speakers: int) -> str:
    return f"{design.utterances} utterances" + (f", {min(design.utterances, speakers)} speakers" if speakers else "")


def _cell(design: Design, unit: str, is_chosen: bool) -> str:
    hours = "" if design.cost is None else f", {design.cost / 3600:.2f} h"
    return f"{f'{design.detectable:.2g} {unit}'.rstrip()}{hours}{' *' if is_chosen else ''}"


# -- the choice ------------------------------------------------------------------------------------------


def _spreads(plan: Plan) -> tuple[dict[str, Spreads], str]:
    """By group; a group without earlier sweeps takes the mean of the others, else the metric's typical ones."""
    found, names = earlier_spreads(plan)
    if found:
        others = Spreads.mean(list(found.values()))
        several = f"{len(names)} earlier sweeps ({', '.join(names)})" if len(names) > 1 else f"earlier sweep {names[0]}"
        return {group.name: found.get(group.name, others) for group in plan.groups}, several
    title = METRICS[plan.metric].title
    if plan.metric not in TYPICAL_SPREADS:
        raise UserError(
            f"--resolve and --within need to know how {title} scatters, and no earlier sweep of this question and "
            f"corpus is in {plan.output.rpartition('/')[0]}: run one with --seeds 3 first, whose spreads then serve"
        )
    typical = Spreads.of_units(*TYPICAL_SPREADS[plan.metric])
    source = f"{title} as is typical (no earlier sweep here), which say nothing of more utterances per speaker"
    return {group.name: typical for group in plan.groups}, source


class _Price:
    """Core-seconds of a plan that differs from the first one in seeds and test audio; nothing in the cache costs."""

    def __init__(self, plan: Plan) -> None:
        largest = sized(plan, MOST_SEEDS, plan.data.test_seconds)
        self._missing = uncached_stages(largest, [*largest.stages(), *largest.gate_stages()])

    def __call__(self, plan: Plan) -> float | None:
        seeds = {plan.search_seed, *plan.seeds}
        cost = estimate(plan, [stage for stage in self._missing if stage.seed in seeds])
        return None if cost is None else cost.core_seconds


def _cheapest(plan: Plan, resolution: Resolution, wanted: float) -> Design:
    chosen = resolution.cheapest(wanted)
    if chosen is not None:
        return chosen
    limit = resolution.limit()
    unit = METRICS[plan.metric].unit
    costs = "" if limit.cost is None else f", for about {limit.cost / 3600:.1f} core-hours"
    raise UserError(
        f"--resolve {wanted:g}: no number of seeds reaches it with this corpus; the smallest is about "
        f"{f'{limit.detectable:.2g} {unit}'.rstrip()}, with {limit.seeds} seeds and {limit.utterances} test utterances"
        f"{costs}. Give a larger difference, or a corpus with more test speakers"
    )


def _finest(resolution: Resolution, within: float) -> Design:
    chosen, least = resolution.finest(3600 * within), resolution.least()
    if chosen is not None:
        return chosen
    if least.cost is None:
        raise UserError(
            f"--within {within:g}: what this costs is not known, since no step of this size was ever timed; give "
            "--seeds or --resolve, and --max-hours to stop in time"
        )
    raise UserError(
        f"--within {within:g}: {least.seeds} seeds of every candidate, the fewest for a verdict, take about "
        f"{least.cost / 3600:.2g} core-hours with search and scoring; give at least that, or a smaller question"
    )
