"""Where a sweep keeps its files: a local folder or `s3://bucket/prefix`, behind one small interface.

Paths are relative, with "/". Writes are atomic: a reader sees the old content, the new content or nothing.
S3 settings are boto3's own (`AWS_ENDPOINT_URL`, credentials, region), and SPEECH_SWEEP_S3_ENCRYPTION, on every
machine that writes. docs/storage.md has the policy it needs. A `Storage` pickles as its address.
"""

import contextlib
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from trainables.base.errors import UserError
from trainables.base.s3_address import s3_address

ENCRYPTION_VARIABLE = "SPEECH_SWEEP_S3_ENCRYPTION"  # at rest: AES256, aws:kms or aws:kms:KEY
_TEMPORARY = ".writing-"  # a file that is not whole yet; never listed
_MULTIPART_BYTES = 64 * 2**20  # larger objects travel in parts
_DELETE_AT_ONCE = 1000  # what one S3 request may delete


class Storage:
    """Bytes by path, in a folder or a bucket.

    Raises `UserError` for an address that is neither a folder nor s3://.
    """

    def __init__(self, uri: str | os.PathLike[str]):
        text = os.fspath(uri)
        address = s3_address(text, "cannot store at")
        if "://" in text and not address:
            raise UserError(f"cannot store at {text!r}: give a folder or s3://bucket/prefix")
        self.uri = address or str(Path(text).expanduser().absolute())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    def __reduce__(self) -> tuple[type["Storage"], tuple[str]]:
        return type(self), (self.uri,)

    @property
    def is_remote(self) -> bool:
        return self.uri.startswith("s3://")

    @cached_property
    def _backend(self) -> "_Backend":
        return _Bucket(self.uri) if self.is_remote else _Folder(Path(self.uri))

    def read(self, path: str) -> bytes:
        """The content. Raises FileNotFoundError where there is none."""
        return self._backend.read(_checked(path))

    def write(self, path: str, content: bytes) -> None:
        """Store the content, replacing what was there, all or nothing."""
        self._backend.write(_checked(path), content)

    def exists(self, path: str) -> bool:
        """Whether a file (not a folder) is there."""
        return self._backend.exists(_checked(path))

    def list(self, prefix: str = "") -> list[str]:
        """The sorted paths of all files below the folder `prefix`, at any depth."""
        return sorted(self._backend.list(_checked(prefix) if prefix else ""))

    def folders(self) -> tuple[str, ...]:
        """The sorted names of the folders directly below; quick, however much lies in them."""
        return tuple(sorted(self._backend.folders()))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """The bytes of every file below the folder `prefix`, by path."""
        return dict(sorted(self._backend.sizes(_checked(prefix) if prefix else "").items()))

    def delete_prefix(self, prefix: str) -> None:
        """Delete all files below the folder `prefix`; nothing there is fine."""
        self._backend.delete_prefix(_checked(prefix))

    def free_bytes(self) -> int | None:
        """The disk's free space; None in a bucket."""
        return self._backend.free_bytes()

    def probe(self) -> None:
        """Write a file, read it back and delete it. Raises `UserError` with the remedy."""
        path, content = f"probe-{uuid.uuid4().hex}/file", os.urandom(64)
        try:
            self.write(path, content)
            intact = self.read(path) == content
            self.delete_prefix(path.split("/")[0])
        except Exception as error:  # boto3 and the file system each have their own kinds
            raise UserError(
                f"cannot write to {self.uri}: {_one_line(error)}; {self._backend.remedy}"
            ) from error
        if not intact:
            raise UserError(f"{self.uri} returned other bytes than were written; choose another --output")

    @contextlib.contextmanager
    def within_reach(self) -> Iterator[None]:
        """Around the first look a command takes: what goes wrong there becomes a `UserError` with the remedy."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # boto3 and the file system each have their own kinds
            raise UserError(
                f"cannot look into {self.uri}: {_one_line(error)}; {self._backend.reading_remedy}"
            ) from error


class _Backend(Protocol):
    remedy: str  # what a person does about storage that cannot be written
    reading_remedy: str  # and about one that cannot be looked into

    def read(self, path: str) -> bytes: ...
    def write(self, path: str, content: bytes) -> None: ...
    def exists(self, path: str) -> bool: ...
    def list(self, prefix: str) -> list[str]: ...
    def folders(self) -> tuple[str, ...]: ...
    def sizes(self, prefix: str) -> dict[str, int]: ...
    def delete_prefix(self, prefix: str) -> None: ...
    def free_bytes(self) -> int | None: ...


class _Folder:
    remedy = "choose a writable folder with free space through --output"
    reading_remedy = "check that it is a folder you may read, or give another --output"

    def __init__(self, root: Path):
        self._root = root

    def read(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f"{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def exists(self, path: str) -> bool:
        return (self._root / path).is_file()

    def list(self, prefix: str) -> list[str]:
        return [
            Path(folder, name).relative_to(self._root).as_posix()
            for folder, _, names in os.walk(self._root / prefix)
            for name in names
            if not name.startswith(_TEMPORARY)
        ]

    def folders(self) -> tuple[str, ...]:
        if not self._root.is_dir():
            return ()
        return tuple(entry.name for entry in os.scandir(self._root) if entry.is_dir())

    def sizes(self, prefix: str) -> dict[str, int]:
        found = {}
        for path in self.list(prefix):
            with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                found[path] = (self._root / path).stat().st_size
        return found

    def delete_prefix(self, prefix: str) -> None:
        # A second process may be deleting the same folder: what counts is that nothing is left.
        shutil.rmtree(self._root / prefix, ignore_errors=True)
        if left := self.list(prefix):
            raise OSError(f"cannot delete {left[0]} in {self._root}")

    def free_bytes(self) -> int:
        existing = next(folder for folder in (self._root, *self._root.parents) if folder.exists())
        return shutil.disk_usage(existing).free


class _Bucket:
    remedy = "check the bucket's name, AWS_ENDPOINT_URL and the credentials' right to write"
    reading_remedy = "check the bucket's name, AWS_ENDPOINT_URL and the credentials"

    def __init__(self, uri: str):
        self._bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        retries: Any = {"max_attempts": 6, "mode": "standard"}
        return boto3.client("s3", config=Config(retries=retries, connect_timeout=10, read_timeout=60))

    @cached_property
    def _transfer(self) -> Any:
        from boto3.s3.transfer import TransferConfig

        return TransferConfig(multipart_threshold=_MULTIPART_BYTES, multipart_chunksize=_MULTIPART_BYTES)

    @cached_property
    def _encryption(self) -> dict[str, str]:
        return encryption_arguments(os.environ.get(ENCRYPTION_VARIABLE, ""))

    def read(self, path: str) -> bytes:
        from botocore.exceptions import ClientError
        from s3transfer.exceptions import RetriesExceededError

        key, content = self._prefix + path, io.BytesIO()
        try:
            self._client.download_fileobj(self._bucket, key, content, Config=self._transfer)
        except ClientError as error:
            if _is_absent(error):
                raise FileNotFoundError(f"s3://{self._bucket}/{key}") from error
            raise
        except RetriesExceededError as error:  # the connection broke again and again
            raise OSError(f"s3://{self._bucket}/{key}: {error}") from error
        return content.getvalue()

    def write(self, path: str, content: bytes) -> None:
        # A put is atomic in itself, and a multipart upload appears only when it is completed.
        self._client.upload_fileobj(
            io.BytesIO(content),
            self._bucket,
            self._prefix + path,
            ExtraArgs=self._encryption,
            Config=self._transfer,
        )

    def exists(self, path: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)
        except ClientError as error:
            if _is_absent(error):
                return False
            raise
        return True

    def list(self, prefix: str) -> list[str]:
        return list(self.sizes(prefix))

    def folders(self) -> tuple[str, ...]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
        )
        found = (item["Prefix"] for page in pages for item in page.get("CommonPrefixes", []))
        names = (prefix.removeprefix(self._prefix).rstrip("/") for prefix in found)
        return tuple(name for name in names if name)

    def sizes(self, prefix: str) -> dict[str, int]:
        start = f"{self._prefix}{prefix}/" if prefix else self._prefix
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=start)
        items = (item for page in pages for item in page.get("Contents", []))
        return {item["Key"].removeprefix(self._prefix): item["Size"] for item in items}

    def delete_prefix(self, prefix: str) -> None:
        keys = [{"Key": self._prefix + path} for path in self.list(prefix)]
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            batch = {"Objects": keys[start : start + _DELETE_AT_ONCE], "Quiet": True}
            answer = self._client.delete_objects(Bucket=self._bucket, Delete=batch)
            if errors := answer.get("Errors"):
                raise OSError(f"cannot delete {errors[0].get('Key')}: {errors[0].get('Message')}")

    def free_bytes(self) -> None:
        return None


def encryption_arguments(wanted: str) -> dict[str, str]:
    """What S3 is asked for with every object; nothing leaves it to the bucket's own default.

    Raises `UserError` for anything but AES256, aws:kms and aws:kms:KEY, a key's id, alias or ARN.
    """
    kind, key = ("aws:kms", wanted[8:]) if wanted.startswith("aws:kms:") else (wanted, "")
    if kind not in ("", "AES256", "aws:kms"):
        raise UserError(f"{ENCRYPTION_VARIABLE}={wanted!r}: give AES256, aws:kms or aws:kms:KEY")
    asked = {"ServerSideEncryption": kind, "SSEKMSKeyId": key}
    return {name: value for name, value in asked.items() if value}


def _checked(path: str) -> str:
    """The path without a trailing slash. Raises ValueError for one that could leave the storage."""
    path = path.rstrip("/")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"not a relative path inside the storage: {path!r}")
    return path


def _is_absent(error: Any) -> bool:
    return error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; some network file systems refuse, and then it is theirs to keep."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
