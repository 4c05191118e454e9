"""A smoke sweep on the device, for every method: from pre-training to the verdict, through the command line."""

from pathlib import Path

from benchmarks.harness.findings import Fact, Finding
from benchmarks.harness.part import Context
from benchmarks.parts.sweeps import our_sweep

# Part -> flags of its sweep. The waveform networks have no space of their own.
SWEEPS: dict[str, tuple[str, ...]] = {
    "smoke_norm": ("--space", "norm_layers", "--upstreams", "wav2vec2"),
    "smoke_contrastive": ("--space", "contrastive_schedule"),
    "smoke_separation": ("--space", "separation_finetuning"),
    "smoke_position": ("--space", "position_invariance"),
    "smoke_waveform": ("--space", "waveform_networks.py", "--upstreams", "tera"),
}
_SPACE = '''"""Networks on waveforms next to a self-supervised model, from scratch."""

from dataclasses import replace

from search_spaces.norm_layers import NORM_LAYERS
from search_spaces.space import Candidate
from search_spaces.ssl_presets import usual_anchor, usual_suggest

NETWORKS = ("demucs", "se_conformer", "conv_tasnet")


def candidates(group, preset):
    none = Candidate(label="none", config={"norm_layers": []}, baseline=True)
    return [none, *(Candidate(label=name, config={"network": name}, method="waveform_se") for name in NETWORKS)]


def anchor(group, candidate, preset):
    return {"lr": 3e-4} if candidate.method else usual_anchor(group, candidate, preset)


def suggest(trial, group, candidate, preset):
    if candidate.method:
        return {"lr": trial.suggest_categorical("lr", [3e-4, 1e-3])}
    return usual_suggest(trial, group, candidate, preset)


WAVEFORM = replace(
    NORM_LAYERS,
    name="waveform_networks",
    question="Which network?",
    candidates=candidates,
    anchor=anchor,
    suggest=suggest,
)
'''


def on_device(context: Context) -> tuple[str, ...]:
    """Flags that put a sweep's jobs there, four on a card; none on a CPU."""
    return ("--gpus-per-trial", "0.25") if context.device == "cuda" else ("--gpus-per-trial", "0")


def measure(context: Context) -> list[Finding]:
    space, *more = (_placed(flag, context.folder) for flag in SWEEPS[context.part][1:])
    flags = ("--space", space, "--preset", "smoke", *more, *on_device(context))
    done = our_sweep(context, context.part, *flags)
    if done.lost or done.open_runs:
        raise AssertionError(f"{done.lost} trials failed, {done.open_runs} runs of MLflow are open")
    trials = done.answers["trials"]
    what = f"{done.answers['space']}: trials that ended, leaders"
    leaders = ", ".join(filter(None, done.leaders.values()))
    return [
        Fact(what=what, peer="", ours=f"{trials['complete'] + trials['pruned']}, {leaders}"),
        Fact(what="to the answer", peer="", ours=f"{done.seconds:.0f} s, {done.core_seconds:.0f} core-seconds"),
    ]


def _placed(flag: str, folder: Path) -> str:
    """A space file is written first."""
    if not flag.endswith(".py"):
        return flag
    path = folder / flag
    path.write_text(_SPACE, encoding="utf-8")
    return str(path)
