"""The instrument itself: a sweep finds the answer that was planted, and none where there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY

RUN = REPOSITORY / "sweep" / "run.py"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("upstream", ["tera", "wav2vec2"])
def test_the_planted_layer_is_found_and_a_layer_without_effect_ties(upstream: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(RUN), "--space", "norm_controls", "--upstreams", upstream, "--json"],
        cwd=tmp_path,
        env={**os.environ, "SPEECH_SWEEP_PRESET": "demo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (group,) = json.loads(done.stdout.splitlines()[-1])["groups"]
    candidates = {candidate["label"]: candidate for candidate in group["candidates"]}
    low, high = candidates["layer1"]["gain_interval"]
    assert group["leader"]["label"] == "layer2"
    assert low < 0 < high
