"""A user's own file is a space like the built-in ones, and its mistakes are reported with file and line."""

from pathlib import Path

import pytest

from search_spaces import find_space
from sweep.plan.plan import Plan
from sweep.report.listening.clips import CLEAN
from tests.support.sweeps.typed_plan import freeze, resume
from tests.support.sweeps.typed_plan import plan as built_in_plan
from trainables.base.errors import UserError
from trainables.inference import NOISY

GOOD = """
from dataclasses import replace
from search_spaces.norm_layers import NORM_LAYERS as BUILT_IN
from search_spaces.space import Candidate

def candidates(group, preset):
    return [
        Candidate(label="none", config={"norm_layers": []}, baseline=True),
        Candidate(label="both", config={"norm_layers": [1, 2]}),
    ]

MINE = replace(BUILT_IN, name="pairs", candidates=candidates)
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "my_space.py"
    path.write_text(text)
    return path


def test_a_file_becomes_a_plan_with_its_candidates(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    made = built_in_plan(tmp_path, "--space", "my_space.py").plan
    assert (made.space, made.space_file) == ("pairs", str(path))
    assert [candidate.label for candidate in made.groups[0].candidates] == ["none", "both"]
    assert Plan.from_json(made.to_json()).space_object().name == "pairs"


def test_a_resumed_sweep_refuses_a_file_that_has_changed(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    freeze(built_in_plan(tmp_path, "--name", "first", "--space", "my_space.py"))
    assert resume(tmp_path, "first", "--space", "my_space.py").plan.space == "pairs"
    path.write_text(GOOD + "# another thought\n")
    with pytest.raises(UserError, match="has changed since"):
        resume(tmp_path, "first")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def broken(:", "SyntaxError in line 1"),
        ("x = 1\n1 / 0", "ZeroDivisionError in line 2"),
        ("x = 1", "must define one"),
        (GOOD.replace('label="both"', 'label="none"'), "share a label"),
        (GOOD.replace('label="none"', 'label="off"'), "no candidate is labelled 'none'"),
        (GOOD.replace('label="both"', 'label="../up"'), "'../up' may only hold"),
        (GOOD.replace('"pairs"', '"a b"'), "'a b' may only hold"),
        (GOOD.replace("[1, 2]", "nothing"), "NameError in line 9"),
    ],
)
def test_mistakes_are_one_line_that_names_the_place(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        find_space(str(path))
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("label", "by"), [(NOISY, "the unprocessed input"), (CLEAN, "the references")])
def test_what_stands_among_the_candidates_everywhere_lends_none_its_name(tmp_path: Path, label: str, by: str) -> None:
    path = write(tmp_path, GOOD.replace('label="both"', f'label="{label}"'))
    with pytest.raises(UserError, match=f"the label '{label}' is taken: .*{by}.*; give the candidate another"):
        find_space(str(path))


def test_a_missing_file_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        find_space(str(tmp_path / "absent.py"))


def test_a_suggest_function_that_fails_is_found_before_anything_starts(tmp_path: Path) -> None:
    broken = GOOD + "\nMINE = replace(MINE, suggest=lambda trial, group, candidate, preset: {}['lr'])\n"
    write(tmp_path, broken)
    with pytest.raises(UserError, match="suggest fails for tera none"):
        built_in_plan(tmp_path, "--space", "my_space.py")
