"""A folder of files all on one level: speech-<speaker>-<take>.wav and noise-<type>-<take>.wav."""

from pathlib import Path

from trainables.audio.corpus.audio_files import read_audio, read_header
from trainables.audio.corpus.audio_folders import find_audio
from trainables.audio.corpus.listing import Item, Listing, assign_splits, digest
from trainables.audio.recipes.recipe import Recipe


def matches(source: Path) -> bool:
    return any(source.glob("speech-*.wav")) and any(source.glob("noise-*.wav"))


def identity(source: Path) -> str:
    return digest([[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in find_audio(source)])


def list_source(source: Path) -> Listing:
    items: dict[Item, Path] = {}
    for part in ("speech", "noise"):
        paths = sorted(source.glob(f"{part}-*.wav"))
        split = assign_splits({path.stem.split("-")[1] for path in paths}, part, str(source))
        for path in paths:
            owner = path.stem.split("-")[1]
            items[Item(part, path.stem, owner, split[owner], read_header(path).samples)] = path
    return Listing(
        kind="speech+noise",
        items=tuple(items),
        load=lambda item: {"audio": read_audio(items[item])},
        identity=identity(source),
    )


RECIPE = Recipe(
    summary="files all on one level: speech-<speaker>-<take>.wav and noise-<type>-<take>.wav",
    source="the folder that holds them",
    list_source=list_source,
    identity=identity,
    matches=matches,
)
