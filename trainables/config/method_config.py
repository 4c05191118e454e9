"""What a sweep reads of any method's configuration, whatever its fields are."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol, Self, Unpack

from trainables.base.errors import UserError
from trainables.config.fields import FieldRules
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace


class MethodConfig(Protocol):
    """A frozen dataclass, torch-free, whose fields all have defaults; spaces and `--set` give them values.

    Build one by `from_dict`, which validates, and resets idle fields: the same effective settings are equal. Inherit
    from this class for what most configurations say; a field of the same name stands in for a property.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    METHOD: ClassVar[str] = "the configuration"  # its name in error messages

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
        """Validate, and reduce to the settings that have an effect.

        Raises:
            UserError: naming the field, its value and what is allowed.
        """
        config = cls(**FieldRules(cls.METHOD, cls).read(values))
        config.check_together()
        return config.effective()

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON; `from_dict` takes them back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def check_together(self) -> None:
        """Raise `refusal(...)` where fields that are allowed by themselves do not go together."""

    def idle(self) -> Collection[str]:
        """The fields that have no effect on the training."""
        return ()

    def effective(self) -> Self:
        """With every idle field at its default."""
        return replace(self, **{name: getattr(type(self), name) for name in self.idle()})

    def refusal(self, name: str, value: Any, allowed: str) -> UserError:
        """The error for a value that a field cannot have."""
        return FieldRules(self.METHOD, type(self)).refusal(name, value, allowed)

    def paper_terms(self, steps: int) -> dict[str, float]:
        """What a training of `steps` steps uses, in the terms of the method's paper."""
        return {}

    def stages(self, seed: int, **place: Unpack[StagePlace]) -> tuple[Stage, ...]:
        """What a job reads that is computed before it, such as pre-training."""
        return ()

    def require_inputs(self) -> None:
        """Raise `UserError` where a file that the configuration names is not there; asked once, by the plan."""
        return

    def require_corpus(self, summary: Mapping[str, Any], data: DataSettings) -> None:
        """Raise `UserError` where the corpus of that summary lacks what the training needs; asked once, by the plan."""
        return

    def data_settings(self, data: DataSettings) -> DataSettings:
        """How this trial's examples are drawn, from what the plan says."""
        return data

    def check_budget(self, steps: int, data: DataSettings) -> None:
        """Raise `refusal(...)` where this training does not go with its number of steps or its batch."""
        return

    @property
    def views(self) -> int:
        """The noises that each clean crop of a batch is put into."""
        return 1

    @property
    def trains_on_pretraining_corpus(self) -> bool:
        """Whether training itself draws examples from the corpus for pre-training, where the plan has one."""
        return False

    def until_first_switch(self) -> tuple[Self, float]:
        """The configuration that is the same training up to a share of the budget, and that share.

        0 where nothing can be shared, infinity where nothing ever switches (see trainables.shared_prefix).
        """
        return self, 0.0

    def phase_switches(self) -> tuple[float, ...]:
        """Shares of the budget in (0, 1) at which a schedule switches: marks on the learning curves."""
        return ()
