"""--resolve and --within: the plan that they make, its errors, and where the spreads come from."""

from pathlib import Path

import numpy as np
import pytest

from sweep.plan.plan import Plan
from sweep.settings.design import difference
from sweep.settings.dry_run import describe
from sweep.settings.settings import Planned
from sweep.stored.rows import store_rows
from tests.support.sweeps.result_rows import result_rows
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


def first_words(planned: Planned) -> list[str]:
    return [line.split(" ")[0] for line in describe(planned).splitlines()]


def test_resolve_prices_twice_the_seeds_that_the_spreads_ask_for(tmp_path: Path) -> None:
    made = plan(tmp_path, "--resolve", "0.2").plan
    assert made.resolve == 0.2
    assert len(made.seeds) == 2 * made.design["seeds"]
    assert made.first_seeds == 3
    assert made.alpha_per_look == made.alpha
    assert len(made.at_first_look().final_jobs("tera")) == 3 * 5
    assert Plan.from_json(made.to_json()) == made


def test_finer_differences_need_more_seeds(tmp_path: Path) -> None:
    coarse, fine = (plan(tmp_path, "--resolve", wanted).plan for wanted in ("0.3", "0.15"))
    assert len(coarse.seeds) < len(fine.seeds)


def test_within_takes_all_the_seeds_that_the_hours_pay_for(tmp_path: Path) -> None:
    planned = plan(tmp_path, "--within", "0.5")
    made = planned.plan
    assert planned.trade is not None
    assert made.resolve is None
    assert made.first_seeds == len(made.seeds) == planned.trade.chosen.seeds
    assert planned.trade.chosen.cost is not None
    assert planned.trade.chosen.cost <= 0.5 * 3600
    assert len(plan(tmp_path, "--within", "1").plan.seeds) > len(made.seeds)


def test_the_dry_run_shows_the_trade_with_the_choice_marked(tmp_path: Path) -> None:
    planned = plan(tmp_path, "--resolve", "0.2")
    lines = describe(planned).splitlines()
    marked = [line for line in lines if line.rstrip().endswith(" *") or " * " in line]
    assert len([line for line in marked if "chosen" not in line]) == 1
    assert "design" in first_words(planned)
    assert "design" not in first_words(plan(tmp_path, "--seeds", "3"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--resolve", "0"), "give a number above 0 in dB"),
        (("--resolve", "-0.1"), "give a number above 0 in dB"),
        (("--resolve", "nan"), "give a number above 0 in dB"),
        (("--resolve", "inf"), "give a number above 0 in dB"),
        (("--resolve", "1.2.3"), "give a number above 0 in dB"),
        (("--resolve", "5%"), "not measured in '%'"),
        (("--resolve", "0.1 MOS"), "not measured in 'MOS'"),
        (("--resolve", "0.001"), "the smallest is about"),
        (("--within", "0.001"), "the fewest for a verdict"),
        (("--within", "1", "--resolve", "0.1"), "--resolve and --within each choose"),
        (("--within", "1", "--seeds", "3"), "--seeds and --within each choose"),
        (("--resolve", "0.1", "--seeds", "auto"), "--seeds and --resolve each choose"),
        (("--space", "position_invariance", "--resolve", "0.1"), "no earlier sweep"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(tmp_path, *flags)
    assert not any(tmp_path.iterdir())


def test_the_unit_may_be_typed() -> None:
    assert difference("0.1 dB", "si_sdr") == difference("0.1db", "si_sdr") == difference("1e-1", "si_sdr") == 0.1
    assert difference("0.05", "wb_pesq") == 0.05


def test_the_spreads_of_an_earlier_sweep_of_the_same_question_serve(tmp_path: Path) -> None:
    """Those of the stored scores, not the typical ones; of another preset's none."""
    typical = plan(tmp_path, "--resolve", "0.3")
    earlier = plan(tmp_path, "--seeds", "5", "--name", "before")
    freeze(earlier)
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.5, (5, 5, 1)) + rng.normal(0, 0.01, (5, 5, 20))
    labels = [candidate.label for candidate in earlier.plan.group_plan("tera").candidates]
    rows = result_rows(scores, labels, earlier.plan.seeds).assign(job="")
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    store_rows(Storage(earlier.plan.output), records, "test")
    found = plan(tmp_path, "--resolve", "0.3")
    assert "before" in found.plan.design["source"]
    assert "typical" in typical.plan.design["source"]
    assert len(found.plan.seeds) > len(typical.plan.seeds)
    assert 0.3 < found.plan.design["spreads"]["tera"][0] ** 0.5 < 0.7
    assert found.plan.design["spreads"]["wav2vec2"] == found.plan.design["spreads"]["tera"]
    other = plan(tmp_path, "--resolve", "0.3", "--steps", "77")
    assert "typical" in other.plan.design["source"]


@pytest.mark.parametrize("flags", [("--resolve", "0.3"), ("--seeds", "auto")])
def test_an_earlier_sweep_serves_that_trained_fewer_seeds_than_it_might_have(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """Three of each candidate, and one more of one that stayed: those of no job are not waited for."""
    earlier = plan(tmp_path, *flags, "--name", "before")
    freeze(earlier)
    scores = np.random.default_rng(0).normal(0, 0.5, (5, 4, 1)) + np.zeros((5, 4, 20))
    labels = [candidate.label for candidate in earlier.plan.group_plan("tera").candidates]
    rows = result_rows(scores, labels, earlier.plan.seeds[:4]).assign(job="")
    rows = rows[(rows["seed"] != earlier.plan.seeds[3]) | (rows["candidate"] == labels[0])]
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    store_rows(Storage(earlier.plan.output), records, "test")
    found = plan(tmp_path, "--resolve", "0.3").plan.design
    assert "before" in found["source"]
    # All utterances are alike, so that the two-way interaction is the spread between seeds; `random` is set apart.
    three = scores[[label != "random" for label in labels], :3, 0]
    own = three - three.mean(axis=0) - three.mean(axis=1, keepdims=True) + three.mean()
    assert found["spreads"]["tera"][0] == pytest.approx((own**2).sum() / (3 * 2))


def test_a_resume_keeps_the_design_and_refuses_another(tmp_path: Path) -> None:
    planned = plan(tmp_path, "--resolve", "0.3", "--name", "mine")
    freeze(planned)
    assert resume(tmp_path, "mine").plan == planned.plan
    assert resume(tmp_path, "mine", "--resolve", "0.3 dB").plan == planned.plan
    for flags, message in (
        (("--resolve", "0.2"), "--resolve would change it"),
        (("--within", "2"), "--within would change it"),
        (("--seeds", "50"), "sets the number of seeds itself"),
    ):
        with pytest.raises(UserError, match=message):
            resume(tmp_path, "mine", *flags)
