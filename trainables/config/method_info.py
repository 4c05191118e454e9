"""What a method says of itself, so that no other file has to name it: torch-free, one `INFO` per method.

Figures of cost are those of one core of a shared 2.x GHz machine with one thread.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainables.config.method_config import MethodConfig


@dataclass(frozen=True, kw_only=True)
class MethodInfo:
    """One method. Only what `build`, `runners` and `gates` name is loaded later, and may import torch.

    Functions take the method's own configuration.
    """

    name: str
    config: type[MethodConfig]
    # "module:function" of (config, artifacts by stage kind, seed) -> a `trainables.method.Method`
    build: str
    # Short name, unique among all methods -> "module:function" of (stage, corpus, artifacts, progress) -> bytes
    runners: Mapping[str, str] = field(default_factory=dict)
    # Of those that read weights of others: runner -> "module:function" of (stage), called before anything starts; it
    # raises `UserError` where a file on this machine cannot be used.
    weights_checks: Mapping[str, str] = field(default_factory=dict)
    gates: str | None = None  # torch-free module with `gate_stages(config, ...)` and `read_gates(artifacts)`
    groups: str | None = None  # what its spaces are usually grouped by: "upstream" makes the flag --upstreams

    # Too large to train on a CPU: its cost is unknown, and a plan for a CPU gets a warning.
    full_size: Callable[[Any], bool] = lambda config: False
    # Seconds of a training step: (whatever the batch, for each second of audio in it); None = never measured.
    step_seconds: Callable[[Any], tuple[float, float] | None] = lambda config: None
    # Seconds of a step of a "pretraining" stage with this configuration.
    pretraining_step_seconds: Callable[[Mapping[str, Any]], float] = lambda config: 0.03
    # With the optimizer, of a model that is not of full size and of one that is.
    checkpoint_bytes: tuple[float, float] = (8e6, 8e6)

    # Kind of corpus ("paired", "mixtures") -> why it cannot be used, ending with what to give instead.
    refuses: Mapping[str, str] = field(default_factory=dict)
    # Warnings about what is allowed but may not be intended, one line each.
    cautions: Callable[[Any], Sequence[str]] = lambda config: ()

    # Metrics of a report that MLflow draws, next to those of every method -> the name of the curve. Of all that match
    # a pattern such as "*/k" the largest is drawn; where the name is the pattern itself, each is a curve of its own.
    curves: Mapping[str, str] = field(default_factory=dict)
    # The metrics that `Method.measures` has numbers for, all with `measured` in trainables/metrics/catalogue.py.
    measures: Callable[[Any], Sequence[str]] = lambda config: ()
    alarm: str | None = None  # a metric of the reports that is above 0 where training went wrong
    counts_label_switches: bool = False  # its reports have switch_percent and switch_symmetric_percent
