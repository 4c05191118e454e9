"""What one worker receives: the complete, plain-JSON description of a job.

The driver resolves spaces, presets and defaults; a worker never sees them. Everything that can change a
job's result is in here, so the same assignment gives the same bits.
"""

import json
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """How training examples are drawn and what a job is evaluated on."""

    batch: int = 8
    crop_seconds: float = 1.0
    snr_low: float = -5.0  # dB
    snr_high: float = 5.0  # dB
    training_snrs: tuple[float, ...] = ()  # dB, drawn evenly; () = anything from snr_low to snr_high
    evaluation_snrs: tuple[float, ...] = ()  # dB, in turns; () = five points from snr_low to snr_high
    noise_level: str = "active"  # the noise's power in an SNR: "active" stretches, or the whole "crop"
    swap_roles: bool = False  # train on the test split and test on the train split: few voices and noises
    labelled_minutes: float | None = None  # of training speech; None = all
    valid_seconds: float = 60.0  # audio scored on the valid split
    test_seconds: float = 75.0  # audio scored on the test split
    evaluation_clip_seconds: float = 4.0  # longer utterances are cut to this in the evaluation sets
    speakers: int = 1  # 2 and more: mixtures of as many voices, to be separated
    sample_rate: int = 16000  # Hz; other rates for mixtures of voices only

    def __post_init__(self) -> None:
        for name in ("training_snrs", "evaluation_snrs"):  # JSON has lists
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def source_split(self, role: str) -> str:
        """The corpus split used as "train", "valid" or "test"."""
        return _SWAPPED[role] if self.swap_roles else role


_SWAPPED = {"train": "test", "valid": "valid", "test": "train"}


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One job, complete. `seed` fixes init, data order, mixtures and (at tiny size) the pre-training."""

    job: str  # "<group>/<phase>/<candidate>/<number or seed>", also its folder under <output>/jobs/
    attempt: int = 1
    phase: str = "search"  # "search" | "final"
    method: str = "normalized_ssl"
    config: dict[str, Any] = field(default_factory=dict)  # the method's configuration, complete
    seed: int = 0
    steps: int = 200  # the whole budget T
    round_steps: int = 50  # steps between two reports
    metric: str = "si_sdr"  # the metric that decides
    corpus_uri: str = ""
    corpus_fingerprint: str = ""
    pretraining_corpus_uri: str = ""  # where training itself draws from it; "" = there is none
    pretraining_corpus_fingerprint: str = ""
    data: DataSettings = field(default_factory=DataSettings)
    stages: tuple[dict[str, Any], ...] = ()  # Stage.to_json() of every artifact this job reads
    prefix: dict[str, Any] | None = None  # Stage.to_json() of training shared with other jobs, to go on from
    threads: int = 1
    device: str = "cpu"  # "cpu" | "cuda"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads."""
        # Not dataclasses.asdict: it copies every value on its way, and a sweep hands out thousands of these.
        return json.loads(json.dumps({**vars(self), "data": vars(self.data)}))

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Assignment":
        """The assignment of `to_json`; fields that this version does not know are ignored."""
        known = {f.name for f in fields(Assignment)}
        plain = {key: item for key, item in value.items() if key in known}
        plain["data"] = DataSettings(**plain.get("data", {}))
        plain["stages"] = tuple(plain.get("stages", ()))
        return Assignment(**plain)
