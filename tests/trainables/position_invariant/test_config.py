"""Configurations: what is refused, what has no effect, and that stages are shared."""

import subprocess
import sys
from typing import Any

import pytest

from tests.trainables.position_invariant.support import config
from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings
from trainables.job.stages import StagePlace
from trainables.position_invariant.config import frames_of
from trainables.position_invariant.info import INFO

PLACE: StagePlace = {"corpus_uri": "/c", "corpus_fingerprint": "f"}


@pytest.mark.parametrize(
    "values",
    [
        {"layers": [0]},
        {"layers": [4]},
        {"layers": [13], "size": "base"},
        {"layers": [2, 2]},
        {"speed_low": 0.49},
        {"speed_high": 2.01},
        {"speed_low": 1.2, "speed_high": 1.1},
        {"pad_min": 0.1, "pad_max": 0.05},
        {"speed_low": 0.805},
        {"speed_high": 1.125},
        {"speed_step": 0.025},
        {"speed_step": 0.5},
        {"gamma": 0.0},
        {"band": 0.0},
        {"upstream": "tera"},
        {"variant": "dtw"},
        {"hidden": 32},
        {"checkpoint": "facebook/hubert-base-ls960"},
        {"size": "base", "checkpoint": "not a place"},
        {"front_checkpoint": "not a place"},
        {"front_checkpoint": "owner/repository"},
        {"front_checkpoint": "s3://bucket/folder"},
    ],
)
def test_what_cannot_be_is_refused_in_one_line(values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as found:
        config(**values)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("place", ["owner/repository:weights.bin", "/models/master64.th", "s3://bucket/master64.th"])
def test_weights_of_a_front_end_are_one_file(place: str) -> None:
    assert config(size="base", front_checkpoint=place).front_checkpoint == place


@pytest.mark.parametrize("name", ["checkpoint", "front_checkpoint"])
def test_weights_that_are_not_there_are_refused_by_the_plan(name: str) -> None:
    settings = config(size="base", front_end="conv_tasnet", **{name: "/absent/weights"})
    with pytest.raises(UserError, match="/absent/weights"):
        settings.require_inputs()


def test_crops_shorter_than_a_frame_of_the_reference_are_refused() -> None:
    config(variant="mse").data_settings(DataSettings(crop_seconds=0.025))
    with pytest.raises(UserError, match="crop_seconds"):
        config(variant="mse").data_settings(DataSettings(crop_seconds=0.0249))
    with pytest.raises(UserError, match="crop_seconds"):  # at speed 1.2
        config(variant="softdtw").data_settings(DataSettings(crop_seconds=0.029))


def test_a_band_that_leaves_no_path_at_some_speed_is_refused() -> None:
    crop = DataSettings(crop_seconds=1.0)
    assert config(band=0.02).data_settings(crop) == crop
    with pytest.raises(UserError, match=r"band=0\.005"):
        config(band=0.005).data_settings(crop)
    assert config(band=0.005, variant="mse").data_settings(crop) == crop  # where it has no part


def test_every_speed_needs_a_path_in_the_band() -> None:
    """49 frames against 42 share a factor of 7 and need a band of 0.0102; in between, against 43, one of 0.0114."""
    crop, ends = DataSettings(crop_seconds=1.0), {"speed_low": 1.0, "speed_high": 1.18}
    assert config(band=0.011, speed_step=0.18, **ends).data_settings(crop) == crop
    with pytest.raises(UserError, match=r"and 4\d frames"):
        config(band=0.011, speed_step=None, **ends).data_settings(crop)


def test_slow_speeds_need_a_frame_at_speed_1_as_well() -> None:
    with pytest.raises(UserError, match=r"0\.025 s at speed 1;"):
        config(speed_low=0.5, speed_high=0.6).data_settings(DataSettings(crop_seconds=0.024))


def test_fields_of_other_variants_have_no_effect() -> None:
    assert config(variant="mse", gamma=0.5, pad_max=0.2, speed_low=0.6, band=0.3) == config(variant="mse")
    assert config(variant="softdtw", pad_side="left") == config(variant="softdtw")
    assert config(variant="none", lr=1e-4, lambda_sisdr=0.1, layers=[1]) == config(variant="none")
    assert config(hidden=48) == config()
    assert config(size="base", hidden=48) != config(size="base")
    assert config(variant="mse", l2norm="on") != config(variant="mse")


def test_what_null_stands_for() -> None:
    assert [config(variant=name).normalizes for name in ("mse", "mse_pad", "mse_speed_interp", "softdtw")] == [
        *(False, False, False, True)
    ]
    assert config().softness == 0.1
    assert config(l2norm="off").softness == pytest.approx(10.0)
    assert config().compared_layers == (3,)
    assert config(size="base").compared_layers == (12,)
    assert config().speeds == (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2)
    assert config(speed_low=0.9, speed_high=1.1, speed_step=0.1).speeds == (0.9, 1.0, 1.1)
    assert config(speed_step=None).speeds is None


def test_frames_are_those_of_the_upstreams() -> None:
    assert (frames_of(400), frames_of(16_000), frames_of(64_000)) == (1, 49, 199)


def test_every_variant_layer_and_rate_shares_its_stages() -> None:
    one = config(variant="mse").stages(1, **PLACE)
    for other in (config(variant="none"), config(variant="softdtw", lr=1e-3), config(variant="mse", layers=[1])):
        assert [stage.key for stage in other.stages(1, **PLACE)] == [stage.key for stage in one]
    assert [stage.kind for stage in one] == ["front_end", "pretraining"]
    keys = {stage.key for seed in (1, 2) for stage in config().stages(seed, **PLACE)}
    assert len(keys) == 4
    assert len({config(front_steps=steps).stages(1, **PLACE)[0].key for steps in (1, 2)}) == 2


def test_runs_of_base_size_are_marked_as_faithful_in_part() -> None:
    (note,) = INFO.cautions(config(size="base"))
    assert note.startswith("faithful=partial")
    assert not INFO.cautions(config())


def test_it_is_read_without_torch() -> None:
    code = "import trainables.position_invariant.info, trainables.position_invariant.gates.stages, sys; "
    subprocess.run([sys.executable, "-c", f"{code}sys.exit('torch' in sys.modules)"], check=True)
