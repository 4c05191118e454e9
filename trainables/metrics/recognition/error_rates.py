"""Word and character error rates of a recogniser's reading of the estimate, in percent (by `jiwer`).

    100 (substitutions + deletions + insertions) / units of the reference

A value is an utterance's own rate, weighted by the units of its reference: the weighted mean over a test set is the
corpus-level rate that papers give, all errors over all words. Against the transcript, or, where there is none, against
the recogniser's own reading of the clean clip, which says how much of what it understood is kept.

Before they are compared both texts are put into one form (`normalized`): composed (NFKC), upper-case, apostrophes
within words kept, all other punctuation a space. Numbers stay as they are written. Spaces count as characters.
"""

import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from trainables.metrics import Unscorable, Weighted

if TYPE_CHECKING:
    from jiwer import CharacterOutput, WordOutput

    from trainables.metrics.recognition.recogniser import Recogniser

_EDGE_APOSTROPHE = re.compile(r"(?<!\S)'+|'+(?!\S)")


def wer(
    reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: "Recogniser", text: str | None
) -> Weighted:
    """Of the words of the transcript `text`. Raises Unscorable("no_transcript"), ("empty_reference"), ("too_short")."""
    return _of_words(_transcript(text), model(estimate))


def cer(
    reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: "Recogniser", text: str | None
) -> Weighted:
    """Of the characters of the transcript `text`; raises as `wer`."""
    return _of_characters(_transcript(text), model(estimate))


def wer_own(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: "Recogniser") -> Weighted:
    """Of the words that the recogniser reads in the clean reference; raises as `wer`."""
    return _of_words(model(reference), model(estimate))


def cer_own(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: "Recogniser") -> Weighted:
    """Of the characters that the recogniser reads in the clean reference; raises as `wer`."""
    return _of_characters(model(reference), model(estimate))


def normalized(text: str) -> str:
    """Upper-case words with single spaces between them."""
    composed = unicodedata.normalize("NFKC", text).replace("\u2019", "'").upper()
    kept = "".join(each if each == "'" or unicodedata.category(each)[0] in "LMN" else " " for each in composed)
    return " ".join(_EDGE_APOSTROPHE.sub(" ", kept).split())


def _transcript(text: str | None) -> str:
    if text is None:
        raise Unscorable("no_transcript")
    return text


def _of_words(reference: str, reading: str) -> Weighted:
    import jiwer

    return _rate(jiwer.process_words(_spoken(reference), normalized(reading)))


def _of_characters(reference: str, reading: str) -> Weighted:
    import jiwer

    return _rate(jiwer.process_characters(_spoken(reference), normalized(reading)))


def _spoken(reference: str) -> str:
    """Normalized, and not empty: of no words there is no rate."""
    spoken = normalized(reference)
    if not spoken:
        raise Unscorable("empty_reference")
    return spoken


def _rate(found: "WordOutput | CharacterOutput") -> Weighted:
    units = found.hits + found.substitutions + found.deletions
    return Weighted(100 * (found.substitutions + found.deletions + found.insertions) / units, units)
