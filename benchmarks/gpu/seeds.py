"""The same jobs on the device and on a CPU: do their scores differ by more than seeds do?

On CUDA bits are not promised, only equality within the noise of a training seed. Bodies are untrained, so no
stage is needed; TERA's is spectral, wav2vec 2.0's is a stack of convolutions.
"""

from statistics import fmean, stdev

from benchmarks.harness.findings import Fact, Finding
from benchmarks.harness.part import Context
from benchmarks.parts.demo import demo_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.base.determinism import make_deterministic
from trainables.job.assignment import Assignment, DataSettings
from trainables.session import TrainingSession

UPSTREAMS = ("tera", "wav2vec2")
SEEDS = (1, 2, 3, 4)
_FLOOR = 0.05  # dB, below which a difference means nothing


class NoArtifacts:
    """An untrained body reads none."""

    def has(self, key: str) -> bool:
        return False

    def read(self, key: str) -> bytes:
        raise KeyError(key)

    def write(self, key: str, content: bytes) -> None:
        raise KeyError(key)


def measure(context: Context) -> list[Finding]:
    corpus = demo_corpus(context)
    seeds = SEEDS[: context.size(len(SEEDS), 2)]
    found: list[Finding] = []
    for upstream in UPSTREAMS[: context.size(len(UPSTREAMS), 1)]:
        scores = {}
        for device in ("cpu", context.device):
            context.say(f"{upstream} on {device}")
            scores[device] = [score(corpus, upstream, seed, device, context.size(40, 2)) for seed in seeds]
        found.append(compared(upstream, scores["cpu"], scores[context.device], context.device))
    return found


def compared(upstream: str, cpu: list[float], other: list[float], device: str) -> Fact:
    """Raises AssertionError where the means are further apart than the seeds' spread allows."""
    spread, apart = stdev(cpu), fmean(other) - fmean(cpu)
    # Paired by seed, the difference of means has a standard error of at most spread x sqrt(2 / n).
    allowed = 3 * spread * (2 / len(cpu)) ** 0.5 + _FLOOR
    if abs(apart) > allowed:
        raise AssertionError(f"{upstream}: {device} differs from the CPU by {apart:.2f} dB, {allowed:.2f} are allowed")
    largest = max(abs(a - b) for a, b in zip(cpu, other, strict=True))
    return Fact(
        what=f"{upstream}: spread between {len(cpu)} seeds, SI-SDR",
        peer="CPU",
        ours=f"{stdev(other):.3f} dB, mean {apart:+.3f} dB from the CPU's, a seed {largest:.3f} dB at most",
        theirs=f"{spread:.3f} dB",
    )


def score(corpus: Corpus, upstream: str, seed: int, device: str, steps: int) -> float:
    """SI-SDR (dB) on valid after so many steps of the tiny model."""
    make_deterministic(1, device)
    weights = {"w_time": 0.0, "w_mstft": 0.0, "w_si_sdr": 1.0}
    assignment = Assignment(
        job=f"{upstream}/final/random/{seed}",
        config={"upstream": upstream, "size": "tiny", "init": "random", **weights},
        seed=seed,
        steps=steps,
        round_steps=steps,
        corpus_uri=corpus.uri,
        corpus_fingerprint=corpus.fingerprint,
        data=DataSettings(batch=4, valid_seconds=20.0),
        device=device,
    )
    return float(TrainingSession(assignment, corpus, NoArtifacts()).run_round()["score"])
