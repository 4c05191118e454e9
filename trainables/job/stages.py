"""Content-addressed artifacts: pre-training and gates, computed once and read by many jobs.

A stage's key is a hash of all that determines its bits; the driver computes each stage before any job that
rests on it, and jobs only read. An artifact is one bytes object (torch.save of tensors and plain values,
loaded with weights_only=True).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import Any, NotRequired, Protocol, TypedDict

# Libraries whose version can change a tensor's bits.
_VERSIONED = ("torch", "transformers", "numpy", "scipy")

Progress = Callable[[int, int], None]  # (done, total)


class Artifacts(Protocol):
    """Where artifacts are kept; sweep/storage/artifacts.py implements it for folders and s3://."""

    def has(self, key: str) -> bool: ...
    def read(self, key: str) -> bytes: ...
    def write(self, key: str, content: bytes) -> None: ...


class StagePlace(TypedDict):
    """The fields of a `Stage` that say on which corpus and with what hardware it is computed."""

    corpus_uri: str
    corpus_fingerprint: str
    threads: NotRequired[int]
    device: NotRequired[str]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One node of the stage graph.

    `runner` is a name that a method lists in its `MethodInfo.runners` with a function, which is called as
    `function(stage, corpus, artifacts, progress)` and returns the artifact's bytes. `progress(done, total)`
    may be called as often as it likes. Bump `version` whenever a change of code changes the artifact.
    """

    kind: str  # "pretraining", "transfer_gap", "mismatch"
    name: str  # what a person reads: "tera pre-training, seed 11"
    runner: str
    version: int
    config: dict[str, Any]
    seed: int
    corpus_uri: str
    corpus_fingerprint: str
    threads: int = 1
    dtype: str = "float32"
    device: str = "cpu"
    pretrains: bool = False  # it learns from a corpus for pre-training, where the plan has one
    rests_on: tuple["Stage", ...] = field(default=())

    @property
    def key(self) -> str:
        """A hash of everything that determines the artifact; not of names or places."""
        facts = {
            "kind": self.kind,
            "runner": self.runner,
            "version": self.version,
            "config": self.config,
            "seed": self.seed,
            "corpus": self.corpus_fingerprint,
            "threads": self.threads,
            "dtype": self.dtype,
            "device": self.device,
            "libraries": library_versions(),
            "rests_on": [stage.key for stage in self.rests_on],
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return f"{self.kind}-{digest[:32]}"

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Stage":
        plain = dict(value)
        plain["rests_on"] = tuple(Stage.from_json(item) for item in plain.get("rests_on", ()))
        return Stage(**plain)


@cache
def library_versions(names: tuple[str, ...] = _VERSIONED) -> dict[str, str]:
    """Of those that are installed here."""
    return {name: version.split("+")[0] for name in names if (version := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def on_pretraining_corpus(stage: Stage, uri: str, fingerprint: str) -> Stage:
    """The stage with whatever pre-trains, itself or below it, on that corpus."""
    below = tuple(on_pretraining_corpus(each, uri, fingerprint) for each in stage.rests_on)
    if not stage.pretrains:
        return replace(stage, rests_on=below)
    return replace(stage, rests_on=below, corpus_uri=uri, corpus_fingerprint=fingerprint)


def in_order(stages: tuple[Stage, ...]) -> list[Stage]:
    """Every distinct stage of the graph, what it rests on first."""
    ordered: dict[str, Stage] = {}

    def visit(stage: Stage) -> None:
        for below in stage.rests_on:
            visit(below)
        ordered.setdefault(stage.key, stage)

    for stage in stages:
        visit(stage)
    return list(ordered.values())
