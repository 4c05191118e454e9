"""`status`: the heartbeat in words, and the commands to type next."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from sweep.commands.common import add_sweep_arguments, command_parser, open_sweep
from sweep.core.next_command import command_line, next_lines

if TYPE_CHECKING:
    from sweep.plan.plan import Plan
    from sweep.stored.heartbeat import Pulse
    from trainables.base.storage.storage import Storage

_EXAMPLES = """\
examples
  python sweep/status.py NAME                 alive? how far? who is ahead? what to type next
  python sweep/status.py NAME --json          the same for a program
"""
_LIFE_TEXT = {
    "not responding": "its process exists but has not reported; see its log, or stop it and resume",
    "interrupted": "stopped before its end",
    "dead": "its driver is dead",
    "never started": "planned, but its driver has not reported yet",
}


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "status",
        "Show how a sweep is doing: alive or dead, how far, who is ahead, and what to type next.",
        _EXAMPLES,
    )
    add_sweep_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser


def run(arguments: argparse.Namespace) -> int:
    plan, storage = open_sweep(arguments)
    status = sweep_status(plan, storage)
    print(json.dumps(status) if arguments.json else to_text(status))
    return 0


def sweep_status(plan: "Plan", storage: "Storage") -> dict[str, Any]:
    """The whole status as plain JSON; `seconds_since_heartbeat` in s."""
    from sweep.stored.heartbeat import read_pulse
    from sweep.stored.reading import is_answered
    from sweep.tracking.mlflow_page import sweep_page

    pulse = read_pulse(storage)
    answered = is_answered(plan, storage)
    page = sweep_page(plan)
    return {
        "sweep": plan.name,
        "space": plan.space,
        "state": pulse.life,
        "seconds_since_heartbeat": round(pulse.age, 1),
        "heartbeat": pulse.beat,
        "answered": answered,
        "next": _next(plan, storage, pulse, answered, page),
        "mlflow_page": page,
        "output": storage.uri,
    }


def _next(plan: "Plan", storage: "Storage", pulse: "Pulse", answered: bool, page: str) -> list[str]:
    """The commands that make sense now: resume, leaderboard, and how to open MLflow."""
    from sweep.tracking.mlflow_page import open_command

    lines = []
    if pulse.life in ("interrupted", "dead", "never started") or (pulse.life == "finished" and not answered):
        lines.append(command_line("run --resume", storage.uri))
    if answered:
        lines.append(command_line("leaderboard", storage.uri))
    return [*lines, open_command(plan.tracking_uri, page)]


def to_text(status: dict[str, Any]) -> str:
    from sweep.progress.progress_state import duration

    beat = status["heartbeat"]
    first = f"{status['sweep']}  {_life_text(status)}"
    if beat:
        first += f" (process {beat['pid']} on {beat['host']}, {duration(status['seconds_since_heartbeat'])} ago)"
    lines = [first, *(_beat_lines(beat) if beat else ())]
    return "\n".join([*lines, f"MLflow     {status['mlflow_page']}", next_lines("what you need", *status["next"])])


def _life_text(status: dict[str, Any]) -> str:
    if status["state"] == "finished" and not status["answered"]:
        return "finished, but without an answer to its whole plan"
    return _LIFE_TEXT.get(status["state"], status["state"])


def _beat_lines(beat: dict[str, Any]) -> list[str]:
    from sweep.progress.progress_state import duration, job_counts_text, leader_texts

    left = f", about {duration(beat['left'])} left" if beat["left"] is not None else ""
    lines = [
        f"doing      {beat['phase']}, {duration(beat['elapsed'])} since its start{left}",
        *(f"stage      {name} {percent} %" for name, percent in beat["stages"].items()),
        f"jobs       {job_counts_text(beat['jobs'])}",
    ]
    for name, group in beat["groups"].items():
        lines.append(f"  {name:<9}{job_counts_text(group['jobs'])}")
    return [*lines, *(f"ahead      {text}" for text in leader_texts(beat))]
