"""`replay`: trains one job again from its stored configuration and compares the bits."""

import argparse
import sys
from typing import TYPE_CHECKING

from sweep.commands.common import add_sweep_arguments, command_parser, open_sweep
from trainables.base.errors import UserError

if TYPE_CHECKING:
    from sweep.core.jobs import Job
    from sweep.plan.plan import Plan

_DESCRIPTION = """\
Train one job of a sweep again and compare with what the sweep stored: every round's report and, of jobs that
keep one, the checkpoint's tensors. Nothing of the sweep is read but the job's configuration, and nothing is
written. On the same model of CPU the bits must agree; only times may differ.
"""
_EXAMPLES = """\
examples
  python sweep/replay.py NAME tera/final/layer2/seed-1001        a finalist: reports and checkpoint
  python sweep/replay.py NAME tera/search/layer2/0003            a search trial: reports, as the study has them

exit status: 0 equal; 1 different (the first difference is printed); 2 bad input, or a corpus that has changed.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser("replay", _DESCRIPTION, _EXAMPLES)
    add_sweep_arguments(parser)
    parser.add_argument(
        "job", metavar="JOB", help="group/phase/candidate/number, as MLflow and the folder jobs/ name it"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    from sweep.commands.replaying import replay, stored_job
    from trainables.base.cache import using_cache

    plan, storage = open_sweep(arguments)
    job = _job(arguments.job, plan)
    stored = stored_job(plan, storage, job)
    for warning in _warnings(plan):
        print(f"warning: {warning}", file=sys.stderr, flush=True)
    with using_cache():
        difference = replay(plan, stored, lambda line: print(line, flush=True))
    if difference is None:
        print(f"equal: {job.path}")
        return 0
    print(f"different: {job.path} {difference}")
    return 1


def _job(path: str, plan: "Plan") -> "Job":
    for job in plan.all_jobs():
        if job.path == path.strip("/"):
            return job
    example = next(plan.all_jobs()).path
    raise UserError(f"sweep {plan.name!r} has no job {path!r}; they are named like {example}")


def _warnings(plan: "Plan") -> list[str]:
    """Reasons why the bits may differ without a defect."""
    from sweep import __version__
    from sweep.plan.code_version import training_code_fingerprint

    warnings = []
    if (plan.version, plan.code) != (__version__, training_code_fingerprint()):
        warnings.append(
            f"the sweep ran speech-sweep {plan.version} (training code {plan.code}); this is {__version__} "
            f"({training_code_fingerprint()}): a difference may be the code's"
        )
    if plan.device != "cpu":
        warnings.append("the sweep trained on CUDA, where equality holds within seed noise, not to the bit")
    return warnings
