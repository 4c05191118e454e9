"""How scores scattered in earlier sweeps of the same question, corpus and budget, from their stored rows of test."""

import contextlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.by_name import load_plan, sweep_names
from sweep.stored.reading import read_rows
from sweep.verdict.planning.spreads import Spreads
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_ALIKE = ("space", "space_fingerprint", "preset", "metric", "steps", "method_config", "by_group", "fixed")
_ALIKE_DATA = ("labelled_minutes", "evaluation_clip_seconds", "evaluation_snrs", "swap_roles", "speakers")


def earlier_spreads(plan: Plan) -> tuple[dict[str, Spreads], list[str]]:
    """By group, the mean over the sweeps next to `plan`'s output that have one; and the names of these sweeps.

    Sweeps that cannot be read say nothing.
    """
    base = plan.output.rpartition("/")[0]
    found: dict[str, list[Spreads]] = {}
    names = []
    for name in sweep_names(base):
        with contextlib.suppress(UserError):
            here = _of_sweep(plan, name, base)
            for group, spreads in here.items():
                found.setdefault(group, []).append(spreads)
            names += [name] if here else []
    return {group: Spreads.mean(each) for group, each in found.items()}, names


def _of_sweep(plan: Plan, name: str, base: str) -> dict[str, Spreads]:
    """By group of `plan`; empty where the sweep is another question or has no rows of test."""
    from sweep.verdict.paired_scores import group_rows, paired_scores  # imports pandas

    earlier = load_plan(name, base)
    storage = Storage(earlier.output)
    if not _is_like(earlier, plan) or not storage.exists(layout.rows_path("test")):
        return {}
    rows, found = read_rows(earlier, storage, metric=plan.metric), {}
    wanted = {group.name for group in plan.groups}
    for group in (group for group in earlier.groups if group.name in wanted):
        labels = [candidate.label for candidate in group.candidates]
        mine = group_rows(rows, group.name)
        seeds = _shared_seeds(set(zip(mine["candidate"], mine["seed"], strict=True)), labels, earlier.seeds)
        paired = paired_scores(mine, plan.metric, labels, seeds, apart=group.apart) if len(mine) else None
        spreads = None if paired is None else Spreads.of(paired)
        if spreads is not None:
            found[group.name] = spreads
    return found


def _shared_seeds(scored: AbstractSet[tuple[str, int]], labels: Sequence[str], seeds: Sequence[int]) -> Sequence[int]:
    """The first so many seeds that say most of variances: under --resolve and --seeds auto, few have all planned."""

    def known(n_seeds: int) -> tuple[int, int]:
        complete = sum(all((label, seed) in scored for seed in seeds[:n_seeds]) for label in labels)
        return max(complete - 1, 0) * (n_seeds - 1), n_seeds

    return seeds[: max(range(1, len(seeds) + 1), key=known)]


def _is_like(earlier: Plan, plan: Plan) -> bool:
    """Whether its jobs train and are scored as the plan's; a corpus not prepared yet goes by its name."""
    known = earlier.corpus_fingerprint and plan.corpus_fingerprint
    field = "corpus_fingerprint" if known else "corpus_source"
    ours, theirs = plan.to_json(), earlier.to_json()  # of a stored plan, tuples are lists
    same_data = all(ours["data"][name] == theirs["data"][name] for name in _ALIKE_DATA)
    return same_data and all(ours[name] == theirs[name] for name in (*_ALIKE, field))
