"""Who opened a test set before, and which candidates are newer: across sweeps, per test set."""

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.simulation.simulated import simulated_plan
from sweep.plan.plan import Plan
from sweep.stored.openings import TEST_SETS, Openings
from sweep.verdict.result import EarlierReads
from trainables.base.storage.storage import Storage

FIRST = simulated_plan(name="first", identity="a", corpus_fingerprint="corpus")
SECOND = replace(FIRST, name="second", identity="b")


def _without(plan: Plan, label: str) -> Plan:
    groups = (replace(g, candidates=tuple(c for c in g.candidates if c.label != label)) for g in plan.groups)
    return replace(plan, groups=tuple(groups))


def test_the_first_sweep_has_none_before_it_also_when_asked_again_later(tmp_path: Path) -> None:
    openings = Openings(Storage(tmp_path))
    nothing: EarlierReads = {"sweeps": 0, "first": None, "added": []}
    assert openings.before(FIRST, "tera") == nothing
    openings.record(FIRST, "tera")
    openings.record(SECOND, "tera")
    assert openings.before(FIRST, "tera") == nothing


def test_candidates_that_the_first_reader_did_not_have_are_named(tmp_path: Path) -> None:
    openings = Openings(Storage(tmp_path))
    openings.record(_without(FIRST, "layer2"), "tera")
    openings.record(SECOND, "tera")
    third = replace(FIRST, name="third", identity="c")
    for plan, sweeps in ((SECOND, 1), (third, 2)):
        found = openings.before(plan, "tera")
        assert (found["sweeps"], found["added"]) == (sweeps, ["layer2"])
        assert found["first"] is not None


def test_the_same_candidates_under_other_names_are_not_new(tmp_path: Path) -> None:
    openings = Openings(Storage(tmp_path))
    openings.record(FIRST, "tera")
    renamed = tuple(replace(c, label=f"new-{c.label}") for c in SECOND.groups[0].candidates)
    plan = replace(SECOND, groups=(replace(SECOND.groups[0], candidates=renamed),))
    assert openings.before(plan, "tera")["added"] == []


def test_a_resumed_sweep_counts_once_and_its_first_note_stays(tmp_path: Path) -> None:
    openings = Openings(Storage(tmp_path))
    openings.record(FIRST, "tera")
    (note,) = tmp_path.rglob("a.json")
    written = note.read_bytes()
    openings.record(FIRST, "tera")
    openings.record(FIRST, "wav2vec2")
    assert note.read_bytes() == written
    assert openings.before(SECOND, "tera")["sweeps"] == 1


def test_other_audio_and_other_cuts_are_other_test_sets_and_training_settings_are_not(tmp_path: Path) -> None:
    openings = Openings(Storage(tmp_path))
    openings.record(FIRST, "tera")

    def seen(plan: Plan) -> int:
        return openings.before(plan, "tera")["sweeps"]

    data = SECOND.data
    assert seen(replace(SECOND, corpus_fingerprint="other")) == 0
    assert seen(replace(SECOND, data=replace(data, evaluation_clip_seconds=data.evaluation_clip_seconds + 1))) == 0
    assert seen(replace(SECOND, data=replace(data, swap_roles=True))) == 0
    assert seen(replace(SECOND, data=replace(data, batch=data.batch + 1, labelled_minutes=1.0))) == 1


def test_more_or_less_of_the_same_audio_is_the_same_test_set(tmp_path: Path) -> None:
    """A longer set begins with the shorter one, whose clips have then been heard."""
    openings = Openings(Storage(tmp_path))
    openings.record(FIRST, "tera")
    for seconds in (FIRST.data.test_seconds + 4, FIRST.data.test_seconds / 2):
        longer_or_shorter = replace(SECOND, data=replace(SECOND.data, test_seconds=seconds))
        assert openings.before(longer_or_shorter, "tera")["sweeps"] == 1


def test_a_note_that_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    openings = Openings(Storage(tmp_path))
    openings.record(FIRST, "tera")
    (folder,) = (tmp_path / TEST_SETS).iterdir()
    (folder / "torn.json").write_bytes(b'{"sweep": ')
    (folder / "odd.json").write_text(json.dumps({"sweep": "x"}))
    assert openings.before(SECOND, "tera")["sweeps"] == 1
