"""A running sweep's standings, shown until it ends: `leaderboard --watch`."""

import time
from collections.abc import Callable
from dataclasses import replace

from sweep.core.next_command import command_line
from sweep.plan.plan import Plan
from sweep.progress.progress_state import job_counts_text, time_text
from sweep.report.output_formats import View, print_view
from sweep.report.standings import standings_view
from sweep.stored.heartbeat import EVERY_SECONDS, Pulse, read_pulse
from sweep.study.outcomes import outcomes
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


def watch(plan: Plan, storage: Storage, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show the standings until the sweep is over.

    On a terminal they are redrawn in place, with the time; elsewhere each change is printed once. Raises `UserError`
    if the sweep stops before its answer.
    """
    from rich.console import Console

    console = Console()
    shown = None
    while (pulse := read_pulse(storage)).is_driven:
        view = standings_view(plan, outcomes(plan))
        if console.is_terminal:
            console.clear()
        if console.is_terminal or view.plain != shown:
            print_view(_with_progress(view, pulse), "table")
            shown = view.plain
        sleep(EVERY_SECONDS)
    if pulse.life != "finished":
        again = command_line("run --resume", storage.uri)
        raise UserError(f"sweep {plan.name!r} is not running ({pulse.life}): continue with {again}")


def _with_progress(view: View, pulse: Pulse) -> View:
    beat = pulse.beat
    if not beat:
        return view
    line = " | ".join([beat["phase"], job_counts_text(beat["jobs"]), time_text(beat["elapsed"], beat["left"])])
    return replace(view, lines=[*view.lines, line])
