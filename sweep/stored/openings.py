"""Which sweeps have opened a test set: a ledger per test set, next to the stages, across the sweeps that share these.

A test set that has been read is no longer fresh: candidates thought of since may owe something to what was seen. So
each sweep leaves a note before it opens one, and its result says how many had opened it before and which of its
candidates are newer. It is a note for readers, kept by machine or bucket; it cannot see what others did elsewhere.
One file a sweep and test set, so that two drivers never write the same one; nothing that is freed takes it along.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sweep.plan.job_key import candidate_key, evaluation_set_key
from sweep.plan.plan import Plan
from sweep.verdict.result import EarlierReads
from trainables.base.storage.storage import Storage
from trainables.job.assignment import DataSettings

TEST_SETS = "test-sets"


@dataclass(frozen=True)
class Opening:
    """A sweep's note: when it first opened the test set, and with which candidates."""

    sweep: str
    key: str  # of the sweep
    time: str  # UTC, ISO 8601
    candidates: dict[str, list[str]]  # group -> keys of `candidate_key`

    @property
    def order(self) -> tuple[str, str]:
        return self.time, self.key


class Openings:
    """The ledger in the storage that sweeps share."""

    def __init__(self, shared: Storage) -> None:
        self._shared = shared

    def record(self, plan: Plan, group: str) -> None:
        """Note that the sweep is about to open the group's test set; the first note stays."""
        path = f"{_folder(plan, group)}/{plan.key}.json"
        if self._shared.exists(path):
            return
        time = datetime.now(UTC).isoformat(timespec="microseconds")
        same_set = [each.name for each in plan.groups if _folder(plan, each.name) == _folder(plan, group)]
        keys = {name: sorted(_labels(plan, name)) for name in same_set}
        opening = Opening(plan.name, plan.key, time, keys)
        self._shared.write(path, json.dumps(asdict(opening)).encode())

    def before(self, plan: Plan, group: str) -> EarlierReads:
        """How many sweeps opened the group's test set before this one, and which candidates are newer than that."""
        openings = sorted(self._openings(plan, group), key=lambda opening: opening.order)
        own = next((opening for opening in openings if opening.key == plan.key), None)
        earlier = [opening for opening in openings if own is None or opening.order < own.order]
        earlier = [opening for opening in earlier if opening.key != plan.key]
        labels = _labels(plan, group)
        known = {key for keys in earlier[0].candidates.values() for key in keys} if earlier else set(labels)
        added = [label for key, label in labels.items() if key not in known]
        return {"sweeps": len(earlier), "first": earlier[0].time if earlier else None, "added": added}

    def _openings(self, plan: Plan, group: str) -> list[Opening]:
        """A note that cannot be read counts as none: it is no more than a note."""
        found = []
        for path in self._shared.list(_folder(plan, group)):
            try:
                found.append(Opening(**json.loads(self._shared.read(path))))
            except (ValueError, TypeError, FileNotFoundError):
                continue
        return found


def _folder(plan: Plan, group: str) -> str:
    return f"{TEST_SETS}/{evaluation_set_key(plan.corpus_fingerprint, _data(plan, group))}"


def _data(plan: Plan, group: str) -> DataSettings:
    return plan.typical_config(group).data_settings(plan.data_of(group))


def _labels(plan: Plan, group: str) -> dict[str, str]:
    """Key -> label, in the plan's order."""
    return {candidate_key(plan, group, each.label): each.label for each in plan.group_plan(group).candidates}
