"""The `voicebank-demand` recipes: the public pairs of Valentini et al. (2016), 48 kHz originals or a 16 kHz copy.

    clean_trainset_28spk_wav/p226_001.wav    noisy_trainset_28spk_wav/p226_001.wav    11,572 pairs
    clean_trainset_56spk_wav/                noisy_trainset_56spk_wav/                23,075 pairs
    clean_testset_wav/                       noisy_testset_wav/                          824 pairs
    trainset_28spk_txt/p226_001.txt          testset_txt/      what is said, if you unpack it, too

Folder names may end in _16k or _16kHz. The 28- and the 56-speaker training sets are two recipes and are
never mixed. There is no official validation set: p226 and p287 of the 28 speakers are held out, as is usual;
of the 56, which hold neither, the two that a stable hash names. The 824 test pairs are never touched.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from trainables.audio.corpus.audio_folders import find_audio
from trainables.audio.corpus.listing import Listing, digest, require_answerable
from trainables.audio.published.figures import Published
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import Recording, by_stem, file_facts, headers_of, pairs
from trainables.base.errors import UserError

VERSION = 1  # raise it when the same files would give another corpus
HELD_OUT = ("p226", "p287")
_ENDINGS = ("", "_16k", "_16kHz")


@dataclass(frozen=True)
class TrainingSet:
    """One of the two public training sets, and how many pairs it and the test set hold."""

    speakers: int
    pairs: int
    test_pairs: int = 824


SPEAKERS_28 = TrainingSet(speakers=28, pairs=11_572)
SPEAKERS_56 = TrainingSet(speakers=56, pairs=23_075)
PUBLISHED = Published(
    scores={
        "wb_pesq": "1.97",
        "stoi": "0.92",
        "csig": "3.35",
        "cbak": "2.44",
        "covl": "2.63",
        "segsnr": "1.68",
        "si_sdr": "8.4",
    },
    source="Pascual et al. 2017; SI-SDR: Richter et al. 2023; STOI: as most papers",
    hours="0.6",
    speakers=frozenset({"p232", "p257"}),
)


def matches(source: Path, training: TrainingSet) -> bool:
    """Does the source hold that training set's clean folder?"""
    return _find(source, "clean", _train_name(training)) is not None


def identity(source: Path, training: TrainingSet) -> str:
    """A hash of paths, sizes and times of change, found without opening a file."""
    folders = [_find(source, kind, name) for name in _names(training) for kind in ("clean", "noisy")]
    files = [path for folder in folders if folder for path in find_audio(folder)]
    files += [path for name in _names(training) for path in sorted(_texts(source, name).values())]
    return digest(["voicebank-demand", training.speakers, VERSION, file_facts(source, files)])


def list_source(source: Path, training: TrainingSet = SPEAKERS_28) -> Listing:
    """Every pair, from headers only.

    Raises:
        UserError: a folder is missing, a pair is incomplete or of two lengths, or the counts are not the
            published ones.
    """
    if not source.is_dir():
        raise UserError(f"no folder at {source}: check the path; it should hold {_layout(training)}")
    train_name, test_name = _names(training)
    train = _pairs(source, train_name, training.pairs, training)
    test = _pairs(source, test_name, training.test_pairs, training)
    held_out = _held_out({each.owner for each in train})
    placed = [replace(each, split="valid" if each.owner in held_out else "train") for each in train]
    placed += [replace(each, split="test") for each in test]
    noisy = {each.id: path for each, path in (train | test).items()}
    listing = pairs(headers_of(placed, noisy.values()), noisy, identity(source, training), "unpack both archives again")
    require_answerable(listing, str(source))
    return listing


def _pairs(source: Path, name: str, expected: int, training: TrainingSet) -> dict[Recording, Path]:
    """Clean recordings, with ids such as "trainset/p226_001", and the noisy file of each."""
    clean, noisy = (_folder(source, kind, name, training) for kind in ("clean", "noisy"))
    clean_files, noisy_files = (by_stem(find_audio(folder)) for folder in (clean, noisy))
    for lacking, present, folder in ((noisy_files, clean_files, noisy), (clean_files, noisy_files, clean)):
        for stem in sorted(present.keys() - lacking.keys()):
            raise UserError(f"{folder}: lacks {stem}.wav, whose partner is there: unpack the archive again")
    if len(clean_files) != expected:
        raise UserError(
            f"{clean}: holds {len(clean_files)} files, but the published set has {expected}: incomplete, or another "
            "set; unpack the archive again"
        )
    short, texts = name.split("_")[0], _texts(source, name)
    return {
        Recording(
            "paired", f"{short}/{stem}", stem.split("_")[0], clean_files[stem], text=_read(texts.get(stem))
        ): noisy_files[stem]
        for stem in sorted(clean_files)
    }


def _texts(source: Path, name: str) -> dict[str, Path]:
    """The files of transcripts by the stem of their recording; none where that archive is not unpacked."""
    return {path.stem: path for path in (source / name.replace("_wav", "_txt")).glob("*.txt")}


def _read(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return " ".join(path.read_text(encoding="utf-8-sig").split()) or None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text ({error}); unpack the archive again") from error


def _held_out(speakers: set[str]) -> set[str]:
    return set(HELD_OUT) if set(HELD_OUT) <= speakers else set(sorted(speakers, key=_hash)[:2])


def _hash(speaker: str) -> bytes:
    return hashlib.sha256(f"voicebank/{speaker}".encode()).digest()


def _names(training: TrainingSet) -> tuple[str, str]:
    return _train_name(training), "testset_wav"


def _train_name(training: TrainingSet) -> str:
    return f"trainset_{training.speakers}spk_wav"


def _find(source: Path, kind: str, name: str) -> Path | None:
    candidates = (source / f"{kind}_{name}{ending}" for ending in _ENDINGS)
    return next((folder for folder in candidates if folder.is_dir()), None)


def _folder(source: Path, kind: str, name: str, training: TrainingSet) -> Path:
    folder = _find(source, kind, name)
    if folder is None:
        raise UserError(f"{source}: holds no {kind}_{name}; it should hold {_layout(training)}")
    return folder


def _layout(training: TrainingSet) -> str:
    return ", ".join(f"{kind}_{name}" for name in _names(training) for kind in ("clean", "noisy"))


def _recipe(training: TrainingSet) -> Recipe:
    return Recipe(
        summary=f"VoiceBank-DEMAND, the {training.speakers}-speaker training set and the 824 test pairs",
        source=f"the folder that holds clean_ and noisy_trainset_{training.speakers}spk_wav and _testset_wav",
        list_source=partial(list_source, training=training),
        identity=partial(identity, training=training),
        matches=partial(matches, training=training),
        published=(PUBLISHED,),
    )


RECIPE, RECIPE_56 = _recipe(SPEAKERS_28), _recipe(SPEAKERS_56)
