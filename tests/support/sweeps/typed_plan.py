"""Plans as a command line gives them, and their plan.json as a first start writes it."""

import json
from pathlib import Path

from sweep.commands.run import build_parser
from sweep.settings.new_plan import plan_from_arguments
from sweep.settings.settings import Planned
from sweep.stored import layout
from trainables.base.storage.storage import Storage


def plan(folder: Path, *flags: str, environ: dict[str, str] | None = None) -> Planned:
    """`run --space norm_layers`, or another --space in `flags`, typed in `folder`."""
    arguments = build_parser().parse_args(["--space", "norm_layers", *flags])
    return plan_from_arguments(arguments, environ or {}, folder)


def resume(folder: Path, name: str, *flags: str) -> Planned:
    return plan_from_arguments(build_parser().parse_args(["--resume", name, *flags]), {}, folder)


def freeze(planned: Planned) -> None:
    Storage(planned.plan.output).write(layout.PLAN, json.dumps(planned.plan.to_json()).encode())
