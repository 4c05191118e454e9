"""Score files of every kind: the same table from each, and one line for what is none."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.judging.columns import Asked
from sweep.judging.scores import joined
from sweep.judging.sources import labels, read_source
from trainables.base.errors import UserError

SCORES = pd.DataFrame(
    {
        "system": [system for system in ("a", "b") for _ in range(4)],
        "utt_id": ["u1", "u2", "u3", "u4"] * 2,
        "pesq": [2.0, 2.25, np.nan, 2.5, 3.0, 3.25, 3.5, -0.5],
    }
)


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("scores.csv", content)
    return buffer.getvalue()


def zstandard(content: bytes) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def csv(frame: pd.DataFrame, **how: Any) -> bytes:
    return frame.to_csv(index=False, **how).encode()


def json_lines(frame: pd.DataFrame) -> bytes:
    return "\n".join(json.dumps(row) for row in frame.to_dict("records")).encode()


KINDS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": csv,
    "csv with an index": lambda frame: frame.to_csv().encode(),
    "csv with a byte order mark": lambda frame: b"\xef\xbb\xbf" + csv(frame),
    "csv with a shuffled index": lambda frame: frame.set_axis([3, 1, 4, 0, 5, 9, 2, 6]).to_csv().encode(),
    "csv with two indices": lambda frame: frame.reset_index(names="Unnamed: 0").to_csv().encode(),
    "csv with rows of commas below": lambda frame: csv(frame) + b",,\n,,\n",
    "csv with a comma after each row": lambda frame: csv(frame).replace(b"\n", b",\n"),
    "csv with spaces after commas": lambda frame: csv(frame).replace(b",", b", "),
    "csv with facts of utterances": lambda frame: csv(frame.assign(duration=1.5, id=range(8))),
    "csv of Windows": lambda frame: csv(frame).replace(b"\n", b"\r\n"),
    "csv with failures in words": lambda frame: csv(frame, na_rep="failed"),
    "csv with NaN": lambda frame: csv(frame, na_rep="NaN"),
    "csv with None": lambda frame: csv(frame, na_rep="None"),
    "csv, quoted": lambda frame: frame.to_csv(index=False, quoting=2).encode(),
    "tsv": lambda frame: csv(frame, sep="\t"),
    "semicolons": lambda frame: csv(frame, sep=";"),
    "Excel's semicolons and decimal commas": lambda frame: csv(frame, sep=";", decimal=","),
    "Excel's own first line": lambda frame: b"sep=;\r\n" + csv(frame, sep=";"),
    "Excel's Unicode text": lambda frame: csv(frame, sep="\t", decimal=",").decode().encode("utf-16"),
    "json of a data frame": lambda frame: frame.to_json().encode(),
    "json lines": json_lines,
    "json array": lambda frame: json.dumps(frame.to_dict("records")).encode(),
    "python dictionaries": lambda frame: "\n".join(map(str, frame.to_dict("records"))).encode(),
    "parquet": parquet,
    "parquet with an index": lambda frame: parquet(frame.set_index("utt_id")),
    "gzip": lambda frame: gzip.compress(csv(frame)),
    "bzip2": lambda frame: bz2.compress(csv(frame)),
    "xz": lambda frame: lzma.compress(csv(frame)),
    "zip": lambda frame: zipped(csv(frame)),
    "zstd": lambda frame: zstandard(csv(frame)),
}


def read(path: Path, content: bytes, **asked: Any) -> pd.DataFrame:
    path.write_bytes(content)
    return joined([read_source(str(path))], labels([str(path)]), Asked(**asked)).frame


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_holds_the_same_scores(kind: str, tmp_path: Path) -> None:
    frame = read(tmp_path / "scores", KINDS[kind](SCORES))
    assert frame["candidate"].tolist() == SCORES["system"].tolist()
    assert frame["utterance"].tolist() == SCORES["utt_id"].tolist()
    np.testing.assert_array_equal(frame["value"], SCORES["pesq"])


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(csv(SCORES))))
    frame = joined([read_source("-")], labels(["-"]), Asked()).frame
    np.testing.assert_array_equal(frame["value"], SCORES["pesq"])


def test_a_late_word_among_many_numbers_is_a_failed_score(tmp_path: Path) -> None:
    """The reader takes the kind of a column from the first megabyte of it."""
    rows = [f"{system},u{number:06d},{number % 7}.5" for system in "ab" for number in range(60_000)]
    rows[-1] = "b,u059999,failed"
    frame = read(tmp_path / "scores.csv", ("system,utt,pesq\n" + "\n".join(rows)).encode())
    assert len(frame) == 120_000
    assert np.isnan(frame["value"].iloc[-1])
    assert frame["value"].iloc[:-1].sum() == pytest.approx(sum(float(row.rsplit(",", 1)[1]) for row in rows[:-1]))


def test_labels_that_look_like_numbers_stay_apart(tmp_path: Path) -> None:
    frame = read(tmp_path / "scores.csv", b"system,utt,pesq\nnone,1,2\n1,1,2\n2,1,3\nnone,2,2\n1,2,2\n2,2,3\n")
    assert sorted(frame["candidate"].unique()) == ["1", "2", "none"]
    assert set(frame["utterance"]) == {"1", "2"}


def test_names_keep_their_leading_zeros_for_the_speakers_in_them(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("utt,a,b\n" + "".join(f"{k:02d}{k + 7:03d},2.{k},3.{k}\n" for k in range(12)))
    frame = joined([read_source(str(path))], labels([str(path)]), Asked(), speaker_from="^([0-9]{2})").frame
    assert set(frame["speaker"]) == {f"{k:02d}" for k in range(12)}


def test_files_with_and_without_leading_zeros_are_paired(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text("utt,pesq\n007,2\n010,3\n")
    paths[1].write_text("utt,pesq\n7,2\n10,3\n")
    frame = joined([read_source(str(path)) for path in paths], labels([str(path) for path in paths]), Asked()).frame
    assert frame["utterance"].tolist() == ["7", "10", "7", "10"]
    assert frame["value"].tolist() == [2, 3, 2, 3]


@pytest.mark.parametrize(
    ("content", "asked", "role", "expected"),
    [
        (b"system,run,seed,utt,pesq\na,1,5,u1,2\nb,1,5,u1,3\n", {}, "seed", ["5", "5"]),
        (b"system,dataset,corpus,utt,pesq\na,x,y,u1,2\nb,x,y,u1,3\n", {}, "group", ["x", "x"]),
        (b"system,dataset,split,utt,pesq\na,x,y,u1,2\nb,x,y,u1,3\na,x,z,u1,2\nb,x,z,u1,3\n", {}, "group", [*"yyzz"]),
        (b"system,utt,PESQ,STOI\na,u1,2,.9\nb,u1,3,.8\n", {"metric": "stoi"}, "value", [0.9, 0.8]),
        (b"system,utt,metric,value\na,u1,PESQ,2\nb,u1,PESQ,3\na,u1,x,2\n", {"metric": "pesq"}, "value", [2, 3]),
        (b"system,stimulus,tool,sdr\na,x,v1,2\nb,x,v1,3\na,y,v1,2\n", {}, "utterance", ["x", "x", "y"]),
        ("utt,a,b\nu1,\u22122.5,1\n".encode(), {}, "value", [-2.5, 1]),
        (b'system,utt,"wb\n pesq"\na,u1,2\nb,u1,3\n', {"metric": "wb pesq"}, "value", [2, 3]),
    ],
)
def test_columns_are_what_their_names_say(
    content: bytes, asked: dict[str, str], role: str, expected: list[object], tmp_path: Path
) -> None:
    assert read(tmp_path / "scores.csv", content, **asked)[role].tolist() == expected


def test_spaces_around_a_name_make_no_other_system(tmp_path: Path) -> None:
    frame = read(tmp_path / "scores.csv", b"system,utt,pesq\na ,u1,2\na, u2,2\n b,u1,3\nb,u2 ,3\n")
    assert frame["candidate"].tolist() == ["a", "a", "b", "b"]
    assert frame["utterance"].tolist() == ["u1", "u2", "u1", "u2"]


@pytest.mark.parametrize("numbering", ["duration", "id", "Datei", "Unnamed: 0"])
def test_a_number_of_each_row_is_no_system_of_a_wide_table(numbering: str, tmp_path: Path) -> None:
    rows = "".join(f"{number + 3},2.{number},2.5,3.{number}\n" for number in range(1, 6))
    frame = read(tmp_path / "scores.csv", f"{numbering},a,b,c\n{rows}".encode())
    assert sorted(frame["candidate"].unique()) == ["a", "b", "c"]


def test_a_wide_tables_line_of_averages_is_no_utterance(tmp_path: Path) -> None:
    frame = read(tmp_path / "scores.csv", b"utt,a,b\nu1,2,3\nu2,3,4\nMean,2.5,3.5\n")
    assert set(frame["utterance"]) == {"u1", "u2"}


def test_each_systems_files_in_a_folder_of_its_own_are_paired_by_their_names(tmp_path: Path) -> None:
    content = b"".join(b"%b,/exp/%b/%d.wav,2.%d\n" % (name, name, k, k) for name in (b"a", b"b") for k in (1, 2))
    frame = read(tmp_path / "scores.csv", b"system,wav,pesq\n" + content)
    assert frame["utterance"].tolist() == ["1.wav", "2.wav"] * 2
    kept = read(tmp_path / "more.csv", b"system,wav,pesq\na,x/1.wav,2\na,y/1.wav,3\nb,x/1.wav,4\n")
    assert set(kept["utterance"]) == {"x/1.wav", "y/1.wav"}
    few = read(tmp_path / "few.csv", b"system,wav,pesq\na,x/1.wav,2\na,x/2.wav,3\nb,y/1.wav,4\nb,y/3.wav,4\n")
    assert set(few["utterance"]) == {"x/1.wav", "x/2.wav", "y/1.wav", "y/3.wav"}


def test_a_group_of_one_candidate_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(b"system,group,utt,pesq\na,x,u1,2\nb,x,u1,3\nc,y,u1,3\n")
    scores = joined([read_source(str(path))], labels([str(path)]), Asked())
    assert set(scores.frame["group"]) == {"x"}
    assert any("y" in note for note in scores.notes)


def test_a_terminals_commands_in_a_label_are_shown_as_escapes(tmp_path: Path) -> None:
    frame = read(tmp_path / "scores.csv", b'system,utt,pesq\n\x1b[31mred,u1,2\n"two\nlines",u1,3\n')
    assert set(frame["candidate"]) == {"\\x1b[31mred", "two\\nlines"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ["scores", "empty"]),
        (b"\n\n", ["scores", "empty"]),
        (b"hello", ["scores", "no table"]),
        (b"system,utt,pesq\n", ["without rows"]),
        (b"system,utt,pesq\na,u1,2\nb,u1\n", ["row 3", "2 fields", "3"]),
        (b"system,utt,pesq\na,u1,2\nb;u1;2.5\n", ["row 3", "1 fields", "comma"]),
        (b"system,utt,pesq\na,u1,2,31\nb,u1,2,5\n", ["row 2", "4 fields"]),
        (b"system;utt;pesq\na;u1;2,31\nb;u1;2.5\n", ["row 2", "'2,31'", "decimal comma"]),
        (b"sep=;\nsystem;utt;pesq\na;u1;2\nb;u1;two\n", ["row 4", "'two'"]),
        (b"system,utt,pesq\na,u1,2\nb,u1,two\n", ["row 3", "'two'", "no number"]),
        (b"system,utt,pesq\na,u1,2\nb,u1,3\nb,u1,4\n", ["row 4", "second score", "row 3"]),
        (b"system,utt,pesq\na,u1,2\n,u1,3\n", ["row 3", "no candidate"]),
        (b"system,utt,pesq\na,u1,2\na,u2,3\n", ["one candidate only", "'a'"]),
        (b"system,utt,pesq\na,u1,\nb,u1,\n", ["not one score"]),
        (b"system,utt,pesq\na,u\xe9,2\nb,u1,2\n", ["row 2", "UTF-8"]),
        ("system,utt,pesq\na,u1,2\n".encode("utf-16")[:-1], ["UTF-16"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["UTF-8"]),
        (b"RIFF\x00\x00\x00\x00WAVE", ["no text"]),
        (b"PAR1 and then nothing", ["not a whole Parquet file"]),
        (b"\x1f\x8bbroken", ["damaged"]),
        (b"PK\x03\x04...xl/workbook.xml...", ["Excel", "CSV"]),
        (b"system,pesq,pesq\na,1,2\n", ["several columns", "'pesq'"]),
        (b"a,u1,2.5\nb,u1,2.75\n", ["row 1", "header"]),
        (b"system,utt\na,u1\nb,u2\n", ["no column of numbers"]),
        (b"system,utt,pesq,stoi\na,u1,2,.9\nb,u1,3,.8\n", ["pesq, stoi", "--metric"]),
        (b"system,utt,number,pesq\na,u1,1,2.5\nb,u1,1,2.75\n", ["number, pesq", "--seed"]),
        (b"utt,pesq,stoi\nu1,2,.9\nu2,3,.8\n", ["pesq, stoi"]),
        (b"clip_number,a\n1,2.5\n2,2.75\n3,2.5\n", ["two columns of numbers"]),
        (b"utt,pesq,mysystem\nu1,2,.9\nu2,3,.8\n", ["pesq", "mysystem", "--wide"]),
        (b"utt,pesq\nu1,2\nu2,3\n", ["one candidate only"]),
        (b"system,pesq\na,2.5\na,2.75\nb,3\n", ["row 3", "utterances or seeds"]),
        (b"system,group,utt,pesq\na,x,u1,2\nb,y,u1,3\n", ["no group has two candidates"]),
        (b"arch,room,pesq\na,u1,2\nb,u1,3\n", ["arch (2 values)", "room (1 values)", "--candidate"]),
        (b"system,model,utt,pesq\na,x,u1,2\nb,y,u1,3\n", ["system, model", "--candidate"]),
        (b"system,utt,metric,value\na,u1,pesq,2\nb,u1,stoi,3\n", ["pesq, stoi", "--metric"]),
        (b'{"system": "a", "pesq": 2}\n{"system": \n', ["row 2"]),
        (b"[1, 2", ["JSON"]),
        (b"utt," + b",".join(b"s%d" % n for n in range(3000)) + b"\n", ["3,001 columns"]),
        (b"utt," + b",".join(b"s%d" % n for n in range(300)) + b"\nu1" + b",1" * 300 + b"\n", ["300 columns"]),
    ],
)
def test_what_is_no_table_of_scores_is_one_line_that_names_place_and_remedy(
    content: bytes, said: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path / "scores", content)
    line = str(error.value)
    assert "\n" not in line
    assert "scores" in line
    for words in said:
        assert words in line


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"candidate": "network"}, ["--candidate network", "system, utt_id, pesq"]),
        ({"value": "utt_id"}, ["row 2", "'u1'"]),
        ({"metric": "stoi"}, ["--metric stoi", "pesq"]),
        ({"metric": "PESQS"}, ["--metric PESQS", "pesq"]),
    ],
)
def test_an_unknown_column_is_refused_with_those_there_are(
    asked: dict[str, str], said: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path / "scores", csv(SCORES), **asked)
    assert all(words in str(error.value) for words in said)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.csv", "b.csv"], [("a", None), ("b", None)]),
        (["exp/a/scoring/SDR_spk1", "exp/b/scoring/SDR_spk1"], [("a", None), ("b", None)]),
        (["exp/a/seed1.csv", "exp/a/seed2.csv", "exp/b/seed1.csv"], [("a", "1"), ("a", "2"), ("b", "1")]),
        (["conv_tasnet-seed_7.csv.gz", "dprnn-seed_7.csv.gz"], [("conv_tasnet", "7"), ("dprnn", "7")]),
        (["v1.0.csv", "v1.1.csv"], [("v1.0", None), ("v1.1", None)]),
        (["runs/a.csv", "b.csv"], [("runs/a", None), ("b", None)]),
        (["seed1.csv", "seed2.csv"], [("seed1", None), ("seed2", None)]),
    ],
)
def test_files_are_named_by_what_tells_their_paths_apart(
    names: list[str], expected: list[tuple[str, str | None]]
) -> None:
    assert labels(names) == expected


def test_the_same_file_twice_is_refused() -> None:
    with pytest.raises(UserError, match="twice"):
        labels(["a.csv", "a.csv"])
