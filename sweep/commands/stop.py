"""`stop`: leaves a request where the sweep's driver finds it, on whatever machine it runs."""

import argparse

from sweep.commands.common import add_sweep_arguments, command_parser, open_sweep
from sweep.core.next_command import command_line
from trainables.base.errors import UserError

_DESCRIPTION = """\
Ask a running sweep to stop. The rounds under way end and are stored, then its driver leaves; run --resume continues
from there.
"""
_EXAMPLES = """\
examples
  python sweep/stop.py NAME                   after the rounds under way, seconds to minutes
  python sweep/stop.py NAME --now             at once: a round under way is trained again by --resume
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser("stop", _DESCRIPTION, _EXAMPLES)
    add_sweep_arguments(parser)
    parser.add_argument("--now", action="store_true", help="do not wait for the rounds under way")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from sweep.stored.heartbeat import read_pulse
    from sweep.stored.place import refuse_copy
    from sweep.stored.stop_request import request_stop

    plan, storage = open_sweep(arguments)
    refuse_copy(storage)
    pulse = read_pulse(storage)
    if not pulse.is_driven:
        raise UserError(f"sweep {plan.name!r} is not running ({pulse.life}): there is nothing to stop")
    request_stop(storage, now=arguments.now)
    when = "now" if arguments.now else "after the rounds under way"
    print(f"asked {plan.name} to stop {when}; {command_line('status', storage.uri)} shows when it has")
    return 0
