"""At which layer's input or output should features be normalized?

The two differ for waveform bodies: at an input the decoder's skips read raw features, at an output
normalized ones. Spectral decoders read the last layer alone, so there only its output adds a network.
"""

from collections.abc import Sequence

from search_spaces.space import Candidate, Group, Preset
from search_spaces.ssl_presets import baselines, normalized, ssl_space
from trainables.normalized_ssl.config import DEEPEST_LAYER, SPECTRAL_UPSTREAMS


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    layers = list(range(1, DEEPEST_LAYER[group["upstream"]] + 1))
    outputs = layers[-1:] if group["upstream"] in SPECTRAL_UPSTREAMS else layers
    readings = [("input", layer) for layer in layers] + [("output", layer) for layer in outputs]
    return [*baselines(), *(normalized(f"{site}{layer}", [layer], norm_site=site) for site, layer in readings)]


NORM_SITE = ssl_space(
    name="norm_site",
    question="At which layer's input or output should features be normalized, for each upstream?",
    candidates=_candidates,
)
