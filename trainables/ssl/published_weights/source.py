"""Where published weights lie: a hub id, a path, or s3://; torch-free, so that a plan can check it.

facebook/wav2vec2-base                 of the hub, at its newest revision
facebook/wav2vec2-base@0b5b8e86        of the hub, at that revision
s3prl/tera:folder/states-1000000.ckpt  one file of a hub repository
/models/wav2vec2-base, ~/tera.ckpt     on this machine: a folder, or a file
s3://bucket/models/wav2vec2-base       a folder there, or a file ending in .ckpt, .pt or .bin
"""

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from trainables.base.errors import UserError
from trainables.base.paths import absolute, shown
from trainables.base.storage.storage import s3_address
from trainables.base.user_path import user_path
from trainables.base.weights_file import content_digest
from trainables.ssl.upstream_table import UPSTREAM_TABLE

FILE_ENDINGS = (".ckpt", ".pt", ".bin", ".safetensors")
_HUB = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[\w.-]+))?(:(?P<file>[\w./-]+))?")


@dataclass(frozen=True)
class HubSource:
    """A repository of huggingface.co; one file of it, or a model of `transformers`."""

    repository: str
    revision: str | None  # None = the newest
    file: str | None  # None = a model of `transformers`


def resolve(upstream: str, given: str | None) -> str:
    """The source of an upstream's weights: the one given, with {upstream} filled in, else the published one.

    Raises:
        UserError: none is given and none is on the hub, or the source has no known form.
    """
    source = UPSTREAM_TABLE[upstream].published if given is None else given.replace("{upstream}", upstream)
    if source is None:
        raise UserError(
            f"{upstream} at base size: its weights are on no hub; fetch "
            f"{UPSTREAM_TABLE[upstream].elsewhere or 'them'} and give --set checkpoint=/path"
        )
    return require_form(source)


def require_form(source: str) -> str:
    """The source itself. Raises `UserError` where it has none of the forms above."""
    if not is_local(source) and not s3_address(source, "checkpoint") and not _is_hub_id(source):
        raise UserError(
            f"checkpoint {shown(source)!r}: give a hub id (owner/name, owner/name@revision, owner/name:file), an "
            "absolute path (/..., ~/...) or s3://bucket/..."
        )
    return source


def located(given: str, folder: Path) -> str:
    """The source as typed in `folder`: a path made absolute, everything else as it is.

    What could be a hub id too is a path if something is there, or if it ends as a file of weights does.
    """
    if s3_address(given, "checkpoint") or (
        _is_hub_id(given.replace("{upstream}", "x")) and not _is_there(given, folder)
    ):
        return given
    return str(absolute(given, folder))


def is_local(source: str) -> bool:
    """Whether the source is a path on this machine."""
    return source.startswith(("/", "~"))


def _is_hub_id(source: str) -> bool:
    found = _HUB.fullmatch(source)
    return found is not None and not found["repository"].endswith(FILE_ENDINGS)


def _is_there(given: str, folder: Path) -> bool:
    return bool(glob.glob(glob.escape(given).replace("{upstream}", "*"), root_dir=folder))


def hub_source(source: str) -> HubSource:
    """The parts of a hub id that `resolve` has accepted."""
    match = _HUB.fullmatch(source)
    assert match is not None, source
    return HubSource(match["repository"], match["revision"], match["file"])


def identity(source: str) -> str:
    """A digest of a local file or folder; a hub id or s3:// uri as it is.

    Raises:
        UserError: a path that does not exist or cannot be read.
    """
    return content_digest(user_path(source)) if is_local(source) else source
