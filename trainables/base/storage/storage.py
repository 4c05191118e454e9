"""A local folder or `s3://bucket/prefix` behind one small interface, for corpora, weights and a sweep's results.

Paths are relative, with "/". Writes are atomic: a reader sees the old content, the new content or nothing.
S3 settings are boto3's own (`AWS_ENDPOINT_URL`, credentials, region), and SPEECH_SWEEP_S3_ENCRYPTION, on every
machine that writes. docs/storage.md has the policy it needs. A `Storage` pickles as its address.
"""

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from trainables.base.errors import UserError
from trainables.base.paths import is_text, shown
from trainables.base.storage.bucket import Bucket
from trainables.base.storage.folder import Folder
from trainables.base.user_path import user_path

T = TypeVar("T")

_IN_S3 = re.compile(r"s3://[A-Za-z0-9._-]{1,255}(/.*)?", re.DOTALL)
_LONGEST_SHOWN = 200  # characters of an address that a message repeats


def s3_address(text: str, problem: str) -> str | None:
    """`text` without trailing slashes if it is s3://bucket[/prefix], None if it names something else.

    The prefix is taken as it is: an address is not URL-encoded, so %20 stands for these three characters.

    Raises:
        UserError: a bucket was meant and is not named (s3://, s3:/bucket), or the prefix is no name that every S3
            client reads alike; the message begins with `problem`.
    """
    if not text.startswith("s3:"):
        return None
    if not _IN_S3.fullmatch(text):
        raise UserError(
            f"{problem} {text!r}: names no bucket; write s3://bucket/prefix, or ./ before the name of a folder"
        )
    address = text.rstrip("/")
    if not is_text(address) or {".", ".."} & set(address.split("/")):
        raise UserError(
            f"{problem} {shown(text)!r}: S3 clients differ on '.', '..' and characters that cannot be printed in a "
            "key; leave them out"
        )
    return address


