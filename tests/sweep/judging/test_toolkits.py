"""Score files in the formats of speech toolkits, written here the way their code writes them."""

import json
from pathlib import Path

import numpy as np
import pytest

from sweep.judging.columns import Asked
from sweep.judging.scores import Scores, joined
from sweep.judging.sources import labels, read_source
from trainables.base.errors import UserError

# espnet2/bin/enh_scoring.py through DatadirWriter: "utterance value", a file per metric and talker
ESPNET = "m1_a_b 10.5\nm2_a_b 12.25\nm3_c_d -1.5\n"
# sclite, as ESPnet's recognition recipes keep it in result.txt
SCLITE = """\
                     SYSTEM SUMMARY PERCENTAGES by SPEAKER

       | SPKR   | # Snt # Wrd | Corr    Sub    Del    Ins    Err  S.Err |
       | p1     |    2     30 | 90.0    5.0    5.0    0.0   10.0   50.0 |

Speakers:
    0:  p1

Speaker sentences   0:  p1   #utts: 2
id: (p1-p1_001)
Scores: (#C #S #D #I) 17 1 2 0
REF:  A B
HYP:  A C
Eval:   S

id: (p1-p1_002)
Scores: (#C #S #D #I) 10 0 0 1
REF:  A *
HYP:  A B
Eval:   I
"""
# speechbrain/dataio/wer.py: print_wer_summary and print_alignments
SPEECHBRAIN_WER = """\
%WER 13.33 [ 4 / 30, 1 ins, 2 del, 1 sub ]
%SER 100.00 [ 2 / 2 ]
Scored 2 sentences, 0 not present in hyp.
================================================================================
ALIGNMENTS

Format:
<utterance-id>, WER DETAILS
<eps> ; reference ; on
  I   ;     S     ; =
 and  ; hypothesis; on
================================================================================
p1_001, %WER 15.00 [ 3 / 20, 0 ins, 2 del, 1 sub ]
A ; B
= ; S
A ; C
================================================================================
p1_002, %WER 10.00 [ 1 / 10, 1 ins, 0 del, 0 sub ]
A ; <eps>
= ;   I
A ; B
"""
# recipes/WSJ0Mix/separation/train.py: test_results.csv, with the average as its last line
SPEECHBRAIN_CSV = """\
snt_id,sdr,sdr_i,si-snr,si-snr_i
0,15.5,15.25,15.0,14.75
1,10.0,9.75,9.5,9.25
avg,12.75,12.5,12.25,12.0
"""
# VERSA before 2025 wrote Python dictionaries, since then JSON; both have inf
VERSA_OLD = """\
{'key': 'u1', 'sir': inf, 'pesq': 1.5, 'stoi': np.float32(0.5), 'whisper_hyp_text': 'an, inf, word'}
{'key': 'u2', 'sir': inf, 'pesq': 2.5, 'stoi': np.float32(0.75), 'whisper_hyp_text': ''}
"""
VERSA = """\
{"key": "u1", "sir": Infinity, "pesq": 1.5, "stoi": 0.5, "espnet_wer_delete": 1, "espnet_wer_insert": 1, \
"espnet_wer_replace": 2, "espnet_wer_equal": 17, "vad_info": [{"start": 0.1}]}
{"key": "u2", "sir": Infinity, "pesq": 2.5, "stoi": 0.75, "espnet_wer_delete": 0, "espnet_wer_insert": 0, \
"espnet_wer_replace": 0, "espnet_wer_equal": 10, "vad_info": []}
"""
# speechscore/demo.py: pprint of {file: {metric: value or parts}}
SPEECHSCORE = """\
score for wav directories
{'Mean_Score': {'DNSMOS': {'BAK': 2.0, 'OVRL': 1.5}, 'PESQ': 2.0},
 'audio_1.wav': {'DNSMOS': {'BAK': 1.5,
                            'OVRL': np.float32(1.25)},
                 'PESQ': 1.5},
 'audio_2.wav': {'DNSMOS': {'BAK': 2.5, 'OVRL': 1.75}, 'PESQ': 2.5}}
"""


def two(folder: Path, file: str, content: str, other: str, **asked: str) -> Scores:
    """The file of two systems, a and b."""
    names = []
    for system, text in (("a", content), ("b", other)):
        path = folder / system / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        names.append(str(path))
    return joined([read_source(name) for name in names], labels(names), Asked(**asked))


def of(scores: Scores, candidate: str) -> dict[str, float]:
    frame = scores.frame[scores.frame["candidate"] == candidate]
    return dict(zip(frame["utterance"], frame["value"], strict=True))


