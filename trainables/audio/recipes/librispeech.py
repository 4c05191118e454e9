"""The `librispeech` recipe: LibriSpeech (Panayotov et al., 2015) as published, and noises of your own.

    LibriSpeech/train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac and .trans.txt
    LibriSpeech/dev-clean/...      LibriSpeech/test-clean/...
    noise/<type>/*.wav|flac

train-* is for training, dev-* for valid, test-* for test; any of the seven subsets may be there, at least one
of each kind. Every utterance that a chapter's transcript lists must be there; what it says is kept. LibriSpeech
has no noise, so you add noises; a stable hash gives each type its split.
"""

from pathlib import Path

from trainables.audio.corpus.audio_folders import find_audio, left_out
from trainables.audio.corpus.listing import Listing, assign_splits, digest, require_answerable
from trainables.audio.recipes.duplicates import without_duplicates
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import Recording, by_stem, file_facts, headers_of, speech_and_noise
from trainables.audio.recipes.split_folders import split_folders
from trainables.base.errors import UserError

VERSION = 3  # raise it when the same files would give another corpus
ROOT = "LibriSpeech"
SUBSETS = {
    "train-clean-100": "train",
    "train-clean-360": "train",
    "train-other-500": "train",
    "dev-clean": "valid",
    "dev-other": "valid",
    "test-clean": "test",
    "test-other": "test",
}
LAYOUT = f"{ROOT}/train-clean-100/, {ROOT}/dev-clean/, {ROOT}/test-clean/ and noise/<type>/"


def matches(source: Path) -> bool:
    """Does the source hold one of LibriSpeech's subsets?"""
    return any((source / ROOT / subset).is_dir() for subset in SUBSETS)


def identity(source: Path) -> str:
    """A hash of paths, sizes and times of change, found without opening a file."""
    files = [*(path for folder in _subsets(source) for path in find_audio(folder)), *find_audio(source / "noise")]
    return digest(["librispeech", VERSION, file_facts(source, files)])


def list_source(source: Path) -> Listing:
    """Every utterance and noise, from headers and transcripts only.

    Raises:
        UserError: no such layout, an utterance of a transcript is missing, a file lies where none belongs, a
            split has no subset, or there are no noises.
    """
    if not matches(source):
        raise UserError(f"{source} holds no LibriSpeech: it should hold {LAYOUT}")
    utterances = [each for folder in _subsets(source) for each in _utterances(folder)]
    noises, notes = without_duplicates(headers_of(_noises(source)))
    notes += left_out(source / "noise")
    listing = speech_and_noise({**headers_of(utterances), **noises}, identity(source), notes)
    require_answerable(listing, str(source))
    return listing


def _subsets(source: Path) -> list[Path]:
    return [source / ROOT / name for name in SUBSETS if (source / ROOT / name).is_dir()]


def _utterances(subset: Path) -> list[Recording]:
    found = by_stem(find_audio(subset))
    texts = _transcripts(subset)
    for name in sorted(texts.keys() - found.keys()):
        raise UserError(f"{subset}: {name}.flac is in a transcript but not there: unpack {subset.name} again")
    rows = []
    for name, path in sorted(found.items()):
        speaker, chapter = path.parent.parent.name, path.parent.name
        if not name.startswith(f"{speaker}-{chapter}-"):
            raise UserError(f"{path}: does not belong there; the layout is <speaker>/<chapter>/<speaker>-<chapter>-*")
        rows.append(Recording("speech", f"{subset.name}/{name}", speaker, path, SUBSETS[subset.name], texts.get(name)))
    if not rows:
        raise UserError(f"{subset}: holds no .flac file: unpack it again, or remove the folder")
    return rows


def _transcripts(subset: Path) -> dict[str, str | None]:
    """Id -> what is said, of every utterance that the subset's transcripts list."""
    transcripts = sorted(subset.glob("*/*/*.trans.txt"))
    if not transcripts:
        raise UserError(f"{subset}: holds no transcript (*.trans.txt), so it cannot be checked: unpack it again")
    lines = (line for path in transcripts for line in path.read_text(encoding="utf-8").splitlines())
    named = (line.strip().partition(" ") for line in lines if line.strip())
    return {name: text.strip() or None for name, _, text in named}


def _noises(source: Path) -> list[Recording]:
    folder = source / "noise"
    files = find_audio(folder)
    if not files:
        raise UserError(f"{folder}: no noises there; LibriSpeech has none: add noise/<type>/*.wav of your own")
    if split_folders(folder, files, ""):
        raise UserError(
            f"{folder}: its folders are named after splits; noises are split here: give noise/<type>/ alone"
        )
    owners = {path: path.relative_to(folder).parts[0] for path in files}
    loose = [path for path in files if path.parent == folder]
    if loose:
        raise UserError(f"{loose[0]}: lies outside a folder of its noise type; move it to noise/<type>/")
    split_of = assign_splits(set(owners.values()), "noise", str(folder))
    names = {path: path.relative_to(folder).with_suffix("").as_posix() for path in files}
    return [Recording("noise", names[path], owners[path], path, split_of[owners[path]]) for path in files]


RECIPE = Recipe(
    list_source,
    identity,
    matches,
    summary="LibriSpeech as published, mixed with noises of your own",
    source=f"the folder that holds {LAYOUT}",
)