class Storage:
    """Bytes by path, in a folder or a bucket.

    Attributes:
        uri: the absolute folder, or s3://bucket/prefix.

    Raises:
        UserError: an address that is neither a folder nor s3://.
    """

    def __init__(self, uri: str | os.PathLike[str]):
        text = os.fspath(uri)
        address = s3_address(text, "cannot use")
        if "://" in text and not address:
            raise UserError(f"cannot use {text!r}: give a local folder or s3://bucket/prefix")
        self.uri = address or str(user_path(text).absolute())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    def __reduce__(self) -> tuple[type["Storage"], tuple[str]]:
        return type(self), (self.uri,)

    @property
    def is_remote(self) -> bool:
        return self.uri.startswith("s3://")

    @property
    def folder(self) -> Path | None:
        """The local folder; None in a bucket."""
        return None if self.is_remote else Path(self.uri)

    @cached_property
    def _backend(self) -> Bucket | Folder:
        return Bucket(self.uri) if self.is_remote else Folder(Path(self.uri))

    def _call(self, access: Callable[[], T]) -> T:
        """Every access passes through here, so that a subclass can treat all failures alike."""
        return access()

    def read(self, path: str) -> bytes:
        """The content. Raises FileNotFoundError if there is none."""
        return self._call(lambda: self._backend.read(_checked(path)))

    def write(self, path: str, content: bytes) -> None:
        """Store the content, replacing what was there, all or nothing."""
        self._call(lambda: self._backend.write(_checked(path), content))

    def create(self, path: str, content: bytes) -> None:
        """Store the content where there is no such file yet. Raises FileExistsError where there is, also by a moment.

        An S3 server that does not know conditional writes may let the later of two simultaneous ones win.
        """
        self._call(lambda: self._backend.create(_checked(path), content))

    def upload(self, file: Path, path: str) -> None:
        """Copy a local file of any size here, all or nothing."""
        self._call(lambda: self._backend.upload(file, _checked(path)))

    def move_in(self, file: Path, path: str) -> None:
        """Move a local file here; it must lie on the same disk if this is a folder."""
        self._call(lambda: self._backend.move_in(file, _checked(path)))

    def download(self, path: str, file: Path) -> None:
        """Copy a file of any size to the local `file`, all or nothing. Raises FileNotFoundError if there is none."""
        self._call(lambda: self._backend.download(_checked(path), file))

    def size(self, path: str) -> int | None:
        """The file's bytes; None if there is no such file, or it is a folder."""
        return self._call(lambda: self._backend.size(_checked(path)))

    def exists(self, path: str) -> bool:
        """Whether a file (not a folder) is there."""
        return self.size(path) is not None

    def list(self, prefix: str = "") -> list[str]:
        """The sorted paths of all files below the folder `prefix`, at any depth."""
        return list(self.sizes(prefix))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """The bytes of every file below the folder `prefix`, by path, sorted."""
        return self._call(lambda: dict(sorted(self._backend.sizes(_checked(prefix) if prefix else "").items())))

    def unfinished(self, prefix: str = "") -> dict[str, int]:
        """As `sizes`, the files that are being written, or were when their writer was killed; a bucket shows none."""
        backend = self._backend
        return {} if isinstance(backend, Bucket) else backend.unfinished(_checked(prefix) if prefix else "")

    def folders(self) -> tuple[str, ...]:
        """The sorted names of the folders directly below; quick, however much they hold."""
        return self._call(lambda: tuple(sorted(self._backend.folders())))

    def delete(self, path: str) -> None:
        """Delete one file; an absent one is fine."""
        self._call(lambda: self._backend.delete(_checked(path)))

    def delete_prefix(self, prefix: str) -> None:
        """Delete all files below the folder `prefix`; an absent one is fine."""
        self._call(lambda: self._backend.delete_prefix(_checked(prefix)))

    def free_bytes(self) -> int | None:
        """The disk's free space; None in a bucket."""
        return self._backend.free_bytes()

    def probe(self) -> None:
        """Write a file, read it back and delete it. Raises `UserError` with the remedy."""
        path, content = f"probe-{uuid.uuid4().hex}", os.urandom(64)
        try:
            try:
                self.write(path, content)
                intact = self.read(path) == content
            except BaseException:
                with contextlib.suppress(Exception):  # it may be there all the same
                    self.delete(path)
                raise
            self.delete(path)
        except Exception as error:  # boto3 and the file system each have their own kinds
            raise UserError(f"cannot write to {self.uri}: {_one_line(error)}; {self._backend.remedy}") from error
        if not intact:
            raise UserError(f"{self.uri} returned other bytes than were written; choose another --output")

    @contextlib.contextmanager
    def within_reach(self) -> Iterator[None]:
        """Turns any failure inside into a `UserError` with the remedy, for the first access of a command."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # boto3 and the file system each have their own kinds
            raise self._unusable(error, self._backend.reading_remedy) from error

    def _unusable(self, error: Exception, remedy: str) -> UserError:
        where = str(getattr(error, "filename", None) or self.uri)[:_LONGEST_SHOWN]
        return UserError(f"cannot look into {where}: {_one_line(error)}; {remedy}")


class InputStorage(Storage):
    """For corpora and published weights: every failure but absence is a `UserError` with the remedy."""

    def _call(self, access: Callable[[], T]) -> T:
        try:
            return access()
        except (FileNotFoundError, NotADirectoryError, UserError):
            raise
        except Exception as error:  # boto3 and the file system each have their own kinds
            remedy = "check the path, its permissions and its disk" if self.folder else self._backend.remedy
            raise self._unusable(error, remedy) from error


def _checked(path: str) -> str:
    """The path without a trailing slash. Raises ValueError for one that could leave the storage."""
    path = path.rstrip("/")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"not a relative path inside the storage: {path!r}")
    return path


def _one_line(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split()) or type(error).__name__
