"""Reading weights that others pickled, without running any of their code.

Old s3prl checkpoints hold pickled optimizers and schedulers as well as tensors, asteroid's the scores of an evaluation.
Tensors and plain containers are rebuilt; every other class or function in the file becomes an inert object, whatever
it is called.
"""

import collections
import contextlib
import io
import pickle
import zipfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from trainables.base.errors import UserError

_TENSORS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")
_ALLOWED: dict[tuple[str, str], Any] = {
    **{("torch._utils", name): getattr(torch._utils, name) for name in _TENSORS},
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("argparse", "Namespace"): Namespace,
    **{("builtins", kind.__name__): kind for kind in (set, frozenset, bytearray, complex, slice)},
}


class Inert:
    """Stands for any object that is not allowed: takes everything, does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "Inert":
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> "Inert":
        return self

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        pass

    def extend(self, items: Any) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _ALLOWED.get((module, name), Inert)


def load_foreign(path: Path, content: bytes | None = None) -> Any:
    """The content of a torch checkpoint, tensors on the CPU; `content` are the file's bytes where they are read.

    Raises:
        UserError: the file cannot be read as a checkpoint of torch.
    """
    source = path if content is None else io.BytesIO(content)
    _refuse_script(path, source)
    with reading(path):
        return torch.load(source, map_location="cpu", pickle_module=_pickle_module(), weights_only=False)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Around a library's loader: a damaged file fails in many ways, all of which become one `UserError`."""
    try:
        yield
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(
            f"{path}: weights cannot be read ({reason}): truncated or of another kind; fetch the file again"
        ) from error


def _refuse_script(path: Path, source: Path | io.BytesIO) -> None:
    """torch.load would hand a TorchScript archive to another loader, which has no allow-list."""
    if zipfile.is_zipfile(source):
        with reading(path), zipfile.ZipFile(source) as archive:
            names = archive.namelist()
        if any(name.endswith("/constants.pkl") for name in names):
            raise UserError(f"{path}: a TorchScript archive, not a checkpoint; give the training checkpoint")
    if isinstance(source, io.BytesIO):
        source.seek(0)


def _pickle_module() -> ModuleType:
    """The interface of `pickle` that torch.load asks for, with the careful unpickler."""

    def load(file: Any, **options: Any) -> Any:
        return _Unpickler(file, **options).load()

    module = ModuleType("careful_pickle")
    vars(module).update(Unpickler=_Unpickler, load=load)
    return module
