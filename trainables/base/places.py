"""A local folder or an `s3://` prefix behind one face, for the few things a corpus needs.

S3 goes through pyarrow.fs, which honours AWS_ENDPOINT_URL and the usual AWS settings. Every write is
atomic: a rename on a local disk, a finished upload on S3.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.base.errors import UserError
from trainables.base.s3_address import s3_address


@dataclass(frozen=True)
class Place:
    """`path` is a folder for a local place, "bucket/prefix" for an S3 one."""

    uri: str
    path: str
    filesystem: Any = None  # pyarrow.fs.FileSystem; None = this machine's disk

    @staticmethod
    def at(uri: str | Path) -> "Place":
        """The place that `uri` names; relative paths are taken from the current folder."""
        text = str(uri)
        address = s3_address(text, "cannot use")
        if address:
            return _s3_place(address)
        if "://" in text:
            raise UserError(f"cannot use {text}: give a local folder or s3://bucket/prefix")
        folder = str(Path(text).expanduser().absolute())
        return Place(uri=folder, path=folder)

    @property
    def folder(self) -> Path | None:
        """The local folder, None on S3."""
        return None if self.filesystem else Path(self.path)

    def read(self, name: str) -> bytes:
        """A small file's content; `FileNotFoundError` if there is none."""
        if self.folder:
            return (self.folder / name).read_bytes()
        try:
            with self.filesystem.open_input_stream(f"{self.path}/{name}") as stream:
                return stream.read()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unusable("read", error) from error

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        if self.folder:
            partial = self.folder / f"{name}.partial"
            partial.write_bytes(content)
            partial.replace(self.folder / name)
            return
        try:
            with self.filesystem.open_output_stream(f"{self.path}/{name}") as stream:
                stream.write(content)
        except OSError as error:
            raise self._unusable("write to", error) from error

    def delete(self, name: str) -> None:
        if self.folder:
            (self.folder / name).unlink(missing_ok=True)
        else:
            self.filesystem.delete_file(f"{self.path}/{name}")

    def take(self, file: Path, name: str) -> None:
        """Move a local file, which lies on the same disk if the place is local, here under `name`."""
        if self.folder:
            os.replace(file, self.folder / name)
            return
        self.put(file, name)
        file.unlink()

    def put(self, file: Path, name: str) -> None:
        """Copy a local file to S3 under `name`."""
        self._copy(str(file), None, f"{self.path}/{name}", self.filesystem)

    def fetch(self, name: str, file: Path) -> None:
        """Copy an S3 object to a local file."""
        self._copy(f"{self.path}/{name}", self.filesystem, str(file), None)

    def size(self, name: str) -> int | None:
        """Bytes of a file, None if there is none."""
        if self.folder:
            file = self.folder / name
            try:
                return file.stat().st_size if file.is_file() else None
            except OSError as error:
                raise UserError(
                    f"cannot look into {self.path[:200]}: {error.strerror}; check the path and its permissions"
                ) from error
        try:
            return self.filesystem.get_file_info(f"{self.path}/{name}").size
        except OSError as error:
            raise self._unusable("look into", error) from error

    def _copy(self, source: str, source_system: Any, target: str, target_system: Any) -> None:
        from pyarrow import fs

        local = fs.LocalFileSystem()
        try:
            fs.copy_files(
                source,
                target,
                source_filesystem=source_system or local,
                destination_filesystem=target_system or local,
            )
        except OSError as error:
            raise self._unusable("copy to or from", error) from error

    def _unusable(self, verb: str, error: OSError) -> UserError:
        reason = " ".join(str(error).split())
        return UserError(
            f"cannot {verb} {self.uri}: {reason}; check the bucket, AWS_ENDPOINT_URL and credentials"
        )


def _s3_place(uri: str) -> Place:
    from pyarrow import fs

    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"cannot use {uri}: {reason}; give s3://bucket/prefix and check AWS_ENDPOINT_URL"
        ) from error
    return Place(uri=uri, path=path, filesystem=filesystem)
