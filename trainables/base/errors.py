"""The exception for errors that the user can fix.

Commands print its message as a single line and exit with status 2, without a traceback. A message names
what is wrong, where, what is allowed and what to do.
"""

from collections.abc import Sequence


class UserError(ValueError):
    """Bad input or an unusable environment; `lines` are what the user reads: one, and one for `each` of many faults."""

    def __init__(self, line: str = "", each: Sequence[str] = ()) -> None:
        super().__init__("\n  ".join([line, *each]))
        self.lines = (line, *each)