def test_espnet_writes_a_file_per_metric(tmp_path: Path) -> None:
    scores = two(tmp_path, "SDR_spk1", ESPNET, ESPNET.replace("10.5", "11.5"))
    assert (scores.metric, scores.lower) == ("SDR", False)
    assert of(scores, "a") == {"m1_a_b": 10.5, "m2_a_b": 12.25, "m3_c_d": -1.5}
    assert of(scores, "b")["m1_a_b"] == 11.5


def test_espnets_folder_has_every_metric_and_talkers_are_averaged(tmp_path: Path) -> None:
    names = []
    for system, first in (("a", 10.5), ("b", 11.5)):
        folder = tmp_path / system / "scoring"
        folder.mkdir(parents=True)
        (folder / "SDR_spk1").write_text(f"m1 {first}\nm2 1\n")
        (folder / "SDR_spk2").write_text("m2 2\nm1 20.5\n")
        (folder / "STOI_spk1").write_text("m1 0.5\nm2 0.75\n")
        (folder / "STOI_spk2").write_text("m1 0.5\nm2 0.75\n")
        (folder / "result.txt").write_text("averages")
        names.append(str(folder))
    tables = [read_source(name) for name in names]
    scores = joined(tables, labels(names), Asked(metric="SDR"))
    assert of(scores, "a") == {"m1": 15.5, "m2": 1.5}
    assert of(scores, "b") == {"m1": 16.0, "m2": 1.5}
    assert any("2 talkers" in note for note in scores.notes)
    with pytest.raises(UserError, match="SDR, STOI"):
        joined(tables, labels(names), Asked())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SCLITE, {"p1-p1_001": 15.0, "p1-p1_002": 10.0}),
        (SPEECHBRAIN_WER, {"p1_001": 15.0, "p1_002": 10.0}),
    ],
)
def test_reports_of_recognition_errors_give_a_rate_per_utterance(
    content: str, expected: dict[str, float], tmp_path: Path
) -> None:
    scores = two(tmp_path, "result.txt", content, content)
    assert (scores.metric, scores.lower) == ("wer", True)
    assert of(scores, "a") == expected
    assert any("not the corpus's" in note for note in scores.notes)


def test_speechbrains_line_of_averages_is_left_out_and_said(tmp_path: Path) -> None:
    scores = two(tmp_path, "test_results.csv", SPEECHBRAIN_CSV, SPEECHBRAIN_CSV, metric="si-snr")
    assert of(scores, "a") == {"0": 15.0, "1": 9.5}
    assert sum("averages" in note for note in scores.notes) == 2


@pytest.mark.parametrize("content", [VERSA, VERSA_OLD], ids=["json", "python"])
def test_versas_lines(content: str, tmp_path: Path) -> None:
    scores = two(tmp_path, "result.txt", content, content, metric="stoi")
    assert of(scores, "a") == {"u1": 0.5, "u2": 0.75}
    infinite = two(tmp_path, "result.txt", content, content.replace("inf", "3").replace("Infinity", "3"), metric="sir")
    assert np.isnan([*of(infinite, "a").values()]).all()


def test_versas_error_counts_become_a_rate(tmp_path: Path) -> None:
    scores = two(tmp_path, "result.txt", VERSA, VERSA, metric="espnet_wer")
    assert scores.lower
    assert of(scores, "a") == {"u1": 4 / 20, "u2": 0.0}


@pytest.mark.parametrize("form", ["printed", "json"])
def test_speechscores_dictionary_by_file(form: str, tmp_path: Path) -> None:
    content = SPEECHSCORE
    if form == "json":
        scores = {"PESQ": 1.5, "DNSMOS": {"OVRL": 1.25}}, {"PESQ": 2.5, "DNSMOS": {"OVRL": 1.75}}
        content = json.dumps({"audio_1.wav": scores[0], "audio_2.wav": scores[1], "Mean_Score": scores[0]}, indent=1)
    found = two(tmp_path, "scores.txt", content, content, metric="DNSMOS.OVRL")
    assert of(found, "a") == {"audio_1.wav": 1.25, "audio_2.wav": 1.75}
    assert not found.lower


def test_s3prls_averages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="averages only"):
        two(tmp_path, "test_metrics.txt", "si_sdr 9.5\nstoi 0.9\npesq 2.5\n", "si_sdr 9.5\n")


def test_a_line_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row 3"):
        two(tmp_path, "SDR_spk1", "m1 1.5\nm2 2\nm3 loud\n", ESPNET)
