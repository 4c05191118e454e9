"""What a sweep reads of any method's configuration, whatever its fields are."""

from dataclasses import fields
from typing import Any, ClassVar, Protocol, Self

from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage


class MethodConfig(Protocol):
    """A frozen dataclass, torch-free, whose fields all have defaults; spaces and `--set` give them values.

    Configurations that are equal train alike. To inherit from this class gives what most configurations say; a field
    of the same name stands in for a property.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def clip(self) -> float | None:
        """The norm to which gradients are clipped; None = never."""
        return None

    @property
    def warmup_share(self) -> float:
        """The share of the budget over which the learning rate rises linearly to its peak."""
        return 0.0

    @property
    def lr_floor(self) -> float:
        """The share of the peak rate at which the cosine decay ends; 1 = no decay."""
        return 1.0

    @property
    def plateau_patience(self) -> int | None:
        """Rounds without a better validation score before the rate falls; None = it never does."""
        return None

    @property
    def plateau_factor(self) -> float:
        """What the rate is multiplied by then."""
        return 1.0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Validate. Raises UserError naming the field, its value and what is allowed."""
        known = {field.name for field in fields(cls)}
        for name in values.keys() - known:
            raise UserError(f"no field {name!r}: the fields are {', '.join(sorted(known))}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON; `from_dict` takes them back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def stages(
        self, corpus_uri: str, corpus_fingerprint: str, seed: int, threads: int = 1, device: str = "cpu"
    ) -> tuple[Stage, ...]:
        """What a job reads that is computed before it, such as pre-training."""
        return ()

    def data_settings(self, data: DataSettings) -> DataSettings:
        """How this trial's examples are drawn, from what the plan says."""
        return data

    def until_first_switch(self) -> tuple[Self, float]:
        """The configuration that is the same training up to a share of the budget, and that share.

        0 where nothing can be shared, infinity where nothing ever switches (see trainables.shared_prefix).
        """
        return self, 0.0

    def phase_switches(self) -> tuple[float, ...]:
        """Shares of the budget in (0, 1) at which a schedule switches: marks on the learning curves."""
        return ()
