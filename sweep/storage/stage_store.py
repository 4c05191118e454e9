"""Where a sweep's stages are kept: this machine's cache, or next to the sweeps in a bucket.

Workers on other machines read stages, so a sweep whose output is in S3 keeps them there too.
"""

from sweep.storage.artifacts import StoredArtifacts
from trainables.base.cache import cache_folder
from trainables.base.storage.storage import Storage


def stage_store(output: str, kind: type[Storage] = Storage) -> StoredArtifacts:
    """Shared by all sweeps with the same base or cache: a stage is computed once."""
    base = output.rsplit("/", 1)[0] if output.startswith("s3://") else str(cache_folder())
    return StoredArtifacts(kind(base))
