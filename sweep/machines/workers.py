"""The machines of one sweep, taken when something is to run on them: a sweep that finds everything kept needs none."""

from collections.abc import Callable, Sequence
from typing import Any


class Workers:
    """`start` makes Ray ready at the first call, and returns tasks to wait for (see `warm_workers`).

    Called in the driver's main thread only. May raise `UserError` where the machines cannot be used.
    """

    def __init__(self, begin: Callable[[], Sequence[Any]] = tuple) -> None:
        self._begin = begin
        self._warming: Sequence[Any] | None = None

    @property
    def started(self) -> bool:
        return self._warming is not None

    def start(self) -> Sequence[Any]:
        if self._warming is None:
            self._warming = self._begin()
        return self._warming
