"""The built-in `demo` corpus: synthetic voices and noises, made here in seconds, nothing downloaded.

118 speakers of espeak-ng in three splits, 60 of them in test, read for about 35 minutes; noises are synthesised, one of
them babble by voices that speak nowhere else. It sounds robotic, but quality scores order correctly with SNR. It is
synthetic and says so: scores on it are for trying the tool out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import to_16_khz
from trainables.audio.corpus.listing import SPLITS, Item, Listing, digest, summarise
from trainables.audio.corpus.shards import SAMPLE_RATE
from trainables.audio.levels import power
from trainables.audio.recipes.demo import demo_noise, demo_voices, espeak
from trainables.audio.recipes.demo.demo_voices import Speaker
from trainables.audio.recipes.recipe import BUILT_IN, DEMO, Recipe
from trainables.base.errors import UserError
from trainables.base.randomness import generator

VERSION = 5  # raise it whenever a change here, or in the voices and noises, changes the corpus

_UTTERANCES = {"train": 13, "valid": 2, "test": 2}  # per speaker
_RECORDINGS = {"train": 6, "valid": 4, "test": 4}  # per noise type
_NOISE_SECONDS = 10.0
_SENTENCE_SECONDS = 3.2  # about, for the plan before anything is made
_NOTE = "synthetic voices (espeak-ng) and synthesised noises: scores on them are for trying the tool out"

Sound = NDArray[np.int16]


@dataclass(frozen=True)
class _Line:
    """One utterance of the script."""

    split: str
    speaker: Speaker
    number: int
    text: str

    @property
    def id(self) -> str:
        return f"{self.speaker.name}/{self.number:03d}"


def identity() -> str:
    return digest(["demo", VERSION])


def expected_summary() -> dict[str, Any]:
    """The corpus's summary before it is made; speech lengths are estimates."""
    _require_espeak()
    spoken = [_item(line, round(line.text.count(".") * _SENTENCE_SECONDS * SAMPLE_RATE)) for line in _script()]
    return summarise(_listing({item: np.zeros(0, np.int16) for item in [*spoken, *_noise_items()]}))


def list_demo() -> Listing:
    """The whole corpus, synthesised: the same bits every time on a machine.

    Raises:
        UserError: espeak-ng is not installed, or is another version without these voices.
    """
    _require_espeak()
    crowd = [_Line("crowd", speaker, 0, _monologue(speaker)) for speaker in demo_voices.speakers("crowd")]
    script = _script()
    lines = [*script, *crowd]
    try:
        sounds = espeak.speak([line.speaker.says(line.text) for line in lines])
    except RuntimeError as error:
        raise UserError(f"the demo corpus cannot be made: {error}; {_REMEDY}") from error
    spoken = [_at_level(sound, line.speaker.level) for sound, line in zip(sounds, lines, strict=True)]
    rows = {_item(line, len(sound)): sound for line, sound in zip(script, spoken, strict=False)}
    babble = demo_noise.babble([voice.astype(np.float64) for voice in spoken[len(script) :]])
    return _listing({**rows, **_noises(babble)})


_REMEDY = 'pip install ".[demo]" in the repository, or give your own recordings with --corpus'


def _require_espeak() -> None:
    if not espeak.is_installed():
        raise UserError(f"the demo corpus needs espeak-ng, which is not installed: {_REMEDY}")


def _listing(rows: dict[Item, Sound]) -> Listing:
    return Listing(
        kind="speech+noise",
        items=tuple(rows),
        load=lambda item: {"audio": rows[item]},
        identity=identity(),
        notes=(_NOTE,),
        synthetic=True,
    )


# -- speech -----------------------------------------------------------------------------------------------


def _script() -> list[_Line]:
    return [
        _Line(split, speaker, number, text)
        for split in SPLITS
        for speaker in demo_voices.speakers(split)
        for number, text in enumerate(demo_voices.script(speaker, split, _UTTERANCES[split]))
    ]


def _monologue(speaker: Speaker) -> str:
    return " ".join(demo_voices.script(speaker, "train", 3))


def _item(line: _Line, samples: int) -> Item:
    return Item(part="speech", id=line.id, owner=line.speaker.name, split=line.split, samples=samples)


def _at_level(sound: Sound, level: float) -> Sound:
    """22.05 kHz -> 16 kHz at `level` dBFS (RMS), or as near as full scale allows."""
    samples = sound / 32768
    gain = 10 ** (level / 20) / np.sqrt(power(samples))
    return to_16_khz(samples * min(gain, 0.9 / np.abs(samples).max()), espeak.RATE)


# -- noise ------------------------------------------------------------------------------------------------


def _noise_items() -> list[Item]:
    samples = round(_NOISE_SECONDS * SAMPLE_RATE)
    return [
        Item(part="noise", id=f"{name}/{number:03d}", owner=name, split=split, samples=samples)
        for split in SPLITS
        for name in demo_noise.TYPES[split]
        for number in range(_RECORDINGS[split])
    ]


def _noises(babble: demo_noise.Generator) -> dict[Item, Sound]:
    return {item: _noise(item, demo_noise.GENERATORS.get(item.owner, babble)) for item in _noise_items()}


def _noise(item: Item, generate: demo_noise.Generator) -> Sound:
    samples = generate(generator(0, "demo noise", item.id), item.samples)
    return to_16_khz(0.5 * samples / np.abs(samples).max(), SAMPLE_RATE)


def _list_source(source: Path) -> Listing:
    if source.name != BUILT_IN:
        raise UserError(f"recipe {DEMO} has no source but {BUILT_IN!r}: give that word in place of {source.name!r}")
    return list_demo()


RECIPE = Recipe(
    summary="the built-in synthetic corpus: espeak-ng voices and synthesised noises, no download",
    source=f"the word {BUILT_IN}",
    list_source=_list_source,
    identity=lambda source: identity(),
)
