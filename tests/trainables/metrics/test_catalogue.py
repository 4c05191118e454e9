"""The catalogue names every metric once and stays light."""

import subprocess
import sys

import pytest

from trainables.base.errors import UserError
from trainables.metrics import catalogue
from trainables.metrics.catalogue import (
    EVERYDAY,
    IMPROVEMENTS,
    METRICS,
    SEPARATION,
    known_metrics,
    require_installed,
)


def test_names_every_metric_of_the_house() -> None:
    assert list(METRICS) == [
        *("wb_pesq", "stoi", "csig", "cbak", "covl"),
        *("si_sdr", "segsnr", "cbak_fitted", "segsnr_fitted"),
        *("nb_pesq", "sdr", "si_sdri", "sdri"),
        *("dnsmos", "dnsmos_sig", "dnsmos_bak", "estoi", "lsd", "speaker_similarity", "speech_bert_score"),
        *("ssl_distance", "ssl_cosine", "shift_excess", "shift_floor", "speed_error", "shortcut_index"),
        *(f"ssl_{what}_{layer}" for what in ("distance", "cosine") for layer in range(1, 13)),
        *("wer", "cer", "wer_own", "cer_own"),
    ]


def test_what_methods_measure_is_asked_of_no_scorer() -> None:
    """It has no function, and no space of one voice in noise is scored by it unless it says so."""
    for name, info in METRICS.items():
        assert info.measured == (not info.function and not info.improvement_of), name
        assert not (info.measured and info.everyday)


def test_equivalence_margins_of_the_deciding_metrics() -> None:
    assert (METRICS["wb_pesq"].margin, METRICS["si_sdr"].margin) == (0.03, 0.1)
    assert all(info.margin > 0 for info in METRICS.values())


def test_an_unknown_metric_is_refused_with_the_list() -> None:
    with pytest.raises(UserError, match=r"unknown metric 'pesq': choose from wb_pesq, stoi, csig"):
        known_metrics(["si_sdr", "pesq"])


def test_none_means_the_everyday_ones() -> None:
    assert known_metrics(None) == EVERYDAY == tuple(METRICS)[:9]


def test_separation_has_improvements_and_what_they_are_of() -> None:
    assert {*IMPROVEMENTS, *IMPROVEMENTS.values()} == set(SEPARATION) <= set(METRICS)


def test_a_metric_whose_packages_are_missing_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    require_installed(EVERYDAY)
    with pytest.raises(
        UserError, match=r"'dnsmos' needs speechmos and onnxruntime, .* pip install .speech-sweep\[dnsmos\]"
    ):
        require_installed(["si_sdr", "dnsmos"])
    with pytest.raises(UserError, match=r"'dnsmos_sig' needs .* pip install .speech-sweep\[dnsmos\]"):
        require_installed(["dnsmos_sig"])


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, trainables.metrics.catalogue; "
        "print(sorted({'numpy', 'scipy', 'torch', 'pesq', 'pystoi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
