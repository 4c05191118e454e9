"""Takes the looks of `--seeds auto`, and writes each down before anything follows from it.

A look that is in looks.json is never taken again: a resumed sweep gives seeds to the same candidates.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import pandas as pd

from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.rows import ROW_SCHEMA, Rows
from sweep.verdict.contention import Look, look
from sweep.verdict.paired_scores import NOISY, paired_scores
from trainables.base.storage.storage import Storage


class Looks:
    """The looks of one sweep, by group.

    `valid_rows` gives the rows on valid of a group's finalists that have ended, with those of the noisy input;
    None while they are being scored.
    """

    def __init__(self, plan: Plan, storage: Storage, valid_rows: Callable[[str], Rows | None]) -> None:
        self._plan = plan
        self._storage = storage
        self._valid_rows = valid_rows
        self._taken = stored_looks(storage)

    def staying(self, group: str, seeds: int) -> tuple[str, ...] | None:
        """Who gets seeds beyond the first `seeds`, which have all ended; None until these are scored."""
        taken = self._taken.setdefault(group, [])
        found = next((look for look in taken if look.seeds == seeds), None)
        if found is None:
            rows = self._valid_rows(group)
            if rows is None:
                return None
            found = self._take(group, seeds, rows)
            taken.append(found)
            self._write()
        return found.staying if len(found.staying) > 1 else ()

    def _take(self, group: str, seeds: int, rows: Rows) -> Look:
        table = pd.DataFrame(rows, columns=ROW_SCHEMA.names)
        mine = table[table["group"].eq(group) | table["candidate"].eq(NOISY)].assign(group=group)
        gone = left_after(self._taken[group])
        labels = [c.label for c in self._plan.group_plan(group).candidates if c.label not in gone]
        paired = paired_scores(mine, self._plan.metric, labels, self._plan.seeds[:seeds])
        return look(paired, self._plan.alpha_per_look)

    def _write(self) -> None:
        plain = {group: [asdict(look) for look in looks] for group, looks in self._taken.items()}
        self._storage.write(layout.LOOKS, json.dumps(plain, indent=1).encode())


def left_after(looks: Sequence[Look]) -> dict[str, int]:
    """The number of seeds with which each candidate left contention; without those that never did."""
    return {label: look.seeds for look in looks for label in look.left}


def stored_looks(storage: Storage) -> dict[str, list[Look]]:
    """The looks that were taken, by group, oldest first."""
    if not storage.exists(layout.LOOKS):
        return {}
    taken = json.loads(storage.read(layout.LOOKS))
    return {
        group: [Look(look["seeds"], tuple(look["staying"]), look["left"]) for look in looks]
        for group, looks in taken.items()
    }
