"""Published models on this machine: from the hub's own cache, from S3 once per node, or in place."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from trainables.base.cache import LOCK_REMEDY, cache_folder
from trainables.base.errors import UserError
from trainables.base.locked import locked
from trainables.base.published.source import FILE_ENDINGS, hub_source, is_local
from trainables.base.storage.storage import InputStorage
from trainables.base.user_path import user_path
from trainables.base.weights_file import require_here

CONFIG_FILE = "config.json"
PREPROCESSOR_FILE = "preprocessor_config.json"  # not every model has one
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def local_files(source: str, optional: Sequence[str] = (PREPROCESSOR_FILE,), setting: str = "--set checkpoint") -> Path:
    """The folder of a `transformers` model, or the single file that the source names.

    Of a model elsewhere its configuration and weights are fetched, and those of `optional` that it has;
    `setting` is where the user has named it.

    Raises:
        UserError: it is absent and cannot be fetched; the message says how to get it and where to put it.
    """
    if is_local(source):
        return require_here(user_path(source))
    return _from_s3(source, optional) if source.startswith("s3://") else _from_hub(source, optional, setting)


def require_reachable(source: str) -> None:
    """Raise `UserError` for a path or an s3:// address without weights; the hub is not asked."""
    if is_local(source):
        require_here(user_path(source))
    elif source.startswith("s3://"):
        _place_in_s3(source)


def weights_of(folder: Path) -> Path:
    """The weights of a `transformers` model. Raises `UserError` if there are none."""
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder}: holds none of {', '.join(WEIGHT_FILES)}; give the folder of a whole model")


def _from_hub(source: str, optional: Sequence[str], setting: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    wanted = hub_source(source)

    def fetch(name: str) -> Path:
        try:
            return Path(hf_hub_download(wanted.repository, name, revision=wanted.revision))
        except LocalEntryNotFoundError as error:
            raise _unreachable(source, name, setting) from error
        except EntryNotFoundError:
            raise
        except (HfHubHTTPError, OSError) as error:
            raise _unreachable(source, name, setting) from error

    if wanted.file:
        return fetch(wanted.file)
    folder = fetch(CONFIG_FILE).parent
    for name in optional:
        with suppress(EntryNotFoundError, UserError):  # or not in an offline cache
            fetch(name)
    for name in WEIGHT_FILES:
        try:
            return fetch(name).parent
        except EntryNotFoundError:
            continue
    raise UserError(f"{source}: its repository holds none of {', '.join(WEIGHT_FILES)} at {folder.name}")


def _unreachable(source: str, name: str, setting: str) -> UserError:
    wanted = hub_source(source)
    revision = f" --revision {wanted.revision}" if wanted.revision else ""
    return UserError(
        f"checkpoint {source}: {name} is not in this machine's hub cache and the hub cannot be reached; where there "
        f"is a network: hf download {wanted.repository}{revision}, then copy that cache (HF_HOME), or give the "
        f"downloaded folder or file as {setting}=/path"
    )


def _from_s3(source: str, optional: Sequence[str]) -> Path:
    """A node's own copy in the cache folder; fetched once, under a lock, atomically."""
    single = source.endswith(FILE_ENDINGS)
    place, names = _place_in_s3(source, optional)
    folder = cache_folder() / "checkpoints" / hashlib.sha256(source.encode()).hexdigest()[:32]
    with locked(folder / ".lock", LOCK_REMEDY):
        for name in names:
            if not (folder / name).exists():
                place.download(name, folder / name)
    return folder / names[0] if single else folder


def _place_in_s3(source: str, optional: Sequence[str] = ()) -> tuple[InputStorage, list[str]]:
    """The folder there, and the names of the files to fetch. Raises `UserError` where one is absent."""
    base, _, name = source.rpartition("/")
    single = source.endswith(FILE_ENDINGS)
    place = InputStorage(base if single else source)
    names = [name] if single else _names_at(place, optional)
    for wanted in names:
        if place.size(wanted) is None:
            raise UserError(f"{place.uri}: there is no {wanted}; give the folder of a model, or one file")
    return place, names


def _names_at(place: InputStorage, optional: Sequence[str]) -> list[str]:
    weights = [name for name in WEIGHT_FILES if place.size(name) is not None]
    more = [name for name in optional if place.size(name) is not None]
    return [CONFIG_FILE, *more, *(weights[:1] or WEIGHT_FILES[:1])]
