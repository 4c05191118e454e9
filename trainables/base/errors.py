"""The exception for errors that the user can fix.

Commands print its message as a single line and exit with status 2, without a traceback. A message names
what is wrong, where, what is allowed and what to do.
"""


class UserError(ValueError):
    """Bad input or an unusable environment; `str(error)` is the line the user reads."""
