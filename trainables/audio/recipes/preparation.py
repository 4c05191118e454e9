"""What `--corpus SOURCE` means: a prepared corpus, or a raw source that is prepared once into the cache.

open_or_prepare("s3://bucket/voices")     a prepared corpus: opened
open_or_prepare("~/recordings")           a folder in the `folder` recipe's layout: prepared once, cached
open_or_prepare("demo")                   the built-in synthetic corpus: made once, cached
"""

from pathlib import Path
from typing import Any

from trainables.audio.corpus.corpus import CORPUS_FILE, Corpus, read_description
from trainables.audio.corpus.corpus_writer import Progress, write_corpus
from trainables.audio.corpus.listing import summarise
from trainables.audio.recipes import folder as folder_recipe
from trainables.audio.recipes.demo import demo_corpus
from trainables.audio.recipes.recipe import BUILT_IN, DEMO
from trainables.audio.recipes.recipes import RECIPES
from trainables.base.cache import cache_folder
from trainables.base.errors import UserError
from trainables.base.storage.storage import InputStorage


def open_or_prepare(source: str | Path, cache: str | Path | None = None, progress: Progress | None = None) -> Corpus:
    """The corpus that `--corpus SOURCE` means, prepared into the cache first if it is raw.

    A raw folder is identified by its paths, sizes and times of change, so a changed one is prepared again.

    Raises:
        UserError: nothing usable there; one line says what, where and what to do.
    """
    recipe, place = _recognise(source)
    if recipe is None:
        return Corpus.open(place.uri, cache)
    target = _cached_target(recipe, place, cache)
    if (target / CORPUS_FILE).is_file():
        return Corpus.open(target, cache)
    return write_corpus(RECIPES[recipe].list_source(Path(place.uri)), target, progress, cache)


def inspect_source(source: str | Path, cache: str | Path | None = None) -> dict[str, Any]:
    """What `open_or_prepare` would give, read from headers: `Corpus.summary()` plus "uri", "prepared".

    `fingerprint` is None until the corpus is prepared.

    Raises:
        UserError: anything that is wrong and shows without decoding all audio.
    """
    recipe, place = _recognise(source)
    if recipe:
        target = _cached_target(recipe, place, cache)
        if not (target / CORPUS_FILE).is_file():
            return {**_expected(recipe, place), "fingerprint": None, "uri": str(target), "prepared": False}
        place = InputStorage(target)
    description = read_description(place)
    return {**description["summary"], "fingerprint": description["fingerprint"], "uri": place.uri, "prepared": True}


def _recognise(source: str | Path) -> tuple[str | None, InputStorage]:
    """The recipe a source needs, None if it is prepared already, and its place."""
    if str(source) == DEMO:
        return DEMO, InputStorage(BUILT_IN)
    place = InputStorage(source)
    if place.folder is None or place.size(CORPUS_FILE) is not None:
        return None, place
    if not place.folder.is_dir():
        raise UserError(
            f"no corpus at {place.folder}: give a folder on this machine, an s3:// prefix with a prepared "
            f"corpus, or {DEMO}"
        )
    # A published layout may have noise/ next to it, so `folder` is tried last.
    for name, recipe in sorted(RECIPES.usable().items(), key=lambda item: item[0] == "folder"):
        if recipe.matches(place.folder):
            return name, place
    raise UserError(f"{place.folder} holds neither {CORPUS_FILE} nor recordings; it should hold {folder_recipe.LAYOUT}")


def _cached_target(recipe: str, place: InputStorage, cache: str | Path | None) -> Path:
    identity = RECIPES[recipe].identity(Path(place.uri))
    return cache_folder(cache) / "prepared" / f"{recipe}-{identity}"


def _expected(recipe: str, place: InputStorage) -> dict[str, Any]:
    """Before preparation: counted from headers; the demo, which has none, knows its own numbers."""
    if recipe == DEMO:
        return demo_corpus.expected_summary()
    return summarise(RECIPES[recipe].list_source(Path(place.uri)))
