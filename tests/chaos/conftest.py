"""SPINNERS=1 runs the suite on a busy machine."""

from tests.support.spinners import spinners

__all__ = ["spinners"]
