"""A group's clips as one self-contained page: audio, spectrograms and scores, with players that switch in place.

The file holds everything (16-bit FLAC and PNG as base64, no external script), so it opens from a disk, from MLflow's
artifacts or from an e-mail. Clips that would make it too large are left out, and the page says so.
"""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np

from sweep.report.listening.clips import ListeningClip, Version
from sweep.report.listening.spectrogram import picture, power_db
from sweep.report.pages import html_page
from trainables.metrics.catalogue import METRICS

LARGEST_PAGE = 10 * 10**6  # bytes

_LEVELS = (
    "Levels are matched: each version is scaled so that its speech is as loud as the clean speech, then all "
    "versions of a clip by one gain to full scale. Spectrograms of a clip share one colour scale "
    "(70 dB, 0 to {highest:g} kHz)."
)
_KEYS = (
    "<kbd>space</kbd> plays and pauses, <kbd>1</kbd> <kbd>2</kbd> … switch the version at the same moment, "
    "<kbd>←</kbd> <kbd>→</kbd> move by half a second, <kbd>↑</kbd> <kbd>↓</kbd> go to the next clip."
)


def listening_page(
    title: str, introduction: Sequence[str], clips: Sequence[ListeningClip], largest: int = LARGEST_PAGE
) -> str:
    """HTML; `introduction` are sentences of plain text, `largest` is in bytes. The first clip is always included."""
    cards: list[str] = []
    for clip in clips:
        card = _card(clip, len(cards))
        if cards and sum(map(len, cards)) + len(card) > largest:
            break
        cards.append(card)
    levels = _LEVELS.format(highest=clips[0].sample_rate / 2000)
    left_out = len(clips) - len(cards)
    remark = f" {left_out} more clips were left out to keep the page small." if left_out else ""
    body = f"""{"".join(f"<p>{escape(line)}</p>" for line in introduction)}
<p class="quiet">{levels}{remark}</p>
<p class="quiet">{_KEYS}</p>
{"".join(cards)}"""
    return html_page(title, ("page.css", "listening.css"), body, "listening.js")


def _card(clip: ListeningClip, number: int) -> str:
    decibels = [power_db(version.audio, clip.sample_rate) for version in clip.versions]
    brightest = float(max(each.max() for each in decibels))
    pictures = [picture(each, brightest) for each in decibels]
    buttons = [
        _button(version, f"clip{number}-{place}", place, png)
        for place, (version, png) in enumerate(zip(clip.versions, pictures, strict=True))
    ]
    sounds = [
        f'<audio id="clip{number}-{place}" preload="auto" src="{_flac(version, clip.sample_rate)}"></audio>'
        for place, version in enumerate(clip.versions)
    ]
    return f"""<section class="clip">
<header><h2>{escape(clip.title)}</h2><span class="quiet">{escape(clip.detail)}</span></header>
<div class="transport"><button type="button" aria-label="play">▶</button>
<input type="range" min="0" max="1" step="any" value="0" aria-label="position"><output></output></div>
<div class="versions">{"".join(buttons)}</div>
{"".join(sounds)}
</section>
"""


def _button(version: Version, audio: str, place: int, png: bytes) -> str:
    label = escape(version.label)
    return f"""<button type="button" class="version" data-audio="{audio}" aria-pressed="false">
<span class="name"><kbd>{place + 1}</kbd>{label}<small class="{version.standing}">{version.standing}</small></span>
<span class="picture"><img alt="spectrogram, {label}" src="{_embedded("image/png", png)}"><i></i></span>
<span class="scores">{_scores(version)}</span>
</button>
"""


def _scores(version: Version) -> str:
    parts = []
    for metric, value in version.scores.items():
        info = METRICS[metric]
        digits = 1 if info.unit == "dB" else 2
        name = info.title.removesuffix(f" ({info.unit})")
        parts.append(f"<b><span>{name}</span> {value:.{digits}f}{f' {info.unit}' if info.unit else ''}</b>")
    return "".join(parts)


def _flac(version: Version, sample_rate: int) -> str:
    import soundfile

    file = io.BytesIO()
    samples = np.clip(version.audio, -1, 1)
    soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return _embedded("audio/flac", file.getvalue())


def _embedded(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
