"""Score files of speech toolkits that are no tables: ESPnet, sclite, SpeechBrain.

ESPnet's enh_scoring.py writes a file per metric and talker, `SDR_spk1`, with "utterance value" on each line
(espnet2/bin/enh_scoring.py); its recognition recipes keep sclite's report as result.txt. SpeechBrain's ErrorRateStats
writes wer.txt, an alignment per utterance (speechbrain/dataio/wer.py); its separation recipes write a CSV whose last
line is the average (recipes/WSJ0Mix/separation/train.py).
"""

import re
from pathlib import Path

import pandas as pd

from sweep.judging.file_table import FileTable, from_columns
from trainables.base.errors import UserError

_SCLITE_MARK = b"Scores: (#C #S #D #I)"
_SCLITE = re.compile(r"^id: \((?P<id>[^)]+)\)\s+Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", re.MULTILINE)
_SPEECHBRAIN_MARK = b"%WER "
_SPEECHBRAIN = re.compile(r"^(\S.*), %WER (?:[\d.]+|nan) \[ (\d+) / (\d+), \d+ ins, \d+ del, \d+ sub \]", re.MULTILINE)
_ESPNET_FILE = re.compile(r"(?P<metric>[A-Za-z][\w-]*?)_spk(?P<talker>\d+)")
_KEY_AND_NUMBER = re.compile(rb"\S+[ \t]+[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|inf|nan)\s*")
_AVERAGE_NAMES = {"avg", "average", "mean", "mean_score", "overall", "total", "sum", "median", "std"}


def read_toolkit(name: str, content: bytes) -> FileTable | None:
    """The table, or None where it is no such file."""
    if _SCLITE_MARK in content:
        return _error_rates(name, _sclite(content.decode("utf-8", "replace")))
    if content.startswith(_SPEECHBRAIN_MARK):
        return _error_rates(name, _speechbrain(content.decode("utf-8", "replace")))
    lines = content[:4096].split(b"\n", 2)
    if all(_KEY_AND_NUMBER.fullmatch(line) for line in lines[:2] if line.strip()):
        return _keyed(name, content)
    return None


def is_espnet_folder(folder: Path) -> bool:
    return folder.is_dir() and any(_ESPNET_FILE.fullmatch(path.name) for path in folder.iterdir())


def read_espnet_folder(folder: Path) -> FileTable:
    """A scoring folder of ESPnet's: a column per metric, averaged over the talkers of each mixture."""
    by_metric: dict[str, list[pd.Series]] = {}
    for path in sorted(folder.iterdir()):
        if found := _ESPNET_FILE.fullmatch(path.name):
            frame = _keyed(str(path), path.read_bytes()).frame
            column = frame.columns[1]
            by_metric.setdefault(found["metric"], []).append(frame.set_index("utterance")[column])
    columns = {metric: pd.concat(talkers, axis=1).mean(axis=1, skipna=False) for metric, talkers in by_metric.items()}
    frame = pd.DataFrame(columns).reset_index(names="utterance")
    frame["utterance"] = frame["utterance"].astype("category")
    talkers = max(map(len, by_metric.values()))
    notes = () if talkers == 1 else (f"means over the {talkers} talkers of each mixture",)
    return FileTable(str(folder), frame, notes=notes)


def without_averages(table: FileTable, utterance: str) -> FileTable:
    """Without the line of averages that SpeechBrain and others write below the utterances."""
    column = table.frame[utterance]
    if pd.api.types.is_numeric_dtype(column):
        return table
    names = column.astype(str).str.strip(" .:").str.lower()
    return table.without(names.isin(_AVERAGE_NAMES), f"{table.name}: its line of averages is left out")


def _keyed(name: str, content: bytes) -> FileTable:
    found = _ESPNET_FILE.fullmatch(Path(name).name)
    metric = found["metric"] if found else "value"
    utterances, values = [], []
    for number, line in enumerate(content.decode("utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split()
        try:
            key, value = parts[0], float(parts[1])
        except (IndexError, ValueError):
            raise UserError(f'{name}, row {number}: {line[:40]!r} is not "utterance value"') from None
        utterances.append(key)
        values.append(value)
    if len(utterances) <= 4 and Path(name).name.endswith("_metrics.txt"):
        raise UserError(f"{name}: s3prl keeps averages only, which have no interval: score the utterances again")
    return from_columns(name, {"utterance": utterances, metric: values})


def _sclite(text: str) -> list[tuple[str, int, int]]:
    """(utterance, errors, words) each."""
    found = []
    for utterance, *counts in _SCLITE.findall(text):
        correct, substituted, deleted, inserted = map(int, counts)
        found.append((utterance, substituted + deleted + inserted, correct + substituted + deleted))
    return found


def _speechbrain(text: str) -> list[tuple[str, int, int]]:
    return [(utterance, int(errors), int(words)) for utterance, errors, words in _SPEECHBRAIN.findall(text)]


def _error_rates(name: str, counts: list[tuple[str, int, int]]) -> FileTable:
    if not counts:
        raise UserError(f"{name}: a report of recognition errors without its utterances: write it with alignments")
    rates = [100 * errors / words if words else float("nan") for _, errors, words in counts]
    table = from_columns(name, {"utterance": [utterance for utterance, _, _ in counts], "wer": rates})
    note = "the mean of the utterances' error rates in %, not the corpus's, which weighs long ones more"
    return FileTable(name, table.frame, notes=(note,))
