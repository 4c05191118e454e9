"""A prepared corpus copied from this machine to S3, where the other machines of a cluster can read it."""

from trainables.audio.corpus.corpus import CORPUS_FILE, Corpus, read_description
from trainables.base.storage.storage import InputStorage


def shared_copy(corpus: Corpus, base: str) -> Corpus:
    """The corpus at `base`/<fingerprint>, copied there first if it is not there yet.

    `base` is an s3:// prefix; a corpus that lies on S3 already is returned as it is. corpus.json comes last, so
    that a copy which was broken off is none, and the next one goes over it.
    """
    home = InputStorage(corpus.uri)
    if home.folder is None:
        return corpus
    target = InputStorage(f"{base}/{corpus.fingerprint}")
    if target.size(CORPUS_FILE) is None:
        for shard in read_description(home)["shards"]:
            target.upload(home.folder / shard["name"], shard["name"])
        target.write(CORPUS_FILE, home.read(CORPUS_FILE))
    return Corpus.open(target.uri, fingerprint=corpus.fingerprint)
