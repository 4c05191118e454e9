"""The work behind `sweep/status.py`: the heartbeat, read and put into words."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from sweep.commands.run import guarded
from sweep.core.next_command import command_line
from sweep.plan.plan import Plan
from sweep.progress.progress_state import duration, job_counts_text, leader_texts
from sweep.stored.heartbeat import Pulse, read_pulse
from sweep.stored.reading import default_base, is_answered, stored_sweep
from sweep.tracking.mlflow_page import open_line
from trainables.base.storage.storage import Storage

_LIFE_TEXT = {
    "running": "running",
    "not responding": "its process is there but has not reported; see its log, or stop it and resume",
    "finished": "finished",
    "interrupted": "stopped before its end",
    "dead": "its driver is dead",
    "never started": "planned, but its driver has not reported yet",
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="status.py",
        description="Say how a sweep is doing: alive or dead, how far, who is ahead, and what to type next.",
        allow_abbrev=False,
    )
    add_sweep_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser


def add_sweep_arguments(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """Which sweep, for every command that reads one; `optional` where the command may do without."""
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?" if optional else None,
        help="the sweep's name, as run.py printed it",
    )
    add_output_argument(parser)


def add_output_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="BASE",
        default=default_base(),
        help="where run.py put it: a folder or s3://bucket/prefix (default ./sweeps)",
    )


def open_sweep(arguments: argparse.Namespace) -> tuple[Plan, Storage]:
    """The sweep's plan and files. Raises `UserError`, naming the known sweeps, where there is none."""
    return stored_sweep(arguments.name, arguments.output)


def main(argv: Sequence[str]) -> int:
    return guarded(_run, argv)


def _run(argv: Sequence[str]) -> int:
    arguments = build_parser().parse_args(argv)
    plan, storage = open_sweep(arguments)
    status = sweep_status(plan, storage)
    print(json.dumps(status) if arguments.json else to_text(status))
    return 0


def sweep_status(plan: Plan, storage: Storage) -> dict[str, Any]:
    """Everything there is to say, as plain data."""
    pulse = read_pulse(storage)
    answered = is_answered(plan, storage)
    return {
        "sweep": plan.name,
        "space": plan.space,
        "state": pulse.life,
        "seconds_since_heartbeat": round(pulse.age, 1),
        "heartbeat": pulse.beat,
        "answered": answered,
        "next": _next(plan, storage, pulse, answered),
        "output": storage.uri,
    }


def _next(plan: Plan, storage: Storage, pulse: Pulse, answered: bool) -> list[str]:
    """What to type."""
    lines = []
    if pulse.life in ("interrupted", "dead", "never started") or (pulse.life == "finished" and not answered):
        lines.append(command_line("run.py --resume", storage.uri))
    if answered:
        lines.append(command_line("leaderboard.py", storage.uri))
    return [*lines, open_line(plan.tracking_uri, plan.space, plan.name)]


def to_text(status: dict[str, Any]) -> str:
    beat = status["heartbeat"]
    lines = [f"{status['sweep']}  {_life_text(status)}{_age_text(status)}"]
    if beat:
        lines += _beat_lines(beat)
    return "\n".join([*lines, *(f"next       {line}" for line in status["next"])])


def _life_text(status: dict[str, Any]) -> str:
    if status["state"] == "finished" and not status["answered"]:
        return "finished, but without an answer to its whole plan"
    return _LIFE_TEXT[status["state"]]


def _age_text(status: dict[str, Any]) -> str:
    beat = status["heartbeat"]
    if not beat:
        return ""
    return f" (process {beat['pid']} on {beat['host']}, {duration(status['seconds_since_heartbeat'])} ago)"


def _beat_lines(beat: dict[str, Any]) -> list[str]:
    left = f", about {duration(beat['left'])} left" if beat["left"] is not None else ""
    lines = [
        f"doing      {beat['phase']}, {duration(beat['elapsed'])} since its start{left}",
        *(f"stage      {name} {percent} %" for name, percent in beat["stages"].items()),
        f"jobs       {job_counts_text(beat['jobs'])}",
    ]
    for name, group in beat["groups"].items():
        lines.append(f"  {name:<9}{job_counts_text(group['jobs'])}")
    return [*lines, *(f"ahead      {text}" for text in leader_texts(beat))]
