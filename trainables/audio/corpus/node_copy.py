"""One copy of an S3 shard per node: shared by all its processes, checksummed, atomic."""

import os
from pathlib import Path

from trainables.audio.corpus.shards import Shard, file_sha256
from trainables.base.cache import LOCK_REMEDY, require_free_space
from trainables.base.errors import UserError
from trainables.base.locked import locked
from trainables.base.storage.storage import InputStorage


def local_copy(place: InputStorage, shard: Shard, folder: Path) -> Path:
    """The local path of a shard, fetched from `place` if this node has no copy yet.

    A lock lets one process fetch while the others wait; the file gets its name only after its checksum was
    verified, so a copy that exists is complete.

    Raises:
        UserError: the disk is too full, or the shard on S3 does not match corpus.json.
    """
    path = folder / shard.name
    if path.exists():
        return path
    with locked(folder / f"{shard.name}.lock", LOCK_REMEDY):
        if not path.exists():
            _fetch(place, shard, path)
    return path


def _fetch(place: InputStorage, shard: Shard, path: Path) -> None:
    require_free_space(path.parent, shard.bytes)
    partial = path.with_suffix(".partial")
    place.download(shard.name, partial)
    if file_sha256(partial) != shard.sha256:
        partial.unlink()
        raise UserError(
            f"{place.uri}/{shard.name} is damaged: its checksum differs from corpus.json; "
            "prepare the corpus again (sweep/prepare.py)"
        )
    os.replace(partial, path)
