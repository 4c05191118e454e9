"""The work behind `sweep/stop.py`: a request where the driver finds it, whatever machine it runs on."""

import argparse
from collections.abc import Sequence

from sweep.commands.run import guarded
from sweep.commands.status import add_sweep_arguments, open_sweep
from sweep.core.next_command import command_line
from sweep.stored.heartbeat import read_pulse
from sweep.stored.stop_request import request_stop
from trainables.base.errors import UserError


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
