"""Retries through outages of the services the driver depends on: the study's database and storage.

The driver blocks, reports the outage once and continues when the service is back; workers meanwhile finish their
current rounds. An outage that lasts too long ends the sweep like Ctrl-C, to be resumed.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sweep.core.addresses import hide_password
from sweep.core.stopping import Interrupted

T = TypeVar("T")

LONGEST_OUTAGE = 1800.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds
_REFUSALS = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)


class OutageTooLong(Interrupted):
    """A service did not recover; the message says which one, after how long and why."""


def storage_is_away(error: BaseException | None) -> bool:
    """Whether a disk, a network or an S3 endpoint failed and may recover.

    A missing file or a forbidden folder is no outage. The S3 client need not be installed here.
    """
    if isinstance(error, OSError):
        return not isinstance(error, _REFUSALS)
    return any(kind.__module__.startswith("botocore.") for kind in type(error).__mro__)


def say_on_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class Endurance:
    """Retries calls to the service `what` for up to `limit` seconds; `say` shows a person a line.

    `returned` is called before each retry; if it fails with an outage too, the waiting continues.
    """

    what: str
    is_outage: Callable[[BaseException], bool]
    limit: float = LONGEST_OUTAGE  # seconds
    returned: Callable[[], None] = lambda: None
    say: Callable[[str], None] = say_on_standard_error

    def call(self, first: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """The result of `first`, or after an outage that of `again`, if given, which must be safe to repeat.

        Raises `OutageTooLong`, and every error that is no outage.
        """
        try:
            return first()
        except Exception as error:
            if not self.is_outage(error):
                raise
            return self._wait(again or first, error)

    def _wait(self, call: Callable[[], T], error: Exception) -> T:
        self.say(f"{self.what} cannot be reached ({_in_a_line(error)}); the sweep waits for it")
        begin, pause = time.monotonic(), _FIRST_PAUSE
        while time.monotonic() - begin < self.limit:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                self.returned()
                result = call()
            except Exception as another:
                if not self.is_outage(another):
                    raise
                error = another
            else:
                self.say(f"{self.what} can be reached again after {time.monotonic() - begin:.0f} s")
                return result
        raise OutageTooLong(
            f"{self.what} could not be reached for {time.monotonic() - begin:.0f} s: {_in_a_line(error)}"
        ) from error


def _in_a_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return hide_password(lines[0])
