"""The stage that init="pretrained" rests on at base size: published weights, cut to the layers that are used.

Weights are copied name by name into the truncated body. Nothing is left at its random initial value, and nothing of
the body's part of the file is passed over: a tensor that is missing, of another shape or without a place is an error
that names the file and the difference.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from trainables.audio.corpus.shards import file_sha256
from trainables.base.errors import UserError
from trainables.base.published.files import local_files
from trainables.base.published.source import is_local
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.ssl.bodies.body import Body
from trainables.ssl.bodies.recurrent_body import RecurrentBody
from trainables.ssl.bodies.spectral_body import SPEECH_STATISTICS, LogMelBody, SpectralBody
from trainables.ssl.bodies.upstreams import build_body, pack_body
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.description import SSLModel
from trainables.ssl.published_weights.apc_files import RECURRENT_PARTS, recurrent_name, recurrent_state
from trainables.ssl.published_weights.s3prl_files import spectral_name, spectral_state
from trainables.ssl.published_weights.transformers_files import (
    waveform_name,
    waveform_parts,
    waveform_state,
)

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the truncated body's state; `info` says which file it came from."""
    body, used = _loaded(stage)
    progress(1, 1)
    return pack_body(body, info={"checkpoint": stage.config["checkpoint"], "sha256": file_sha256(used)})


def check_local(stage: Stage) -> None:
    """Raise `UserError` where the stage's weights are on this machine and cannot be used."""
    if is_local(stage.config["checkpoint"]):
        _loaded(stage)


def _loaded(stage: Stage) -> tuple[Body, Path]:
    """The body with its weights, and the file they are from."""
    model = SSLModel.from_stage(stage.config)
    path = local_files(stage.config["checkpoint"])
    body = build_body(model, stage.seed)
    return body, load_weights(body, model.upstream, path)


def load_weights(body: LogMelBody | WaveformBody, upstream: str, path: Path) -> Path:
    """Fill the body with published weights, from a folder or file of the upstream's family; returns the file used.

    Raises:
        UserError: missing, damaged, of another network or front end, or without a tensor that is needed.
    """
    if not path.exists():
        raise UserError(f"no checkpoint at {path}: check the path")
    if isinstance(body, RecurrentBody):
        weights, state = recurrent_state(body, path)
        fill(body, state, weights, recurrent_name, RECURRENT_PARTS)
    elif isinstance(body, SpectralBody):
        weights, state = spectral_state(body, path)
        fill(body, state, weights, spectral_name, ("",))
    else:
        assert isinstance(body, WaveformBody)
        weights, state = waveform_state(body, upstream, path)
        fill(body, state, weights, waveform_name, waveform_parts(body))
    return weights


def fill(
    body: Body, state: Mapping[str, Any], where: Path, name_in_file: Callable[[str], str], parts: tuple[str, ...]
) -> None:
    """Copy every parameter and buffer of the body from `state`, whose names that begin with `parts` are the body's.

    Raises `UserError` naming the first misfit, a tensor without a place in the body among them.
    """
    found, missing, misshapen, used = {}, [], [], set()
    for name, ours in body.state_dict().items():
        if name in SPEECH_STATISTICS:
            found[name] = ours  # measured on the corpus at hand, in no checkpoint
            continue
        source = name_in_file(name)
        used.add(source)
        theirs = state.get(source)
        if not isinstance(theirs, Tensor):
            missing.append(source)
        elif theirs.shape != ours.shape:
            misshapen.append(f"{source} is {tuple(theirs.shape)}, not {tuple(ours.shape)}")
        elif not theirs.isfinite().all():
            raise UserError(f"{where}: {source} holds values that are not finite; fetch the file again")
        else:
            found[name] = theirs.to(ours.dtype)
    homeless = [name for name in state if name.startswith(parts) and name not in used]
    if missing:
        raise UserError(f"{where}: lacks {len(missing)} tensors that the body needs, first {missing[0]}")
    if misshapen:
        raise UserError(f"{where}: {len(misshapen)} tensors differ from the base size, first {misshapen[0]}")
    if homeless:
        raise UserError(
            f"{where}: {len(homeless)} tensors have no place in the body, first {homeless[0]}: another network"
        )
    body.load_state_dict(found)
