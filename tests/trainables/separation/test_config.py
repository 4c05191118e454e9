"""The configuration says no in one line, and equal trainings have equal configurations."""

import re
from typing import Any

import pytest

from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings
from trainables.job.stages import StagePlace, in_order
from trainables.separation.config import SeparationConfig

PLACE: StagePlace = {"corpus_uri": "/corpus", "corpus_fingerprint": "f"}


def config(**values: Any) -> SeparationConfig:
    return SeparationConfig.from_dict(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label_strategy": "cascaded"}, "label_strategy='cascaded' is not possible; allowed: one of pit, fixed"),
        ({"label_strategy": "cascade"}, "pool_mixtures=None is not possible; allowed: a number with label_strategy='c"),
        ({"label_strategy": "voice"}, "pool_mixtures=None is not possible; allowed: a number with label_strategy='v"),
        ({"pool_mixtures": 0}, "pool_mixtures=0 is not possible; allowed: a whole number from 1 to 1,000,000, or null"),
        (
            {"label_strategy": "fixed", "pool_mixtures": 9, "pit": "soft"},
            "label_strategy='fixed' is not possible; allowed: only pit with pit='soft'",
        ),
        (
            {"label_strategy": "anew", "strategy": "ptft", "norm_blocks": [1]},
            "norm_blocks=[1] is not possible; allowed: nothing with label_strategy='anew'",
        ),
        ({"modle": "dprnn"}, "separation has no field 'modle'"),
        ({"model": "tasnet"}, "model='tasnet' is not possible; allowed: one of convtasnet, dprnn, dptnet, sandglasset"),
        ({"sources": 1}, "sources=1 is not possible; allowed: a whole number from 2 to 5"),
        ({"lr": "fast"}, "lr='fast' is not possible; allowed: a number"),
        ({"sample_rate": 44100}, "sample_rate=44100 is not possible; allowed: one of 8000, 16000"),
        ({"chunk": 50}, "chunk=50 is not possible; allowed: only null with model='convtasnet'"),
        ({"kernel": 15}, "kernel=15 is not possible; allowed: an even number"),
        ({"strategy": "multitask", "pretrain_task": "cc"}, "pretrain_task='cc' is not possible"),
        ({"norm_blocks": [1]}, "norm_blocks=[1] is not possible; allowed: nothing without strategy='ptft'"),
        (
            {"norm_blocks": [99], "strategy": "ptft"},
            "norm_blocks=[99] is not possible; allowed: blocks 1 to 8",
        ),
        ({"model": "sandglasset", "chunk": 40}, "chunk=40 is not possible; allowed: a multiple of 16"),
        ({"model": "sandglasset", "blocks": 10}, "chunk=64 is not possible; allowed: a multiple of 256"),
        ({"model": "sandglasset", "blocks": 1, "chunk": 5}, "chunk=5 is not possible; allowed: an even number"),
        ({"model": "sandglasset", "bottleneck": 15}, "bottleneck=15 is not possible; allowed: a multiple of 2"),
        ({"model": "sandglasset", "size": "paper", "bottleneck": 100}, "allowed: a multiple of 8"),
        ({"model": "sandglasset", "size": "original"}, "size='original' is not possible; allowed: tiny or paper"),
        ({"model": "sandglasset", "checkpoint": "/w.pth"}, "checkpoint='/w.pth' is not possible; allowed: only null"),
        ({"pit": "soft", "temperature": 0}, "temperature=0 is not possible; allowed: a number from 0.01 to 100"),
        ({"pit": "soft", "temperature_end": 1.0}, "temperature_end=1.0 is not possible; allowed: below temperature"),
        ({"noise_snr_low": 20.0}, "noise_snr_low=20.0 is not possible; allowed: at most noise_snr_high"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        config(**values)


@pytest.mark.parametrize(
    "idle",
    [
        {"pretraining_steps": 7, "reinit": "clone", "mask_ratio": 0.3},
        {"pretrain_task": "mama", "mtl_ratio": 3.0, "cc_negatives": 5},
        {"k0": 0.1, "noam_scale": 1.0},
        {"temperature": 3.0, "temperature_end": 0.05, "temperature_share": 0.7},
    ],
)
def test_values_without_effect_make_no_difference(idle: dict[str, Any]) -> None:
    assert config(**idle) == config()


def test_only_a_falling_temperature_reads_where_it_ends() -> None:
    assert config(pit="soft", temperature_share=0.7) == config(pit="soft")
    falling = config(pit="soft", temperature_end=0.05, temperature_share=0.7)
    assert falling != config(pit="soft", temperature_end=0.05)
    assert falling.phase_switches() == (0.7,)
    assert config(pit="soft").phase_switches() == config().phase_switches() == ()
    assert config(pit="soft", temperature_end=0.05, temperature_share=1.0).phase_switches() == ()


def test_multitask_adds_an_output() -> None:
    assert config(strategy="multitask", sources=3).outputs == 4
    assert config(strategy="ptft", sources=3).outputs == 3


def test_examples_follow_the_configuration() -> None:
    data = config(sources=3, sample_rate=16000).data_settings(DataSettings())
    assert (data.speakers, data.sample_rate) == (3, 16000)


def test_only_fine_tuning_rests_on_pre_training() -> None:
    assert config().stages(seed=1, **PLACE) == ()
    assert config(strategy="multitask").stages(seed=1, **PLACE) == ()
    assert len(config(strategy="ptft").stages(seed=1, **PLACE)) == 1


def test_a_shorter_pre_training_is_an_earlier_link_of_the_same_chain() -> None:
    def keys(steps: int) -> list[str]:
        stages = config(strategy="ptft", pretraining_steps=steps, pretraining_stretch=100).stages(seed=1, **PLACE)
        return [stage.key for stage in in_order(stages)]

    assert len(keys(300)) == 3
    assert keys(200) == keys(300)[:2]


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ({"lr": 3e-4, "clip": None, "reinit": "mask_net", "norm_blocks": [1]}, True),
        ({"cc_negatives": 5}, True),  # of another task
        ({"pit": "soft", "temperature": 3.0}, True),
        ({"model": "dprnn"}, False),
        ({"pretrain_task": "mama"}, False),
        ({"noise_snr_low": 0.0}, False),
        ({"hidden": 32}, False),
        ({"sample_rate": 16000}, False),
    ],
)
def test_trials_share_pre_training_unless_they_differ_in_what_it_is_made_of(
    change: dict[str, Any], shared: bool
) -> None:
    plain, changed = config(strategy="ptft"), config(strategy="ptft", **change)
    keys = [each.stages(seed=1, **PLACE)[0].key for each in (plain, changed)]
    assert (keys[0] == keys[1]) is shared


