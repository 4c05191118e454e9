"""Where a sweep's stages, and jobs for other sweeps, are kept: this machine's cache, or next to the sweeps in a bucket.

Workers on other machines read stages, so a sweep whose output is in S3 keeps them there too.
"""

from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.kept_jobs import KEPT_JOBS, KeptJobs
from trainables.base.cache import cache_folder
from trainables.base.storage.storage import Storage


def stage_store(output: str, kind: type[Storage] = Storage) -> StoredArtifacts:
    """Shared by all sweeps with the same base or cache: a stage is computed once."""
    return StoredArtifacts(kind(shared_base(output)))


def kept_jobs(output: str, kind: type[Storage] = Storage) -> KeptJobs:
    """Next to the stages, and shared by the same sweeps."""
    return KeptJobs(StoredArtifacts(kind(shared_base(output)), KEPT_JOBS))


def shared_base(output: str) -> str:
    """Where that lies which sweeps of the same base, or of this machine, share."""
    return output.rsplit("/", 1)[0] if output.startswith("s3://") else str(cache_folder())
