"""Where a plan's stages are kept: this machine's cache, or beside the sweeps in a bucket.

Workers on other machines read stages, so a sweep whose output is in S3 keeps them there too.
"""

from sweep.artifacts import StoredArtifacts
from sweep.plan import Plan
from sweep.storage import Storage
from trainables.cache import cache_folder


def stage_store(plan: Plan, kind: type[Storage] = Storage) -> StoredArtifacts:
    """Shared by all sweeps with the same base or cache: a stage is computed once."""
    if plan.output.startswith("s3://"):
        return kind(plan.output.rsplit("/", 1)[0]).artifacts()
    return kind(str(cache_folder())).artifacts()
