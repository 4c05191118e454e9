"""A sweep on the device whose every process is killed as soon as it has checkpoints, and resumed to the answer."""

from benchmarks.gpu.smoke import on_device
from benchmarks.harness.findings import Fact, Finding
from benchmarks.harness.part import Context
from benchmarks.parts.sweeps import our_sweep

_CHECKPOINTS = 2  # there before the kill
_FLAGS = ("--space", "norm_layers", "--preset", "smoke", "--upstreams", "tera")


def measure(context: Context) -> list[Finding]:
    jobs = context.folder / "ours" / "killed" / "jobs"

    def under_way() -> bool:
        return sum(1 for _ in jobs.glob("*/*/*/*/step-*/manifest.json")) >= _CHECKPOINTS

    killed = our_sweep(context, "killed", *_FLAGS, *on_device(context), killed_when=under_way)
    if not killed.killed:
        raise AssertionError("the sweep had ended before it could be killed")
    if killed.lost or killed.open_runs:
        raise AssertionError(f"{killed.lost} trials failed, {killed.open_runs} runs of MLflow are open")
    trials = killed.answers["trials"]
    return [
        Fact(what="killed and resumed: trials that ended", peer="", ours=str(trials["complete"] + trials["pruned"])),
        Fact(what="to the answer, both starts", peer="", ours=f"{killed.seconds:.0f} s"),
    ]
