"""The parts of `make bench` and of `make test-gpu`, with their budgets on two cores and on one card."""

from benchmarks.gpu.smoke import SWEEPS
from benchmarks.harness.part import Part

# The cheap ones first, so that an interrupted run has most of the table.
BENCH = (
    Part("b", "base_step", "a training step at base size, next to the whole published model", 75, on_cuda=True),
    Part("e", "data", "training batches, next to wav files through a DataLoader", 45),
    Part("f", "scoring", "scores, next to torchmetrics, on one core", 40, "bench", ("torchmetrics",)),
    Part("g", "separators", "separators, next to asteroid's", 70, "asteroid", ("asteroid",), on_cuda=True),
    Part("g", "soft_dtw", "soft-DTW, next to pysdtw and tslearn", 80, "bench", ("pysdtw", "tslearn")),
    Part("h", "growth_trials", "what a trial costs, from 10 to 10,000", 140),
    Part("h", "growth_corpus", "what an hour of corpus costs, from 0.1 to 100", 110),
    Part("h", "growth_nodes", "trials an hour on 1 to 3 nodes", 120),
    Part("c", "extension", "one candidate more, next to computing everything", 280),
    Part("d", "interruption", "killed at half time, next to a stock script's restore", 400),
    Part("a", "demo_question", "the demo's question, next to a stock script", 950),
)

# Eight minutes on one card and a core for every job.
GPU = (
    *(
        Part("gpu", name, f"a smoke sweep: {' '.join(flags)}", 60, module="benchmarks.gpu.smoke")
        for name, flags in SWEEPS.items()
    ),
    Part("gpu", "shares", "jobs that share one card", 100, module="benchmarks.gpu.shares"),
    Part("gpu", "seeds", "scores on the card and on a CPU", 30, module="benchmarks.gpu.seeds"),
    Part("gpu", "resume", "a sweep killed and resumed", 50, module="benchmarks.gpu.resume"),
)
