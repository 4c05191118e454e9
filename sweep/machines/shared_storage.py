"""Checks that every machine of a cluster sees the sweep's storage and corpus, and runs the same code.

Done once, before the first job, on the machines alive: a folder that only the head sees or missing credentials would
otherwise fail job after job. Machines that join later are assumed to be set up in the same way.
"""

import uuid
from typing import NamedTuple

from sweep import __version__
from sweep.machines.capacity import may_grow
from sweep.plan.code_version import training_code_fingerprint
from trainables.audio.corpus.corpus import Corpus
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


class Probe(NamedTuple):
    """What each machine checks; plain data, so that it always unpickles there."""

    storage: Storage
    folder: str  # in the storage; the driver left a file there
    corpus_uri: str
    fingerprint: str
    code: str


def require_shared(storage: Storage, corpus: Corpus) -> None:
    """Raise `UserError`, naming the machine and the remedy, unless all machines can do the sweep's jobs.

    Needs `ray_session`.
    """
    import ray

    addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    if len(addresses) > 1:
        _ask_all(addresses, storage, corpus)
    elif may_grow() and not storage.is_remote:
        raise UserError(
            f"{storage.uri} is a folder of the head, which the machines it starts will not see: "
            "give --output s3://bucket/prefix"
        )


def check_here(probe: Probe, machine: str) -> str:
    """Why this machine cannot take part, "" if it can; it leaves a file for the driver to find."""
    if _code() != probe.code:
        return f"its speech-sweep is {_code()} and the driver's {probe.code}: install the same on all machines"
    try:
        probe.storage.read(f"{probe.folder}/driver")
        probe.storage.write(f"{probe.folder}/{machine}", b"")
        Corpus.open(probe.corpus_uri, fingerprint=probe.fingerprint)
    except FileNotFoundError:
        return f"it does not see what the driver writes to {probe.storage.uri}: give --output s3://bucket/prefix"
    except UserError as error:
        return str(error)
    except Exception as error:  # boto3 and file systems raise their own classes
        return f"it cannot use {probe.storage.uri} ({type(error).__name__}: {' '.join(str(error).split())})"
    return ""


def _ask_all(addresses: dict[str, str], storage: Storage, corpus: Corpus) -> None:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    probe = Probe(storage, f"probe-{uuid.uuid4().hex}", corpus.uri, corpus.fingerprint, _code())
    storage.write(f"{probe.folder}/driver", b"")
    try:
        asked = {
            node: ray.remote(num_cpus=0)(check_here)
            .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
            .remote(probe, node)
            for node in addresses
        }
        for node, answer in asked.items():
            try:
                problem = ray.get(answer)
            except ray.exceptions.RayError as error:
                if not _is_alive(node):
                    continue  # lost meanwhile: it takes no part
                problem = f"it does not answer ({type(error).__name__})"
            if not problem and not storage.exists(f"{probe.folder}/{node}"):
                problem = f"what it writes to {storage.uri} is not seen by the driver: give --output s3://bucket/prefix"
            if problem:
                raise UserError(f"machine {addresses[node]} cannot take part: {problem}")
    finally:
        storage.delete_prefix(probe.folder)


def _is_alive(node: str) -> bool:
    import ray

    return any(known["Alive"] for known in ray.nodes() if known["NodeID"] == node)


def _code() -> str:
    return f"{__version__} (training code {training_code_fingerprint()})"
