"""The parts of the benchmark, and how one is run: in a process of its own, so that what fails there stays there."""

import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.harness import machine, peers, processes
from benchmarks.harness.findings import Finding, Outcome, finding_from_json

_SLACK = 2.5  # a machine may be this much slower than the budget's before a part is given up
_ERROR_CHARACTERS = 2000
_PLACES = ("SPEECH_SWEEP_", "MLFLOW_", "RAY_")  # variables that would send sweeps elsewhere


@dataclass(frozen=True)
class Part:
    """One part: `measure` of its module gives its findings.

    Attributes:
        letter: what --only calls it; several parts may share one.
        budget: seconds on two cores.
        extra: of pyproject.toml, which has the peers; `modules`: what is imported of them.
        on_cuda: whether it can also be measured there.
        module: "" = the one of its name in benchmarks/parts.
    """

    letter: str
    name: str
    title: str
    budget: float
    extra: str = ""
    modules: tuple[str, ...] = ()
    on_cuda: bool = False
    module: str = ""

    @property
    def key(self) -> str:
        return f"{self.letter}-{self.name}"


@dataclass(frozen=True)
class Context:
    """What `measure` is given.

    Attributes:
        folder: an empty one, for what it needs on disk; deleted afterwards.
        kept: one that stays, for results worth a look, such as pictures.
        small: as little as runs every line, for tests; its figures mean nothing.
        missing: of the part's peers, the modules that are not there.
        part: the part's name, for modules that have several.
        corpus: of parts that need speech; tests have a smaller one.
    """

    folder: Path
    kept: Path
    small: bool = False
    device: str = "cpu"
    missing: tuple[str, ...] = ()
    part: str = ""
    corpus: str = "demo"

    def size(self, full: int, small: int) -> int:
        return small if self.small else full

    def say(self, text: str) -> None:
        """Report progress on standard error."""
        print(f"  {text}", file=sys.stderr, flush=True)


Measure = Callable[[Context], list[Finding]]


def in_turn(rounds: int, *contestants: Callable[[], object] | None) -> list[tuple[float, ...]]:
    """Seconds of each, in `rounds` rounds, one after the other within a round; once before to warm up. None = ()."""
    present = [each for each in contestants if each is not None]
    for each in present:
        each()
    taken: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for place, contestant in enumerate(contestants):
            if contestant is not None:
                start = time.perf_counter()
                contestant()
                taken[place].append(time.perf_counter() - start)
    return [tuple(seconds) for seconds in taken]


def run_part(part: Part, base: Path, kept: Path, small: bool = False, device: str = "cpu") -> Outcome:
    """Run it in a process of its own, killed where it takes far longer than its budget.

    `base` takes environments, logs and what it needs on disk; `kept` what it wants to keep.
    """
    python = peers.python_with(part.extra, part.modules, base / "peers")
    folder = base / "scratch" / part.key
    _emptied(folder)
    answer, module = folder / "answer.json", part.module or f"benchmarks.parts.{part.name}"
    command = [str(python), "-m", "benchmarks.harness.child", module, part.name, str(folder), str(kept)]
    command += [*(["--small"] if small else []), "--device", device, "--modules", ",".join(part.modules)]
    done = processes.run(command, base / f"log-{part.key}", part.budget * _SLACK, _environment())
    result = Outcome(
        part=part.key,
        title=part.title,
        status="failed",
        seconds=done.seconds,
        code=machine.code_fingerprint(),
        small=small,
        device=device,
        machine=machine.facts(),
    )
    if done.status is None:
        error = f"took more than {_SLACK:g} times its {part.budget:g} s\n{_end(done.errors)}"
        result = replace(result, status="too slow", error=error)
    elif done.status or not answer.is_file():
        result = replace(result, error=_end(done.errors) or "no answer")
    else:
        found = json.loads(answer.read_text(encoding="utf-8"))
        missing = tuple(f"{name} is missing: {peers.how_to_install(part.extra)}" for name in found["missing"])
        findings = tuple(map(finding_from_json, found["findings"]))
        status = "incomplete" if missing else "done"
        result = replace(result, status=status, findings=findings, missing=missing, machine=found["machine"])
    _emptied(folder)
    folder.rmdir()
    return result


def answer_of(measure: Measure, context: Context) -> dict[str, object]:
    """What the child process writes."""
    findings = measure(context)
    found = [{"kind": type(each).__name__.lower(), **asdict(each)} for each in findings]
    return {"findings": found, "missing": list(context.missing), "machine": machine.facts(context.device)}


def measure_of(module: str) -> Measure:
    return importlib.import_module(module).measure


def per_second(count: float, seconds: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(count / each for each in seconds)


def middle(values: tuple[float, ...]) -> float:
    return float(median(values))


def _environment() -> dict[str, str]:
    """Ours can be imported in any folder; one thread, but where a part says otherwise; no server of the user's."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(_PLACES)}
    known.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**known, "PYTHONPATH": str(peers.REPOSITORY), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


def _end(text: str) -> str:
    return text[-_ERROR_CHARACTERS:].strip()


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def matching(parts: tuple[Part, ...], only: str) -> Iterator[Part]:
    """Those that `only` names by letter or name, comma-separated; all if it is empty. Raises ValueError."""
    wanted = [each.strip() for each in only.split(",")] if only else []
    for each in wanted:
        if not any(each in (part.letter, part.name, part.key) for part in parts):
            raise ValueError(f"no part {each!r}; there are {', '.join(part.key for part in parts)}")
    for part in parts:
        if not wanted or {part.letter, part.name, part.key} & set(wanted):
            yield part
