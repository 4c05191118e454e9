"""A stage that tests of the stage runner compute: what it rests on, twice."""

from typing import Any

from trainables.base.errors import UserError
from trainables.job.stages import Artifacts, Progress, Stage


def double(stage: Stage, corpus: Any, artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifacts below, twice, or else the corpus's text; refuses or breaks if its config says so."""
    with corpus:
        if stage.config.get("refuse"):
            raise UserError("the corpus is empty: prepare one")
        if stage.config.get("break"):
            raise ZeroDivisionError("division by zero")
        progress(1, 2)
        below = [artifacts.read(other.key) for other in stage.rests_on]
        return b"".join(below) * 2 or corpus.text.encode()
