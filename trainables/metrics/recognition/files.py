"""Whether a folder holds a CTC recogniser that can serve, from its small files alone; torch-free.

As `transformers` saves one: config.json with a ForCTC architecture, the weights, vocab.json, and
preprocessor_config.json (or processor_config.json), which says how it wants its audio.
"""

import json
from pathlib import Path
from typing import Any

from trainables.base.errors import UserError
from trainables.base.paths import shown
from trainables.base.published.files import CONFIG_FILE, PREPROCESSOR_FILE, weights_of
from trainables.base.user_path import user_path

SAMPLE_RATE = 16000  # Hz
VOCABULARY = "vocab.json"
_PROCESSOR = "processor_config.json"
# What is fetched of a recogniser elsewhere, where it has it.
OPTIONAL = (
    *(VOCABULARY, PREPROCESSOR_FILE, _PROCESSOR),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)


def require_recogniser(place: str | Path) -> Path:
    """The folder itself. Raises `UserError` where it holds no CTC recogniser of audio at 16 kHz."""
    folder = user_path(place)
    if not folder.is_dir():
        raise UserError(f"{shown(folder)}: is no folder; give that of a CTC model as `transformers` saves it")
    config = _read(folder, CONFIG_FILE, "the folder of a CTC model as `transformers` saves it")
    architectures = config.get("architectures") or ["a model of no name"]
    if not any(str(name).endswith("ForCTC") for name in architectures):
        raise UserError(
            f"{shown(folder)}: holds {', '.join(map(str, architectures))}, which has no CTC head and reads nothing; "
            "give a model fine-tuned for recognition, such as facebook/wav2vec2-base-960h"
        )
    vocabulary = _read(folder, VOCABULARY, "a CTC model with its vocabulary")
    if not vocabulary:
        raise UserError(f"{shown(folder / VOCABULARY)}: is empty; give a CTC model with its vocabulary")
    audio = _audio_settings(folder)
    if audio.get("sampling_rate", SAMPLE_RATE) != SAMPLE_RATE:
        raise UserError(f"{shown(folder)}: reads audio at {audio['sampling_rate']} Hz; give one for {SAMPLE_RATE} Hz")
    weights_of(folder)
    return folder


def _audio_settings(folder: Path) -> dict[str, Any]:
    """How the model wants its audio."""
    if (folder / _PROCESSOR).is_file():
        audio = _read(folder, _PROCESSOR, "").get("feature_extractor")
        if isinstance(audio, dict):
            return audio
    return _read(folder, PREPROCESSOR_FILE, "a CTC model with it: whether to normalize the audio is in there")


def _read(folder: Path, name: str, remedy: str) -> dict[str, Any]:
    path = folder / name
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{shown(folder)}: holds no {name}; give {remedy}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{shown(path)}: cannot be read as JSON ({type(error).__name__}); restore it") from error
    if not isinstance(content, dict):
        raise UserError(f"{shown(path)}: is no JSON object; restore it")
    return content
