"""What installed packages add by entry points: found by name, loaded late, and refused in one line that says why."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search_spaces import SPACES, find_space
from sweep.plan.code_version import training_code_fingerprint
from tests.support import REPOSITORY
from tests.support.packages import environment_with, on_path
from trainables.audio.recipes.recipes import RECIPES
from trainables.base.errors import UserError
from trainables.config.registry import METHODS, group_flags
from trainables.metrics.catalogue import EVERYDAY, shown_in
from trainables.metrics.scorer import Scorer

METHOD_GROUP, SPACE_GROUP = "[speech_sweep.methods]\n", "[speech_sweep.spaces]\n"


def package(folder: Path, name: str, entry_points: str, **modules: str) -> Path:
    """An installed package as pip leaves it: its modules and its metadata."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    return folder


def test_every_kind_of_thing_is_found_by_its_name(toy_package: Path) -> None:
    toy_config: Any = METHODS["toy"].config
    assert toy_config(lr=0.1).to_dict()["lr"] == 0.1
    assert find_space("toy_strength").method == "toy"
    assert "one level" in RECIPES["toy-flat"].summary
    assert "toy_level" not in EVERYDAY
    assert shown_in("listening") == ("wb_pesq", "si_sdr", "stoi", "toy_level")
    assert "--flavours" in group_flags()
    assert SPACES.added_by("toy_strength") == "speech-sweep-toy"
    assert SPACES.added_by("norm_layers") is None


def test_an_unknown_name_is_refused_with_those_there_are(toy_package: Path) -> None:
    with pytest.raises(UserError, match=r"unknown method 'toi': .*normalized_ssl, position_invariant, separation, toy"):
        METHODS["toi"]


def test_once_the_package_is_gone_its_things_are_unknown(tmp_path: Path) -> None:
    package(tmp_path, "lab", METHOD_GROUP + "mine = lab_module:INFO")
    with on_path(tmp_path):
        assert "mine" in METHODS
    assert "mine" not in METHODS


def test_an_added_metric_scores_like_a_built_in_one(toy_package: Path) -> None:
    import numpy as np

    tone = (0.1 * np.sin(np.arange(16000) / 10)).astype(np.float32)
    (row,) = Scorer(["toy_level"]).score(["a"], [tone], [tone / 10])
    assert (row["value"], row["status"]) == (pytest.approx(-20.0, abs=1e-4), "ok")


def test_listing_names_imports_no_package(toy_folder: Path) -> None:
    code = "import sys; from search_spaces import SPACES; print('toy_strength' in SPACES, 'speech_toy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment_with(toy_folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("entry_points", "says"),
    [
        (METHOD_GROUP + "mine = absent_module:INFO", "cannot be loaded (ModuleNotFoundError"),
        (METHOD_GROUP + "mine = lab_module:NOTHING", "cannot be loaded (AttributeError"),
        (
            METHOD_GROUP + "mine = lab_module:BROKEN",
            "is not a trainables.config.method_info.MethodInfo named 'mine'",
        ),
        (METHOD_GROUP + "separation = lab_module:BROKEN", "have a built-in 'separation' already"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_package_and_entry_point(
    tmp_path: Path, entry_points: str, says: str
) -> None:
    package(tmp_path, "lab", entry_points, lab_module="BROKEN = 3\n")
    with on_path(tmp_path), pytest.raises(UserError) as refused:
        METHODS["mine"]
    text = str(refused.value)
    assert "\n" not in text
    assert text.startswith("package 'lab', entry point ")
    assert says in text


def test_a_package_cannot_stand_in_for_something_built_in(tmp_path: Path) -> None:
    package(tmp_path, "lab", SPACE_GROUP + "norm_layers = lab_space:MINE")
    with on_path(tmp_path), pytest.raises(UserError, match=r"'lab'.*built-in 'norm_layers'.*rename yours"):
        find_space("norm_layers")


def test_two_packages_with_the_same_name_are_both_named(tmp_path: Path) -> None:
    for name in ("lab", "other"):
        package(tmp_path, name, METHOD_GROUP + "mine = lab_module:INFO")
    with (
        on_path(tmp_path),
        pytest.raises(UserError, match=r"package '(lab|other)'.*package '(other|lab)'.*uninstall"),
    ):
        METHODS["mine"]


def test_a_space_of_a_package_is_checked_like_one_of_a_file(tmp_path: Path) -> None:
    text = (
        "from dataclasses import replace\n"
        "from search_spaces.norm_layers import NORM_LAYERS\n"
        "BAD = replace(NORM_LAYERS, name='bad', baseline='off')\n"
    )
    package(tmp_path, "lab", SPACE_GROUP + "bad = lab_space:BAD", lab_space=text)
    with (
        on_path(tmp_path),
        pytest.raises(UserError, match="space bad of package lab: no candidate is labelled 'off'"),
    ):
        find_space("bad")


def test_a_broken_package_breaks_only_what_asks_for_it(tmp_path: Path) -> None:
    package(tmp_path, "lab", METHOD_GROUP + "mine = absent_module:INFO")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [sys.executable, REPOSITORY / "sweep" / "run.py", *arguments]
        return subprocess.run(command, env=environment_with(tmp_path), cwd=tmp_path, capture_output=True, text=True)

    assert run("--help").returncode == 0
    assert run("--help-config", "separation").returncode == 0
    asked = run("--help-config", "mine")
    assert asked.returncode == 2
    assert asked.stderr.startswith("error: package 'lab', entry point mine")


def test_the_code_version_is_of_contents_and_covers_packages(tmp_path: Path) -> None:
    ours = training_code_fingerprint()
    package(tmp_path, "lab", METHOD_GROUP + "mine = lab_module:INFO", lab_module="INFO = 1\n")

    def with_package() -> str:
        with on_path(tmp_path):
            return training_code_fingerprint()

    first = with_package()
    assert first != ours
    (tmp_path / "lab_module.py").write_text("INFO = 2\n")
    assert with_package() != first
    (tmp_path / "lab_module.py").unlink()
    (tmp_path / "lab_module").mkdir()
    (tmp_path / "lab_module" / "__init__.py").write_text("INFO = 1\n")
    assert with_package() == first  # moved, not changed
    assert training_code_fingerprint() == ours
