"""Weights of others are compared with the configuration when a sweep is planned; nothing is started or written."""

from pathlib import Path

import pytest
import torch

from sweep.settings.dry_run import cautions
from tests.support.methods import s3prl_model
from tests.support.methods.asteroid_files import content_of_network, write
from tests.support.sweeps.typed_plan import plan
from trainables.base.errors import UserError
from trainables.separation.config import SeparationConfig
from trainables.separation.separators import build_separator


def asteroid(folder: Path, **changes: object) -> Path:
    config = SeparationConfig.from_dict({})
    network = build_separator(config, 1, seed=1)
    return write(folder / "model.pth", content_of_network("convtasnet", network, config.architecture, **changes))


def separation(folder: Path, file: Path, *flags: str) -> list[str]:
    space = ("--space", "separation_pretraining", "--preset", "demo", "--corpus", "demo")
    return cautions(plan(folder / "here", *space, "--set", f"checkpoint={file}", *flags).plan)


def test_an_asteroid_file_that_agrees_is_taken_with_a_word_on_what_it_replaces(tmp_path: Path) -> None:
    (caution,) = [each for each in separation(tmp_path, asteroid(tmp_path)) if "same training" in each]
    assert caution.startswith("convtasnet: se, mama, cc ")


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"encoder_activation": "relu"}, "encoder_activation"), ({"sample_rate": 16000}, "sample_rate")],
)
def test_one_that_differs_is_refused_by_name(changes: dict[str, object], named: str, tmp_path: Path) -> None:
    file = asteroid(tmp_path, **changes)
    with pytest.raises(UserError, match=f"{named}="):
        separation(tmp_path, file)
    assert not (tmp_path / "here").exists()


def test_a_rate_that_is_set_is_a_rate_that_agrees(tmp_path: Path) -> None:
    assert separation(tmp_path, asteroid(tmp_path, sample_rate=16000), "--set", "sample_rate=16000")


def test_an_s3prl_file_is_read_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "tera.ckpt"
    flags = ("--preset", "small", "--corpus", "demo", "--upstreams", "tera", "--set", f"checkpoint={file}")
    s3prl_model.write(file)
    assert plan(tmp_path, *flags).plan.weights
    torch.save({**torch.load(file, weights_only=True), "Config": {**s3prl_model.CONFIG, "audio": {}}}, file)
    with pytest.raises(UserError, match=r"no audio\.input"):
        plan(tmp_path, *flags)
