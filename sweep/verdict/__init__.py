"""The statistics: from rows of paired scores to a winner or a tie. Knows nothing of plans, Ray or files.

from sweep.verdict import judge

judge(frame, candidate="system", seed="seed", unit="utterance", value="si_sdr")
"""

from typing import Any

__all__ = ["Judgement", "judge"]


def __getattr__(name: str) -> Any:
    # On demand: most of who imports a module of this package needs neither pandas nor scipy.
    if name in __all__:
        from sweep.verdict import judging

        return getattr(judging, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
