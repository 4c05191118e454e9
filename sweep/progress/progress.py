"""The sweep on the terminal: a live display where there is one, else a plain line every few seconds.

Written to standard error, so that standard output holds only the answer.
"""

import sys
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from sweep.core.listener import Event, JobEnded, JobReported, JobStarted, JobsWaived, StageProgressed
from sweep.plan.plan import Plan
from sweep.progress.progress_state import ProgressState, job_counts_text, leader_texts, progress_line, time_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from sweep.study.study import JobRecord

_LINE_SECONDS = 10.0  # between plain lines, where the output is a file or a log


class Progress:
    """A listener that shows the sweep; `snapshot` gives the same facts as plain data."""

    def __init__(self, plan: Plan, stream: TextIO | None = None) -> None:
        self._state = ProgressState(plan)
        self._stream = stream or sys.stderr
        self._begin = time.monotonic()
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._live: Live | None = None
        if self._stream.isatty():
            from rich import console, live

            screen = console.Console(file=self._stream)
            self._live = live.Live(console=screen, get_renderable=self._renderable, refresh_per_second=2)
            self._live.start()
        else:
            threading.Thread(target=self._print_lines, name="progress-lines", daemon=True).start()

    def phase(self, text: str) -> None:
        """Show what the driver does now."""
        with self._lock:
            self._state.phase = text
        self._print_line()

    def hear(self, event: Event) -> None:
        """Count the event, and show at once when a stage begins or ends."""
        with self._lock:
            state = self._state
            match event:
                case StageProgressed(name, done, total):
                    changed = done and (name not in state.stages or done >= total)
                    state.stages[name] = (done, total)
                    if changed:
                        self._print_line()
                case JobStarted(job):
                    if state.training_since is None:
                        state.training_since = time.monotonic() - self._begin
                    state.phase = "searching" if job.phase == "search" else "training finalists"
                    state.states[job] = "running"
                case JobReported(job, _, step, metrics):
                    state.steps[job] = max(step, state.steps.get(job, 0))
                    if "score" in metrics:
                        state.scores[job] = metrics["score"]
                case JobEnded(job, _, ended, score):
                    state.states[job] = ended
                    if score is not None:
                        state.scores[job] = score
                case JobsWaived(jobs):
                    state.waived.update(jobs)

    def reconcile(self, records: Iterable["JobRecord"]) -> None:
        """Start from what earlier drivers did."""
        with self._lock:
            for record in records:
                self._state.states[record.job] = record.state if record.ended else "waiting"
                self._state.steps[record.job] = record.step
                if record.score is not None:
                    self._state.scores[record.job] = record.score
            self._state.steps_before = sum(self._state.steps.values())

    def close(self) -> None:
        """Stop updating; the last state stays on the screen."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._live:
            self._live.stop()
        else:
            self._print_line()

    def snapshot(self) -> dict[str, Any]:
        """For the heartbeat: plain JSON."""
        with self._lock:
            self._tick()
            return self._state.snapshot()

    def _tick(self) -> None:
        self._state.elapsed = time.monotonic() - self._begin

    def _print_lines(self) -> None:
        while not self._closed.wait(_LINE_SECONDS):
            self._print_line()

    def _print_line(self) -> None:
        if self._live is None:
            with self._lock:
                self._tick()
                print(progress_line(self._state), file=self._stream, flush=True)

    def _renderable(self) -> "RenderableType":
        with self._lock:
            self._tick()
            return display(self._state)


def display(state: ProgressState) -> "RenderableType":
    """A few lines: a bar of jobs, the running stages, who is ahead in each group."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    counts = state.counts()
    ended = counts["complete"] + counts["pruned"] + counts["failed"]
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(state.phase, style="bold"),
        ProgressBar(total=max(counts["total"], 1), completed=ended, width=30),
        Text(job_counts_text(counts)),
        Text(time_text(state.elapsed, state.seconds_left()), style="dim"),
    )
    rows = Table.grid(padding=(0, 2))
    for name, percent in state.running_stages().items():
        rows.add_row(Text(f"  {name}"), ProgressBar(total=100, completed=percent, width=30), f"{percent} %")
    leaders = leader_texts(state.snapshot())
    ahead = Text(f"  ahead so far   {'   '.join(leaders)}" if leaders else "")
    return Group(head, rows, ahead)
