"""The catalogue names every metric once and stays light."""

import subprocess
import sys

import pytest

from trainables.errors import UserError
from trainables.metrics.catalogue import EVERYDAY, METRICS, known_metrics


def test_names_every_metric_of_the_house() -> None:
    assert list(METRICS) == [
        *("wb_pesq", "stoi", "csig", "cbak", "covl"),
        *("si_sdr", "segsnr", "cbak_fitted", "segsnr_fitted", "nb_pesq"),
    ]


def test_equivalence_margins_of_the_deciding_metrics() -> None:
    assert (METRICS["wb_pesq"].margin, METRICS["si_sdr"].margin) == (0.03, 0.1)
    assert all(info.margin > 0 and info.higher_is_better for info in METRICS.values())


def test_an_unknown_metric_is_refused_with_the_list() -> None:
    with pytest.raises(UserError, match=r"unknown metric 'pesq': choose from wb_pesq, stoi, csig"):
        known_metrics(["si_sdr", "pesq"])


def test_none_means_the_everyday_ones() -> None:
    assert known_metrics(None) == EVERYDAY
    assert set(METRICS) - set(EVERYDAY) == {"nb_pesq"}


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, trainables.metrics.catalogue; "
        "print(sorted({'numpy', 'scipy', 'torch', 'pesq', 'pystoi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
