"""Jobs that share one card: steps a second, all together and each, and memory, with 1, 2, 4 and 8 of them.

A job trains wav2vec 2.0 at base size with random weights, as a sweep's worker does: batches of the demo corpus, drawn
on its own core, then a step. It says which default share of a GPU (sweep/machines/gpu_share.py) is right: jobs that
add no throughput only take longer.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness.findings import Comparison, Curve, Fact, Finding
from benchmarks.harness.part import Context
from benchmarks.parts.demo import demo_corpus

JOBS = (1, 2, 4, 8)
_WARM_UP = 3  # steps
_START_SECONDS = 180.0  # until every job has warmed up


def measure(context: Context) -> list[Finding]:
    corpus = demo_corpus(context).uri
    found = {}
    for jobs in JOBS if not context.small else (1, 2):
        context.say(f"{jobs} jobs")
        folder = context.folder / str(jobs)
        folder.mkdir()
        found[jobs] = _together(jobs, folder, corpus, context)
    alone = sum(each["rate"] for each in found[1])
    rates = {jobs: sum(each["rate"] for each in reports) for jobs, reports in found.items()}
    memory = max(each["gb"] for reports in found.values() for each in reports)
    return [
        Fact(what="memory of a job, reserved by torch", peer="", ours=f"{memory:.2f} GB"),
        *(
            Comparison(
                what=f"share 1/{jobs}: {jobs} jobs at once",
                unit="steps/s in all",
                peer="one job alone",
                ours=(rate,),
                theirs=(alone,),
                more_is_better=True,
                why="a ratio near 1 says that one job already fills the device; more of them only take longer each",
            )
            for jobs, rate in rates.items()
            if jobs > 1
        ),
        Curve(what="jobs on one device", x="jobs", y="steps/s in all", points=tuple(map(_point, rates.items()))),
    ]


def _point(item: tuple[int, float]) -> tuple[float, float]:
    return float(item[0]), item[1]


def _together(jobs: int, folder: Path, corpus: str, context: Context) -> list[dict[str, float]]:
    """Each job's steps a second and GB, while all of them train."""
    size, seconds = ("tiny", "0.5") if context.small else ("base", "5")
    command = [sys.executable, "-m", "benchmarks.gpu.shares", corpus, str(folder), context.device, size, seconds]
    started = [subprocess.Popen([*command, str(number)]) for number in range(jobs)]
    try:
        deadline = time.monotonic() + _START_SECONDS
        while len(list(folder.glob("*.ready"))) < jobs:
            if time.monotonic() > deadline or any(job.poll() is not None for job in started):
                raise RuntimeError(f"{jobs} jobs do not all start")
            time.sleep(0.05)
        (folder / "go").touch()
        if any(job.wait(timeout=_START_SECONDS) for job in started):
            raise RuntimeError(f"one of {jobs} jobs failed")
    finally:
        for job in started:
            job.kill()
            job.wait()
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def train(corpus_uri: str, folder: Path, device: str, size: str, seconds: float, number: str) -> None:
    """One job: warm up, wait for the others, train for so many seconds, report."""
    import torch

    from benchmarks.parts.base_step import our_method, stepping
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import training_batch
    from trainables.base.determinism import make_deterministic
    from trainables.job.assignment import DataSettings

    make_deterministic(1, device)
    corpus, data = Corpus.open(corpus_uri), DataSettings()
    step = stepping(our_method(size).to(device), device)
    done = 0

    def train_step() -> None:
        nonlocal done
        step(training_batch(corpus, data, int(number), done).to(torch.device(device)))
        done += 1

    for _ in range(_WARM_UP):
        train_step()
    (folder / f"{number}.ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    start, before = time.perf_counter(), done
    while time.perf_counter() - start < seconds:
        train_step()
    rate = (done - before) / (time.perf_counter() - start)
    gb = torch.cuda.max_memory_reserved() / 1e9 if device == "cuda" else 0.0
    (folder / f"{number}.json").write_text(json.dumps({"rate": rate, "gb": gb}), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("corpus", "folder", "device", "size", "seconds", "number"):
        parser.add_argument(name)
    given = parser.parse_args()
    train(given.corpus, Path(given.folder), given.device, given.size, float(given.seconds), given.number)
