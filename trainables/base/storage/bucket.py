"""The S3 bucket behind a `Storage`; the one file of `trainables/` that uses boto3, imported at first use."""

import base64
import contextlib
import hashlib
import io
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from trainables.base.errors import UserError

ENCRYPTION_VARIABLE = "SPEECH_SWEEP_S3_ENCRYPTION"  # at rest: AES256, aws:kms or aws:kms:KEY
_MULTIPART_BYTES = 64 * 2**20  # larger objects travel in parts
_DELETE_AT_ONCE = 1000  # what one S3 request may delete
_AWS = re.compile(r"https://[^/]+\.amazonaws\.com(\.cn)?/?")
_CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")  # boto3's settings


class Bucket:
    """Objects below s3://bucket/prefix; methods as `Storage` describes them.

    A put is atomic, and a multipart upload appears only when it is completed. The key is what follows the bucket's
    name, character by character: nothing in it is decoded (a%20b) or has a meaning (?, #, +) but "/".
    """

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
        config = Config(retries=retries, connect_timeout=10, read_timeout=60)
        client = boto3.client("s3", config=config)
        return client if _AWS.fullmatch(client.meta.endpoint_url) else _for_other_servers(config)

    @cached_property
    def _transfer(self) -> Any:
        from boto3.s3.transfer import TransferConfig

        return TransferConfig(multipart_threshold=_MULTIPART_BYTES, multipart_chunksize=_MULTIPART_BYTES)

    @cached_property
    def _encryption(self) -> dict[str, str]:
        return encryption_arguments(os.environ.get(ENCRYPTION_VARIABLE, ""))

    def read(self, path: str) -> bytes:
        content = io.BytesIO()
        with self._downloading(path) as key:
            self._client.download_fileobj(self._bucket, key, content, Config=self._transfer)
        return content.getvalue()

    def write(self, path: str, content: bytes) -> None:
        self._client.upload_fileobj(io.BytesIO(content), *self._destination(path), **self._how_to_write())

    def create(self, path: str, content: bytes) -> None:
        from botocore.exceptions import ClientError

        if self.size(path) is not None:  # for servers that pass over the condition below
            raise FileExistsError(path)
        bucket, key = self._destination(path)
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*", **self._encryption)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
                raise FileExistsError(path) from error
            if code not in ("NotImplemented", "501"):
                raise
            self.write(path, content)

    def upload(self, file: Path, path: str) -> None:
        from boto3.exceptions import S3UploadFailedError

        try:
            self._client.upload_file(str(file), *self._destination(path), **self._how_to_write())
        except S3UploadFailedError as error:  # hides botocore's own error
            raise error.__context__ or error from None

    def move_in(self, file: Path, path: str) -> None:
        self.upload(file, path)
        file.unlink()

    def download(self, path: str, file: Path) -> None:
        with self._downloading(path) as key:
            self._client.download_file(self._bucket, key, str(file), Config=self._transfer)

    def size(self, path: str) -> int | None:
        from botocore.exceptions import ClientError

        try:
            return self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)["ContentLength"]
        except ClientError as error:
            if _is_absent(error):
                return None
            raise

    def sizes(self, prefix: str) -> dict[str, int]:
        files = (item for item in self._objects(prefix) if not item["Key"].endswith("/"))  # a console's empty folders
        return {item["Key"].removeprefix(self._prefix): item["Size"] for item in files}

    def folders(self) -> tuple[str, ...]:
        pages = self._pages(Prefix=self._prefix, Delimiter="/")
        found = (item["Prefix"] for page in pages for item in page.get("CommonPrefixes", []))
        names = (prefix.removeprefix(self._prefix).rstrip("/") for prefix in found)
        return tuple(name for name in names if name)

    def delete(self, path: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)

    def delete_prefix(self, prefix: str) -> None:
        keys = [{"Key": item["Key"]} for item in self._objects(prefix)]
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            batch = {"Objects": keys[start : start + _DELETE_AT_ONCE], "Quiet": True}
            answer = self._client.delete_objects(Bucket=self._bucket, Delete=batch)
            if errors := answer.get("Errors"):
                raise OSError(f"cannot delete {errors[0].get('Key')}: {errors[0].get('Message')}")

    def free_bytes(self) -> None:
        return None

    def _destination(self, path: str) -> tuple[str, str]:
        return self._bucket, self._prefix + path

    def _how_to_write(self) -> dict[str, Any]:
        return {"ExtraArgs": self._encryption, "Config": self._transfer}

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        start = f"{self._prefix}{prefix}/" if prefix else self._prefix
        return (item for page in self._pages(Prefix=start) for item in page.get("Contents", []))

    def _pages(self, **what: str) -> Any:
        return self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **what)

    @contextlib.contextmanager
    def _downloading(self, path: str) -> Iterator[str]:
        """Yields the key; an absent object is a FileNotFoundError, a connection that keeps breaking an OSError."""
        from botocore.exceptions import ClientError
        from s3transfer.exceptions import RetriesExceededError

        key = self._prefix + path
        try:
            yield key
        except ClientError as error:
            if _is_absent(error):
                raise FileNotFoundError(f"s3://{self._bucket}/{key}") from error
            raise
        except RetriesExceededError as error:
            raise OSError(f"s3://{self._bucket}/{key}: {error}") from error


def _for_other_servers(config: Any) -> Any:
    """A client for what is not AWS: many such servers know no checksums but Content-MD5, which AWS dropped.

    Where the user has set how boto3 uses checksums, in the environment or in the profile, that counts.
    """
    import boto3
    import botocore.session
    from botocore.config import Config

    asked = {name for name in _CHECKSUMS if os.environ.get(f"AWS_{name.upper()}")}
    asked |= set(_CHECKSUMS) & set(botocore.session.get_session().get_scoped_config())
    wanted: Any = dict.fromkeys((name for name in _CHECKSUMS if name not in asked), "when_required")
    client = boto3.client("s3", config=config.merge(Config(**wanted)))
    if not asked:
        client.meta.events.register("before-sign.s3.DeleteObjects", _with_content_md5)
    return client


def _with_content_md5(request: Any, **about: Any) -> None:
    for name in [name for name in request.headers if "checksum" in name.lower()]:
        del request.headers[name]
    digest = hashlib.md5(request.body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()


def encryption_arguments(wanted: str) -> dict[str, str]:
    """What S3 is asked for with every object; nothing leaves it to the bucket's own default.

    Raises:
        UserError: anything but AES256, aws:kms and aws:kms:KEY (a key's id, alias or ARN).
    """
    kind, key = ("aws:kms", wanted[8:]) if wanted.startswith("aws:kms:") else (wanted, "")
    if kind not in ("", "AES256", "aws:kms"):
        raise UserError(f"{ENCRYPTION_VARIABLE}={wanted!r}: give AES256, aws:kms or aws:kms:KEY")
    asked = {"ServerSideEncryption": kind, "SSEKMSKeyId": key}
    return {name: value for name, value in asked.items() if value}


def _is_absent(error: Any) -> bool:
    return error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound")
