"""A corpus that cannot give what a space asks for is refused by the plan, not by a worker."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.plan.plan import Plan
from sweep.settings.requirements import require_fit
from tests.support.sweeps import typed_plan
from trainables.base.errors import UserError

SPEAKERS = {"splits": {split: {"speakers": 3} for split in ("train", "valid", "test")}}


def plan(folder: Path, space: str, **summary: Any) -> Plan:
    return replace(typed_plan.plan(folder, "--space", space).plan, corpus_summary=summary)


@pytest.mark.parametrize(
    ("space", "kind"),
    [
        ("norm_layers", "speech+noise"),
        ("norm_layers", "paired"),
        ("contrastive_schedule", "speech+noise"),
        ("separation_pretraining", "speech+noise"),
        ("separation_pretraining", "mixtures"),
        ("systems", "speech+noise"),
        ("systems_paired", "speech+noise"),
        ("systems_paired", "paired"),
    ],
)
def test_what_fits_passes(tmp_path: Path, space: str, kind: str) -> None:
    require_fit(plan(tmp_path, space, kind=kind, **SPEAKERS))


@pytest.mark.parametrize(
    ("space", "kind", "says"),
    [
        ("norm_layers", "mixtures", "give a corpus of speech/ and noise/, or choose a space on separation"),
        ("contrastive_schedule", "mixtures", "about one voice in noise"),
        ("contrastive_schedule", "paired", "that has speech/ and noise/ apart$"),
        ("systems", "paired", "apart, or choose a space without candidates of contrastive_se$"),
        ("systems_paired", "mixtures", "about one voice in noise"),
    ],
)
def test_the_wrong_kind_is_refused_by_name(tmp_path: Path, space: str, kind: str, says: str) -> None:
    with pytest.raises(UserError, match=f"--corpus demo holds .*{space}.*{says}"):
        require_fit(plan(tmp_path, space, kind=kind, **SPEAKERS))


def test_a_split_with_too_few_voices_for_a_mixture_is_named(tmp_path: Path) -> None:
    splits = {**SPEAKERS["splits"], "valid": {"speakers": 1}}
    with pytest.raises(UserError, match=r"split 'valid' has 1 speaker, and a mixture needs 2 different ones"):
        require_fit(plan(tmp_path, "separation_pretraining", kind="speech+noise", splits=splits))


def test_a_classifier_of_noise_types_is_refused_on_a_corpus_without_them(tmp_path: Path) -> None:
    typed = typed_plan.plan(tmp_path, "--space", "norm_rivals", "--set", "adversary_domains=noise").plan
    require_fit(typed)  # the demo's noises have types
    with pytest.raises(UserError, match=r"adversary_domains='noise' .*this corpus, whose training noises have no type"):
        require_fit(replace(typed, corpus_summary={"kind": "paired", **SPEAKERS}))
