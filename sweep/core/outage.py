"""Waits out an outage of what the driver cannot do without: the study's database, and storage.

The driver stands still, says so once, and goes on when the other side is back; workers meanwhile finish the
rounds they have begun. What stays away for too long ends the sweep as Ctrl-C does, to be resumed.
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
    """Something the sweep rests on did not come back; the message says what, for how long and why."""


def storage_is_away(error: BaseException | None) -> bool:
    """Whether a disk, a network or an S3 endpoint failed, which may come back.

    An absent file or a forbidden folder is an answer. The S3 client need not be installed here.
    """
    if isinstance(error, OSError):
        return not isinstance(error, _REFUSALS)
    return any(kind.__module__.startswith("botocore.") for kind in type(error).__mro__)


def say_on_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class Endurance:
    """How long `what` may be away, and who hears of it.

    `returned` is called when it answers again, before anything else is asked of it; while that fails with an
    outage too, the waiting goes on.
    """

    what: str
    is_outage: Callable[[BaseException], bool]
    limit: float = LONGEST_OUTAGE  # seconds
    returned: Callable[[], None] = lambda: None
    say: Callable[[str], None] = say_on_standard_error

    def call(self, first: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """The result of `first`, or after an outage of `again`, for calls that must not be made twice.

        Raises `OutageTooLong`, and whatever is no outage.
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
