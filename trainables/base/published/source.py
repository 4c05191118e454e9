"""Where a published model lies: a hub id, a path, or s3://; torch-free, so that a plan can check it.

facebook/wav2vec2-base                 of the hub, at its newest revision
facebook/wav2vec2-base@0b5b8e86        of the hub, at that revision
s3prl/tera:folder/states-1000000.ckpt  one file of a hub repository
/models/wav2vec2-base, ~/tera.ckpt     on this machine: a folder, or a file
s3://bucket/models/wav2vec2-base       a folder there, or a file ending in .ckpt, .pt, .bin or .th
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

FILE_ENDINGS = (".ckpt", ".pt", ".bin", ".safetensors", ".th")
_HUB = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[\w.-]+))?(:(?P<file>[\w./-]+))?")


@dataclass(frozen=True)
class HubSource:
    """A repository of huggingface.co; one file of it, or a model of `transformers`."""

    repository: str
    revision: str | None  # None = the newest
    file: str | None  # None = a model of `transformers`


def require_known_form(source: str, named: str) -> str:
    """The source itself, which the setting `named` has. Raises `UserError` where it has no known form."""
    if not is_local(source) and not s3_address(source, named) and not _is_hub_id(source):
        raise UserError(
            f"{named} {shown(source)!r}: give a hub id (owner/name, owner/name@revision, owner/name:file), an "
            "absolute path (/..., ~/...) or s3://bucket/..."
        )
    return source


def located(given: str, folder: Path, named: str = "checkpoint") -> str:
    """The source as typed in `folder`: a path made absolute, everything else as it is.

    What could be a hub id too is a path if something is there, or if it ends as a file of weights does.
    """
    if s3_address(given, named) or (_is_hub_id(given.replace("{upstream}", "x")) and not _is_there(given, folder)):
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
    """The parts of a hub id that `require_known_form` has accepted."""
    match = _HUB.fullmatch(source)
    assert match is not None, source
    return HubSource(match["repository"], match["revision"], match["file"])


def identity(source: str) -> str:
    """A digest of a local file or folder; a hub id or s3:// uri as it is.

    Raises:
        UserError: a path that does not exist or cannot be read.
    """
    return content_digest(user_path(source)) if is_local(source) else source
