"""An Optuna trial as a space's `suggest` sees it: some values are fixed, the others are drawn as they are asked for.

`study.ask()` would store every value in a study that nobody reads again.
"""

from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.distributions import _get_single_value as single_value
from optuna.trial import FixedTrial

Draw = Callable[[str, BaseDistribution], Any]  # (parameter, its distribution) -> a value


class DrawnTrial(FixedTrial):
    """`params` and `distributions` hold what was asked for."""

    def __init__(self, draw: Draw, fixed: Mapping[str, Any], number: int) -> None:
        super().__init__(dict(fixed), number)
        self._draw = draw

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        """Asked again, a parameter keeps its first value and range, as in a trial of a study.

        Raises ValueError where a fixed value is none of the distribution's, or the distribution is of another kind.
        """
        if name in self._suggested_params:
            check_distribution_compatibility(self._distributions[name], distribution)
            return self._suggested_params[name]
        if name not in self._params:
            single = distribution.single()
            self._params[name] = single_value(distribution) if single else self._draw(name, distribution)
        elif not distribution._contains(distribution.to_internal_repr(self._params[name])):
            raise ValueError(f"{name} = {self._params[name]!r} is not in {distribution}")
        return super()._suggest(name, distribution)
