"""Monitors of faults that the deciding metric may miss: a wrong gain, a flipped sign, a small shift (`alignment`)."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from trainables.metrics.scorer import mean_of_ok

SEGMENTAL = "segsnr"


def level_monitors(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """From the Scorer's rows, `SEGMENTAL` among their metrics; nothing if no clip could be scored.

    Returns:
        "estimate_gain": mean of <estimate, reference> / <reference, reference>, 1 is right; "flipped_share": share
        of the clips whose sign is flipped; "segsnr": mean segmental SNR in dB.
    """
    scored = [row for row in rows if row["metric"] == SEGMENTAL and row["status"] == "ok"]
    if not scored:
        return {}
    segmental, clips, _ = mean_of_ok(scored, SEGMENTAL)
    assert segmental is not None
    return {
        "estimate_gain": math.fsum(row["gain"] for row in scored) / clips,
        "flipped_share": sum(row["polarity"] < 0 for row in scored) / clips,
        "segsnr": segmental,
    }
