"""APC as checkpoints of s3prl: a pickle with the weights (`model`) and the configuration they were made with.

Names, defaults and meanings are those of s3prl 0.4 (upstream/apc/{apc,audio,expert}.py). Of the configuration only
the network and the front end are read; the rest is of training.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from trainables.audio.features import HOP, MEL_BANDS, N_FFT, SAMPLE_RATE
from trainables.base.errors import UserError
from trainables.base.foreign_pickles import load_foreign
from trainables.base.stated_facts import Fact, require_facts
from trainables.ssl.bodies.recurrent_body import RecurrentBody
from trainables.ssl.published_weights.s3prl_files import one_file

RECURRENT_PARTS = ("rnn_layers.", "vq_layers.")  # the head, `postnet`, is not the body's


def recurrent_state(body: RecurrentBody, path: Path) -> tuple[Path, dict[str, Tensor]]:
    """The checkpoint in `path`, a folder with one or that file, and its tensors by s3prl's names.

    Raises:
        UserError: no such file, damaged, or another network or front end than the body's.
    """
    file = one_file(path)
    content = load_foreign(file)
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise UserError(f"{file}: no 'model' in it; give a checkpoint of s3prl's APC")
    configs = [content.get(name) for name in ("config", "Upstream_Config")]
    config = next((each for each in configs if isinstance(each, dict)), None)
    audio, network = (_section(config, *names) for names in (("data", "audio"), ("model", "paras")))
    if audio is None or network is None:
        raise UserError(f"{file}: its config has no data.audio or no model.paras; not s3prl's own checkpoint of APC")
    ours = body.architecture
    layers = {
        "hidden_size": Fact((ours.hidden,), read=int),
        "num_layers": Fact((ours.layers,), read=int),
        "residual": Fact((True,)),
        "vq": Fact((None,), None),  # of VQ-APC
    }
    front_end = {
        "feat_type": Fact(("fbank",)),
        "feat_dim": Fact((MEL_BANDS,), read=int),
        "frame_length": Fact((1000 * N_FFT / SAMPLE_RATE,), 25, read=float),
        "frame_shift": Fact((1000 * HOP / SAMPLE_RATE,), 10, read=float),
        "cmvn": Fact((True,), True),
    }
    require_facts(f"{file}, model.paras", network, layers, ("dropout",))
    require_facts(f"{file}, data.audio", audio, front_end, ("decode_wav",))
    return file, dict(state)


def recurrent_name(name: str) -> str:
    """steps.0.gru.weight_ih_l0 -> rnn_layers.0.weight_ih_l0."""
    return name.replace("steps.", "rnn_layers.", 1).replace(".gru.", ".", 1)


def _section(config: Mapping[str, Any] | None, part: str, name: str) -> Mapping[str, Any] | None:
    within = (config or {}).get(part)
    found = within.get(name) if isinstance(within, dict) else None
    return found if isinstance(found, dict) else None
