"""Packages that add to speech-sweep, really installed: into a folder of their own that joins the module path."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search_spaces import find_space
from sweep.plan.code_version import training_code_fingerprint
from tests.support import REPOSITORY
from trainables.base.plugins import forget_packages

TOY_SOURCE = REPOSITORY / "tests" / "support" / "toy_package"


def install(source: Path, target: Path) -> Path:
    """`pip install` the package in `source` into `target`, offline; building leaves no trace in the source."""
    copy = shutil.copytree(source, target.with_name(f"{target.name}-source"))
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--no-compile", "--quiet"]
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    subprocess.run([*pip, *flags, "--target", target, copy], check=True, capture_output=True, text=True)
    return target


def join_path(folder: Path) -> None:
    """Know the packages of that folder in this process too, a worker of Ray's for one."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        forget_packages()


class ToyText:
    """Stands for a corpus: while it is used, the worker that unpickled it knows the toy package."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder, self.text = folder, text

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled_text, (self.folder, self.text)

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None:
        sys.path.remove(str(self.folder))  # the worker goes on to other tests
        _forget()


def _unpickled_text(folder: Path, text: str) -> ToyText:
    join_path(folder)
    return ToyText(folder, text)


@contextmanager
def on_path(folder: Path) -> Iterator[Path]:
    """Installed in this process, and for those started by `environment_with`."""
    join_path(folder)
    _forget()
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                del sys.modules[name]
        _forget()


def environment_with(folder: Path, **more: str) -> dict[str, str]:
    """For a process that has the folder's packages installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(folder)]), **more}


def _forget() -> None:
    forget_packages()
    find_space.cache_clear()
    training_code_fingerprint.cache_clear()
