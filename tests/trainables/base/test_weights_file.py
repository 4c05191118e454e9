"""A digest that follows the content of weights, and nothing else."""

import hashlib
import os
from pathlib import Path

from trainables.base.weights_file import content_digest


def test_a_file_is_its_sha_256(tmp_path: Path) -> None:
    file = tmp_path / "states.ckpt"
    file.write_bytes(b"weights" * 400_000)
    assert content_digest(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_touch_and_a_copy_change_nothing(tmp_path: Path) -> None:
    file, copy = tmp_path / "a.ckpt", tmp_path / "b.ckpt"
    for each in (file, copy):
        each.write_bytes(b"weights")
    before = content_digest(file)
    os.utime(file, ns=(1, 1))
    assert content_digest(file) == before == content_digest(copy)


def test_other_content_of_the_same_size_is_another_digest(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    file.write_bytes(b"weights")
    before = content_digest(file)
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(1, 1))
    assert content_digest(file) != before


def test_a_folder_is_its_files_and_their_names(tmp_path: Path) -> None:
    digests = set()
    for name, files in {"one": ("a", "b"), "renamed": ("a", "c"), "fewer": ("a",)}.items():
        folder = tmp_path / name
        folder.mkdir()
        for file in files:
            (folder / file).write_bytes(b"weights")
        digests.add(content_digest(folder))
    assert len(digests) == 3
