"""How estimates are scored: one metric a file, brought together by `scorer.Scorer`.

`catalogue` names the metrics and imports nothing heavy, so that plans and leaderboards may read it.
"""

from typing import NamedTuple


class Weighted(NamedTuple):
    """What a metric returns whose utterances count by their size in the mean over a corpus, as error rates do."""

    value: float
    weight: float  # of the utterance, such as its reference words; above 0


class Unscorable(Exception):
    """Raised by a metric that has no number for an utterance; the row carries `status` instead of a value."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status
