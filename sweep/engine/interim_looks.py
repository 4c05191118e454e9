"""The interim looks of `--seeds auto`: each is stored before any decision follows from it.

A look found in looks.json is never repeated, so a resumed sweep gives further seeds to the same candidates.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import pandas as pd

from sweep.plan.cost import scored_seconds, speakers_on_test
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.rows import ROW_SCHEMA, Rows
from sweep.verdict.contention import Look, look
from sweep.verdict.crossed_effects import MINIMUM_SPEAKERS
from sweep.verdict.paired_scores import NOISY, PairedScores, paired_scores
from sweep.verdict.planning.outlook import Outlook
from trainables.base.storage.storage import Storage


class InterimLooks:
    """The interim looks of one sweep, by group.

    `valid_rows(group)` returns the validation rows of the group's ended finalists and of the noisy input; None
    while they are being scored.
    """

    def __init__(self, plan: Plan, storage: Storage, valid_rows: Callable[[str], Rows | None]) -> None:
        self._plan = plan
        self._storage = storage
        self._valid_rows = valid_rows
        self._taken = stored_looks(storage)

    def staying(self, group: str, seeds: int) -> tuple[str, ...] | None:
        """The candidates that get seeds beyond the first `seeds`, which have all ended; None until these are scored."""
        taken = self._taken.setdefault(group, [])
        found = next((look for look in taken if look.seeds == seeds), None)
        if found is None:
            rows = self._valid_rows(group)
            if rows is None:
                return None
            found = self._take(group, seeds, rows)
            taken.append(found)
            self._write()
        return found.further

    def until(self, group: str, seeds: int) -> int:
        return next(end for end in self._plan.look_ends if end > seeds)

    def given(self, group: str) -> int:
        taken = self._taken.get(group)
        if not taken:
            return self._plan.first_seeds
        return self.until(group, taken[-1].seeds) if taken[-1].further else taken[-1].seeds

    def is_decided(self, group: str, seeds: int) -> bool:
        return any(look.seeds == seeds or not look.further for look in self._taken.get(group, ()))

    def _take(self, group: str, seeds: int, rows: Rows) -> Look:
        gone = left_after(self._taken[group])
        labels = [c.label for c in self._plan.group_plan(group).candidates if c.label not in gone]
        paired = on_valid(self._plan, group, rows, labels, seeds)
        outlook = Outlook(len(self._plan.seeds), units_of_test(self._plan, paired), self._plan.margin)
        return look(paired, self._plan.alpha_per_look, outlook if self._plan.stops_ties else None)

    def _write(self) -> None:
        plain = {group: [asdict(look) for look in looks] for group, looks in self._taken.items()}
        self._storage.write(layout.LOOKS, json.dumps(plain, indent=1).encode())


def on_valid(plan: Plan, group: str, rows: Rows, labels: Sequence[str], seeds: int) -> PairedScores:
    """The group's validation scores with the first `seeds`."""
    table = pd.DataFrame(rows, columns=ROW_SCHEMA.names)
    mine = table[table["group"].eq(group) | table["candidate"].eq(NOISY)].assign(group=group)
    return paired_scores(mine, plan.metric, labels, plan.seeds[:seeds], apart=plan.group_plan(group).apart)


def utterances_of_test(plan: Plan, valid: PairedScores) -> int:
    """How many test will have, where its clips are as long as those of `valid`."""
    share = scored_seconds(plan, "test") / max(scored_seconds(plan, "valid"), 1e-9)
    return max(2, round(len(valid.utterances) * share))


def units_of_test(plan: Plan, valid: PairedScores) -> int:
    """The units that test will have, of the kind that valid has.

    Where one split goes by speakers and the other by utterances, it is the utterances: the more hopeful number.
    """
    clips = utterances_of_test(plan, valid)
    speakers = speakers_on_test(plan)
    return min(clips, speakers) if valid.unit == "speaker" and speakers >= MINIMUM_SPEAKERS else clips


def left_after(looks: Sequence[Look]) -> dict[str, int]:
    """How many seeds each candidate had when it left contention, for the candidates that did."""
    return {label: look.seeds for look in looks for label in look.left}


def remarks(looks: Sequence[Look]) -> tuple[str, ...]:
    """Why the group got no more seeds, where a look has stopped it as a whole."""
    return tuple(f"stopped after {look.seeds} seeds: {look.stopped}" for look in looks if look.stopped)


def stored_looks(storage: Storage) -> dict[str, list[Look]]:
    """The looks taken so far by group, oldest first."""
    if not storage.exists(layout.LOOKS):
        return {}
    taken = json.loads(storage.read(layout.LOOKS))
    return {
        group: [Look(look["seeds"], tuple(look["staying"]), look["left"], look.get("stopped", "")) for look in looks]
        for group, looks in taken.items()
    }
