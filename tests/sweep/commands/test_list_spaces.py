"""`--list-spaces` and `--help-config`: everything is there, once, and fits a terminal."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from search_spaces import SPACES
from sweep.commands.config_help import config_help
from sweep.commands.list_spaces import list_spaces
from sweep.commands.run import build_parser
from tests.support import REPOSITORY
from trainables.base.errors import UserError
from trainables.config.fields import rules_of
from trainables.config.registry import METHODS, config_class


@pytest.fixture(scope="module")
def page() -> list[str]:
    return list_spaces(build_parser()).splitlines()


def test_the_page_has_a_line_for_every_space_and_at_most_50_in_all(page: list[str]) -> None:
    assert len(page) <= 50
    assert max(map(len, page)) <= 120
    for space in SPACES.values():
        (line,) = [line for line in page if line.split()[:1] == [space.name]]
        assert line.endswith(space.question)


def test_groups_and_presets_stand_once_for_every_method(page: list[str]) -> None:
    for method in METHODS:
        spaces = [space for space in SPACES.values() if space.method == method]
        start = page.index(next(line for line in page if line.split()[:1] == [method]))
        block = page[start : [*page, ""].index("", start)]
        flags = {f"--{space.group_by}s {','.join(space.groups)}" for space in spaces if space.group_by}
        assert all(flag in block[0] for flag in flags)
        shown = [line.split()[1] for line in block if line.split()[0] == "--preset"]
        assert ["smoke", *shown] == list(spaces[0].presets)


def test_costs_are_those_of_a_dry_run_with_nothing_in_the_cache(page: list[str], tmp_path: Path) -> None:
    """norm_layers is named in the README; its demo takes 0.28 CPU-hours, 8.3 min on two cores and the start."""
    line = next(line for line in page if "norm_layers " in line)
    command = [sys.executable, "sweep/run.py", "--space", "norm_layers", "--preset", "demo", "--dry-run"]
    environment = {**os.environ, "SPEECH_SWEEP_CACHE": str(tmp_path)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    hours = re.search(r"about ([\d.]+) CPU-hours", done.stdout)
    minutes = re.search(r"(\d+) min", line)
    assert hours is not None
    assert minutes is not None
    assert int(minutes[1]) == pytest.approx(60 * float(hours[1]) / 2 + 0.5, abs=1)


def test_gpu_hours_count_every_step_of_every_job(page: list[str]) -> None:
    """norm_joint: 5 candidates x (6 trials + 5 seeds), 50,000 steps for tera, 100,000 for 3 others, x 0.1 s."""
    at_paper_scale = next(line for line in page if "--preset paper" in line)
    assert f"; {5 * 11 * (50_000 + 3 * 100_000) * 0.1 / 3600:.0f} to " in at_paper_scale


def test_the_page_needs_no_torch() -> None:
    code = (
        "import sys; from sweep.commands.main import run_command; run_command('run', ['--list-spaces']);"
        "sys.exit(bool({'torch', 'ray', 'optuna', 'pandas', 'scipy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_help_shows_every_field_with_default_range_unit_and_sentence(method: str) -> None:
    text = config_help(method)
    assert max(map(len, text.splitlines())) <= 100
    shown = " ".join(text.split())
    names = re.findall(r"^  (\w+)", text, flags=re.MULTILINE)
    kind = config_class(method)
    assert names == [each.name for each in fields(kind)]
    for name, rule in rules_of(kind).items():
        parts = re.escape(rule.brief), re.escape(rule.unit), re.escape(rule.help)
        assert re.search(rf"{name} \S+ {' '.join(parts)}", shown), name
        assert not rule.section or rule.section in text.splitlines()
        assert not rule.paper or f"{rule.paper.name} ({rule.paper.formula})" in shown


def test_the_help_of_a_space_is_that_of_its_method() -> None:
    assert config_help("norm_layers") == config_help("normalized_ssl")
    with pytest.raises(UserError, match="unknown method 'nothing'"):
        config_help("nothing")
