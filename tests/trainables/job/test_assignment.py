"""An assignment travels as plain JSON and arrives unchanged."""

import json

from trainables.job.assignment import Assignment, DataSettings


def test_an_assignment_survives_json() -> None:
    assignment = Assignment(
        job="tera/final/layer2/seed-11",
        attempt=2,
        phase="final",
        config={"norm_layers": [2], "lr_head": 1e-3},
        data=DataSettings(batch=4, labelled_minutes=2.5),
        stages=({"kind": "pretraining", "rests_on": []},),
    )
    assert Assignment.from_json(json.loads(json.dumps(assignment.to_json()))) == assignment


def test_its_json_holds_plain_values_only() -> None:
    plain = Assignment(job="a/search/b/0001", stages=({"rests_on": ()},)).to_json()
    assert plain == json.loads(json.dumps(plain))


def test_what_a_newer_version_added_is_ignored() -> None:
    assert Assignment.from_json({"job": "a/search/b/0001", "colour": "blue"}) == Assignment(job="a/search/b/0001")
