"""A stage that tests of the stage runner compute: what it rests on, twice."""

import os
import time
from pathlib import Path
from typing import Any

from trainables.base.errors import UserError
from trainables.job.stages import Artifacts, Progress, Stage


def double(stage: Stage, corpus: Any, artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifacts below, twice, or else the corpus's text; its config may make it misbehave."""
    with corpus:
        if stage.config.get("refuse"):
            raise UserError("the corpus is empty: prepare one")
        if stage.config.get("crash"):
            os.abort()
        if prey := stage.config.get("prey"):
            _wait_to_be_killed(Path(prey))
        if stage.config.get("break"):
            raise ZeroDivisionError("division by zero")
        progress(1, 2)
        below = [artifacts.read(other.key) for other in stage.rests_on]
        return b"".join(below) * 2 or corpus.text.encode()


def _wait_to_be_killed(file: Path) -> None:
    """The first four processes that come here add themselves to the file and wait."""
    with file.open("a+") as caught:
        caught.seek(0)
        if len(caught.readlines()) < 4:
            caught.write(f"{os.getpid()}\n")
            caught.flush()
            time.sleep(3600)
