"""The number of seeds under `--resolve`: set once per group, after the first three, and stored before it is acted on.

Variances are estimated again from the group's own scores on valid, pooled over its candidates. No difference of
candidates enters, so the verdict's error rate stays what it is without it (docs/verdict.md has the simulations).
A number found in seeds.json is never set again, so a resumed sweep trains the same jobs.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sweep.engine.finalist_queue import Contention
from sweep.engine.interim_looks import InterimLooks, on_valid, utterances_of_test
from sweep.plan.cost import speakers_on_test
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.rows import Rows
from sweep.verdict.comparisons import alike_of
from sweep.verdict.planning.spreads import Spreads
from trainables.base.storage.storage import Storage
from trainables.job.stages import Stage, in_order


class SeedNumber:
    """Every candidate stays until the group has its number of seeds; see `InterimLooks` for `valid_rows`."""

    def __init__(self, plan: Plan, storage: Storage, valid_rows: Callable[[str], Rows | None]) -> None:
        self._plan = plan
        self._storage = storage
        self._valid_rows = valid_rows
        self._set = _stored(storage)

    def staying(self, group: str, seeds: int) -> tuple[str, ...] | None:
        """All candidates while they have fewer than their number; None while the first seeds are being scored."""
        if group not in self._set:
            rows = self._valid_rows(group)
            if rows is None:
                return None
            self._set[group] = self._number(group, seeds, rows)
            self._storage.write(layout.SEED_NUMBERS, json.dumps(self._set, indent=1).encode())
        labels = tuple(candidate.label for candidate in self._plan.group_plan(group).candidates)
        return labels if seeds < self._set[group]["seeds"] else ()

    def until(self, group: str, seeds: int) -> int:
        return int(self._set[group]["seeds"])

    def given(self, group: str) -> int:
        return self.until(group, 0) if group in self._set else self._plan.first_seeds

    def is_decided(self, group: str, seeds: int) -> bool:
        return group in self._set

    def _number(self, group: str, seeds: int, rows: Rows) -> dict[str, Any]:
        """What is stored: the number, and the remark on it for the result."""
        plan, most = self._plan, len(self._plan.seeds)
        labels = [candidate.label for candidate in plan.group_plan(group).candidates]
        valid = on_valid(plan, group, rows, labels, seeds)
        found, wanted = Spreads.of(valid), plan.resolve
        if found is None or wanted is None:
            planned = min(int(plan.design["seeds"]), most)
            return {
                "seeds": planned,
                "remark": f"{planned} seeds as planned: no spread could be estimated",
            }
        if expected := {name: Spreads(*values) for name, values in plan.design["spreads"].items()}:
            # A group that a later start added takes the mean of the others.
            own = expected.get(group) or Spreads.mean(list(expected.values()))
            found = found.steadied(own, len(alike_of(valid.complete, valid.apart)), seeds)
        test = utterances_of_test(plan, valid), speakers_on_test(plan), plan.group_plan(group).pooled, plan.alpha
        spread = f"their spread between seeds of {found.seed**0.5:.3g}"
        number = found.seeds_for(wanted, *test, most=most)
        if number is None:
            reached = f"{found.resolvable(most, *test):.2g}, not {wanted:g}"
            remark = f"{most} seeds, all that were priced: by {spread} after {seeds}, these detect {reached}"
            return {"seeds": most, "remark": remark}
        return {"seeds": number, "remark": f"{number} seeds, set after {seeds} by {spread}, to detect {wanted:g}"}


def further_seeds(plan: Plan, storage: Storage, valid_rows: Callable[[str], Rows | None]) -> Contention:
    """What decides on seeds beyond a plan's first ones."""
    return (SeedNumber if plan.resolve else InterimLooks)(plan, storage, valid_rows)


def seed_remarks(storage: Storage) -> dict[str, tuple[str, ...]]:
    """By group, how its number of seeds came about."""
    return {group: (found["remark"],) for group, found in _stored(storage).items()}


def stages_so_far(plan: Plan, contention: Contention) -> list[Stage]:
    """What the jobs rest on that are sure to be trained: those of the seeds that each group is sure to get."""
    parts = [replace(plan, groups=(g,), seeds=plan.seeds[: contention.given(g.name)]) for g in plan.groups]
    return in_order(tuple(stage for part in parts for stage in part.stages()))


def _stored(storage: Storage) -> dict[str, Any]:
    return dict(json.loads(storage.read(layout.SEED_NUMBERS))) if storage.exists(layout.SEED_NUMBERS) else {}
