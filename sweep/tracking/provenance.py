"""The provenance of a run's numbers: code, corpus and software, as tags of every MLflow run."""

import platform
from functools import cache
from importlib.metadata import version

from sweep.core.hardware import cpu_model
from sweep.plan.code_version import commit
from sweep.plan.plan import Plan
from sweep.tracking.mlflow_view import CORPUS_TAG

_PACKAGES = ("torch", "transformers", "ray", "optuna", "numpy")


def origin_tags(plan: Plan) -> dict[str, str]:
    """As the driver has them; all workers of a sweep run the same code on the same corpus."""
    head, second = commit(), plan.pretraining_corpus_source
    return {
        "speech_sweep.code": plan.code,
        CORPUS_TAG: plan.corpus_fingerprint,
        **({"speech_sweep.pretraining_corpus": plan.pretraining_corpus_fingerprint} if second else {}),
        "speech_sweep.environment": environment(),
        **({"mlflow.source.git.commit": head} if head else {}),
    }


@cache
def environment() -> str:
    """ "Python 3.11.4, torch 2.13.0, ..., Linux x86_64, AMD EPYC": needed to reproduce the bits."""
    packages = (f"{name} {version(name)}" for name in _PACKAGES)
    machine = f"{platform.system()} {platform.machine()}"
    return ", ".join([f"Python {platform.python_version()}", *packages, machine, *filter(None, [cpu_model()])])
