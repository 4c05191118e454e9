"""The learning rate after a history of validation scores, against torch's own scheduler."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.config.method_config import MethodConfig
from trainables.training.plateau import plateau_factor


@settings(max_examples=40, deadline=None)
@given(scores=st.lists(st.floats(-20, 20), max_size=30), patience=st.integers(1, 4))
def test_equals_reduce_lr_on_plateau(scores: list[float], patience: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.5, patience=patience, threshold=0.0, eps=0.0
    )
    for score in scores:
        scheduler.step(score)
    config: Any = SimpleNamespace(plateau_patience=patience, plateau_factor=0.5)
    assert plateau_factor(scores, config) == pytest.approx(optimizer.param_groups[0]["lr"])


@dataclass(frozen=True)
class Plain(MethodConfig):
    """A configuration that says nothing of its own."""

    def check_together(self) -> None:
        """There is nothing to check."""


@pytest.mark.parametrize("config", [Plain(), SimpleNamespace(plateau_patience=None)])
def test_without_a_patience_the_rate_stays(config: Any) -> None:
    assert plateau_factor([3.0, 2.0, 1.0, 0.0] * 10, config) == 1.0
