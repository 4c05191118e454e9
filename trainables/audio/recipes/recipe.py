"""What a corpus recipe is; each lies in a file of its own, and recipes.py lists them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trainables.audio.corpus.listing import Listing
from trainables.audio.published.figures import Published

DEMO = "demo"
BUILT_IN = "builtin"  # what stands for the source of the demo corpus


@dataclass(frozen=True)
class Recipe:
    """How one kind of source becomes a corpus. `identity` is cheap; `list_source` reads headers.

    `published`: what papers report of its noisy input, for `prepare` to compare with.
    """

    list_source: Callable[[Path], Listing]
    identity: Callable[[Path], str]
    matches: Callable[[Path], bool] = lambda source: False  # does a folder look like this source?
    summary: str = field(kw_only=True)
    source: str = field(kw_only=True)  # what SOURCE means to it
    published: tuple[Published, ...] = field(default=(), kw_only=True)
