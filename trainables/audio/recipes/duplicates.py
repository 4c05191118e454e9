"""The same audio under two names: counted once, or refused where it would be filed under two speakers or noise types.

Only files of the same length are compared, by their first samples, and only those that agree are decoded whole.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from trainables.audio.corpus.audio_files import Header, digest_of_samples
from trainables.audio.corpus.remarks import first_of, number_of_files, report
from trainables.audio.recipes.recordings import Recording

_FIRST = 4096  # frames


def without_duplicates(
    headers: Mapping[Recording, Header], partner: Mapping[str, Path] | None = None
) -> tuple[dict[Recording, Header], list[str]]:
    """The recordings with each audio once, and a note on those left out.

    `partner` has the noisy file of each clean recording by id: one clean recording may be in several pairs, as long as
    the noisy ones differ.

    Raises:
        UserError: the same audio is filed under two owners, or in two splits.
    """
    dropped: list[Recording] = []
    problems: list[str] = []
    for group in _same_audio(headers, headers, lambda each: each.path):
        first, *others = sorted(group, key=lambda each: (each.path.is_symlink(), each.id))
        problems += [_conflict(first, each) for each in others if _home(each) != _home(first)]
        if partner:
            paths = {each: partner[each.id] for each in group}
            again = [same[1:] for same in _same_audio(group, headers, paths.__getitem__)]
            dropped += [each for same in again for each in same]
        else:
            dropped += others
    if problems:
        raise report(problems)
    kept = {each: header for each, header in headers.items() if each not in set(dropped)}
    names = first_of([str(each.path) for each in dropped])
    note = f"{number_of_files(len(dropped))} with the same audio as another, each counted once: {names}"
    return kept, [note] if dropped else []


def _home(recording: Recording) -> tuple[str, str, str]:
    return recording.part, recording.owner, recording.split


def _conflict(first: Recording, other: Recording) -> str:
    if first.part != other.part:
        return f"{other.path}: the same audio as {first.path}: is it speech or noise? Remove one of them"
    word = "noise type" if first.part == "noise" else "speaker"
    where = (
        f"{word}s {first.owner!r} and {other.owner!r}"
        if first.owner != other.owner
        else (f"splits {first.split} and {other.split}")
    )
    return f"{other.path}: the same audio as {first.path}, so it would be in two {where}; remove one of them"


def _same_audio(
    recordings: Iterable[Recording], headers: Mapping[Recording, Header], path_of: Callable[[Recording], Path]
) -> list[list[Recording]]:
    """Groups of at least two recordings with the same samples."""
    groups = _split(recordings, lambda each: (headers[each].frames, headers[each].sample_rate))
    groups = [same for group in groups for same in _split(group, lambda each: digest_of_samples(path_of(each), _FIRST))]
    return [same for group in groups for same in _split(group, lambda each: digest_of_samples(path_of(each)))]


def _split(recordings: Iterable[Recording], key: Callable[[Recording], object]) -> list[list[Recording]]:
    groups: dict[object, list[Recording]] = {}
    for each in recordings:
        groups.setdefault(key(each), []).append(each)
    return [group for group in groups.values() if len(group) > 1]
