"""One layer more in yesterday's question: ours, which reuses the jobs that are unchanged, and a sweep that trains all.

No stock tool keeps trained trials for other experiments, so the peer is our own sweep with --no-reuse and an empty
cache: what it takes where nothing is reused.
"""

from pathlib import Path

from benchmarks.harness.findings import Comparison, Fact, Finding
from benchmarks.harness.part import Context
from benchmarks.parts.sweeps import Swept, our_sweep

PEER = "computing everything"
_SPACE = '''"""Which of the first {layers} layers of TERA should be normalized?"""

from search_spaces.space import Candidate, Group, Preset
from search_spaces.ssl_presets import baselines, normalized, ssl_space


def candidates(group: Group, preset: Preset) -> list[Candidate]:
    return [*baselines(), *(normalized(f"layer{{layer}}", [layer]) for layer in range(1, {layers} + 1))]


LAYERS = ssl_space(name="first_layers", question="Which of the first layers?", candidates=candidates)
'''


def measure(context: Context) -> list[Finding]:
    flags = ("--preset", "smoke" if context.small else "demo", "--upstreams", "tera", "--seeds", "2")
    two, three = (_space(context.folder, layers) for layers in (2, 3))
    our_sweep(context, "yesterday", "--space", two, *flags, cache="shared")
    extended = our_sweep(context, "extended", "--space", three, *flags, cache="shared")
    again = our_sweep(context, "again", "--space", three, *flags, cache="shared")
    fresh = our_sweep(context, "fresh", "--space", three, "--no-reuse", *flags)
    why = "only the new layer's jobs are trained, and only its estimates scored"
    return [
        *_compared("four candidates and a fifth", extended, fresh, why),
        *_compared("the same sweep again", again, fresh, "nothing is trained or scored; left are start and report"),
        Fact(
            what="groups of the answer, after reuse and after computing everything",
            peer=PEER,
            ours="equal to the bit" if extended.answers["groups"] == fresh.answers["groups"] else "DIFFERENT",
        ),
    ]


def _compared(what: str, ours: Swept, fresh: Swept, why: str) -> list[Comparison]:
    return [
        Comparison(what=f"{what}: {name}", unit="s", peer=PEER, ours=(mine,), theirs=(theirs,), why=why)
        for name, mine, theirs in (
            ("to the answer", ours.seconds, fresh.seconds),
            ("core-seconds", ours.core_seconds, fresh.core_seconds),
        )
    ]


def _space(folder: Path, layers: int) -> str:
    path = folder / f"first_{layers}_layers.py"
    path.write_text(_SPACE.format(layers=layers), encoding="utf-8")
    return str(path)
