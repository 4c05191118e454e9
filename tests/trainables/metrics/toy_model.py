"""A metric with a model, for tests of the mechanism: the model is the number in a file, loading is counted."""

from pathlib import Path

import numpy as np

from trainables.base.errors import UserError
from trainables.metrics import Unscorable, Weighted
from trainables.metrics.catalogue import MetricInfo

LOADED: list[str] = []


def load(place: str) -> float:
    LOADED.append(place)
    return float(Path(place).read_text())


def check(place: str) -> None:
    try:
        load(place)
    except ValueError:
        raise UserError(f"{place}: holds no number") from None


def distance(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: float, text: str | None) -> Weighted:
    """`model` times the largest error; an utterance weighs as many as its words."""
    if text is None:
        raise Unscorable("no_transcript")
    return Weighted(model * float(np.abs(reference - estimate).max()), len(text.split()))


def scale(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: float) -> float:
    return model


def _info(function: str) -> MetricInfo:
    where = __name__
    return MetricInfo(
        function=f"{where}:{function}",
        title=function.title(),
        margin=0.1,
        lower=True,
        model="a file with a number: a path",
        loader=f"{where}:load",
        check=f"{where}:check",
    )


TOYS = {"distance": _info("distance"), "scale": _info("scale")}
