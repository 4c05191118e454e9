"""How soft should the alignment be, between which speeds, and within which band?

One change at a time from the authors' settings (gamma 0.1, nine speeds from 0.8 to 1.2, no band, the divergence of
frames of unit length), against the frame-by-frame MSE.
"""

from collections.abc import Sequence

from search_spaces.position_presets import FRAME_BY_FRAME, UNTOUCHED, position_space
from search_spaces.space import Candidate, Config, Group, Preset

_CHANGES: dict[str, Config] = {
    "usual": {},
    "gamma_0.01": {"gamma": 0.01},
    "gamma_1": {"gamma": 1.0},
    "speeds_narrow": {"speed_low": 0.9, "speed_high": 1.1, "speed_step": 0.1},
    "band_0.1": {"band": 0.1},
}
_MORE_CHANGES: dict[str, Config] = {
    "speeds_wide": {"speed_low": 0.7, "speed_high": 1.3, "speed_step": None},
    "speed_of_noisy": {"speed_branch": "noisy"},
    "band_0.2": {"band": 0.2},
    "no_divergence": {"divergence": False},
    "raw_frames": {"l2norm": "off"},
    "pitch": {"pitch_semitones": 2.0, "swap_branches": True},
}


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    changes = _CHANGES | _MORE_CHANGES if preset.at_scale else _CHANGES
    changed = [Candidate(label=label, config={"variant": "softdtw", **own}) for label, own in changes.items()]
    return [UNTOUCHED, FRAME_BY_FRAME, *changed]


POSITION_SOFTDTW = position_space(
    name="position_softdtw",
    question="Which softness, speeds and band suit soft-DTW between features at different speeds?",
    candidates=_candidates,
)