def test_every_seed_has_a_pre_training_of_its_own() -> None:
    keys = {config(strategy="ptft").stages(seed=seed, **PLACE)[0].key for seed in (1, 2, 3)}
    assert len(keys) == 3


def test_a_checkpoint_is_named_by_its_absolute_path() -> None:
    with pytest.raises(UserError, match="allowed: an absolute path"):
        config(strategy="ptft", checkpoint="model.pth")


def test_a_checkpoint_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"no checkpoint at /nowhere\.pth"):
        config(strategy="ptft", checkpoint="/nowhere.pth").stages(seed=1, **PLACE)


def test_a_file_takes_the_place_of_pre_training_and_of_its_settings() -> None:
    file = {"strategy": "ptft", "checkpoint": "/weights.pth"}
    same = [config(**file), config(**file, pretrain_task="mama", mask_ratio=0.5), config(**file, pretraining_steps=7)]
    assert same[0] == same[1] == same[2]
    assert config(**file, reinit="clone") != same[0]
    assert config(**file, norm_blocks=[1]) != same[0]


# -- label strategies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "steps", "message"),
    [
        ({"label_strategy": "cascade", "pool_mixtures": 8}, 2, "with 2 steps only .* give 3 steps or more"),
        ({"label_strategy": "anew"}, 1, "with 1 step only .* give 2 steps or more"),
        ({"pool_mixtures": 7}, 100, "pool_mixtures=7 is not possible; allowed: null, or at least a batch, which has 8"),
    ],
)
def test_a_budget_that_does_not_go_with_the_labels_is_refused(values: dict[str, Any], steps: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(**values).check_budget(steps, DataSettings(batch=8))


def test_the_smallest_budgets_that_do() -> None:
    data = DataSettings(batch=8)
    config(label_strategy="cascade", pool_mixtures=8).check_budget(3, data)
    config(label_strategy="anew").check_budget(2, data)
    config().check_budget(1, data)


def test_labels_leave_pre_training_alone_and_mark_their_phases() -> None:
    plain, kept = config(strategy="ptft"), config(strategy="ptft", label_strategy="cascade", pool_mixtures=50)
    keys = [[stage.key for stage in each.stages(1, **PLACE)] for each in (plain, kept)]
    assert keys[0] == keys[1]
    assert kept.phase_switches() == (1 / 3, 2 / 3)
    assert config(label_strategy="energy").phase_switches() == ()
