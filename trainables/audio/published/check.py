"""The check of a prepared corpus against published figures, and what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainables.audio.corpus.corpus import Corpus
from trainables.audio.published.causes import HARMLESS, Cause, likely_causes
from trainables.audio.published.comparison import CONFIDENCE, ROWS, Compared, Comparison, Progress, compare, figures_for
from trainables.audio.published.evidence import look
from trainables.audio.published.figures import Published
from trainables.metrics.catalogue import METRICS


@dataclass(frozen=True)
class Checked:
    """A corpus against its published figures."""

    comparison: Comparison
    published: Published
    causes: tuple[Cause, ...]

    @property
    def differs(self) -> bool:
        """In a score, or by what the audio itself shows."""
        return bool(self.causes) or not self.comparison.agrees

    def lines(self) -> Iterator[str]:
        """The figures, one a line."""
        found = self.comparison
        yield (
            f"noisy input of {found.split}, {len(found.drawn)} of {found.of} rows, against published figures "
            f"({self.published.source}):"
        )
        titles = [METRICS[figure.metric].title for figure in found.figures]
        for title, figure in zip(titles, found.figures, strict=True):
            yield f"  {title:{max(map(len, titles))}}  {_cells(figure)}"
        if not self.differs:
            yield f"  as published: each figure is within what {len(found.drawn)} rows say ({CONFIDENCE:.0%} for all)"

    def warnings(self) -> Iterator[str]:
        """Nothing where it agrees; else one line a cause, the likeliest first."""
        if not self.differs:
            return
        names = ", ".join(METRICS[figure.metric].title for figure in self.comparison.figures if not figure.agrees)
        what = (
            f"the noisy input differs from the published one in {names}" if names else "this is not the published set"
        )
        if not self.causes:
            yield (
                f"{what}, for none of the usual reasons (rate, level, channel, pairing, split): compare a few files "
                "with the published ones before training"
            )
            return
        first, *others = self.causes
        yield f"{what}; likely the {first.name}: {first.text}"
        for cause in others:
            yield f"possibly also the {cause.name}: {cause.text}"


def check_input(
    corpus: Corpus, published: Sequence[Published], rows: int = ROWS, progress: Progress | None = None
) -> Checked | None:
    """The check, or None where nothing is published for such a corpus."""
    figures = figures_for(corpus, published)
    if figures is None:
        return None
    comparison = compare(corpus, figures, rows=rows, progress=progress)
    causes = likely_causes(look(corpus, figures, comparison))
    if comparison.agrees:
        causes = tuple(cause for cause in causes if cause.name not in HARMLESS)
    return Checked(comparison, figures, causes)


def _cells(figure: Compared) -> str:
    if figure.mean is None:
        return f"published {figure.published}, only {figure.scored} rows could be scored"
    digits = max(2, len(figure.published.partition(".")[2]))
    span = f"{figure.mean:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"
    return f"{span}, published {figure.published}{'' if figure.agrees else '  DIFFERS'}"
