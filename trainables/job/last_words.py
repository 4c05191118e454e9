"""A line on standard error where a process ends itself, for whoever asks later why it died.

Ray reports `os._exit` and SIGKILL alike: the connection broke. A worker's standard error outlives it as a file among
Ray's logs, and there the line tells the two apart. Crashes need none: Ray writes their signal there itself.
"""

import os
import signal

MARK = "speech-sweep: this process ends itself: "
_LEAVING_NO_TRACE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def note_own_end() -> None:
    """From now on `os._exit` and `os.kill` of this very process (not of its children) leave a line first."""
    if getattr(os._exit, "is_noted", False):
        return
    own, leave, kill = os.getpid(), os._exit, os.kill

    def noted_exit(status: int) -> None:
        if os.getpid() == own:
            _note(f"os._exit({status})")
        leave(status)

    def noted_kill(process: int, number: int) -> None:
        if process == own == os.getpid() and number in _LEAVING_NO_TRACE:
            _note(f"{signal.Signals(number).name} sent by itself")
        kill(process, number)

    noted_exit.is_noted = True  # type: ignore[attr-defined]  # the mark of this wrapper
    os._exit, os.kill = noted_exit, noted_kill  # type: ignore[assignment]  # `os._exit` is typed as never returning


def _note(how: str) -> None:
    os.write(2, f"{MARK}{how}\n".encode())  # not sys.stderr, whose buffer dies with the process
