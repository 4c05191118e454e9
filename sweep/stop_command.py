"""The work behind `sweep/stop.py`: a request where the driver finds it, whatever machine it runs on."""

import argparse
from collections.abc import Sequence

from sweep.cli import guarded
from sweep.command_lines import command_line
from sweep.heartbeat import read_pulse
from sweep.status_command import add_sweep_arguments, open_sweep
from sweep.stopping import request_stop
from trainables.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stop.py",
        description="Ask a running sweep to stop after its rounds under way; run.py --resume goes on from there.",
        allow_abbrev=False,
    )
    add_sweep_arguments(parser)
    parser.add_argument("--now", action="store_true", help="do not wait for the rounds under way")
    return parser


def main(argv: Sequence[str]) -> int:
    return guarded(_run, argv)


def _run(argv: Sequence[str]) -> int:
    arguments = build_parser().parse_args(argv)
    plan, storage = open_sweep(arguments)
    pulse = read_pulse(storage)
    if pulse.life not in ("running", "not responding"):
        raise UserError(f"sweep {plan.name!r} is not running ({pulse.life}): there is nothing to stop")
    request_stop(storage, now=arguments.now)
    when = "now" if arguments.now else "after the rounds under way"
    print(f"asked {plan.name} to stop {when}; {command_line('status.py', storage.uri)} shows when it has")
    return 0
