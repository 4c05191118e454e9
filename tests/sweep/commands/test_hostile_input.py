"""Whatever is typed or lies in a sweep's folder: a clear line or a right result, never a traceback."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulation.simulated import simulated_plan
from sweep.commands.main import run_command
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored import layout
from sweep.stored.by_name import load_plan
from sweep.stored.heartbeat import Hours, read_pulse
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

FLAGS = [
    "--space", "--preset", "--upstreams", "--corpus", "--samples", "--seeds", "--steps", "--labelled-minutes",
    "--seed", "--set", "--name", "--output", "--tracking-uri", "--study-uri", "--max-hours", "--resume",
    "--help-config",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["", "0", "-1", "nan", "inf", "1e400", "norm_layers", "smoke", "tera", "tera,tera", "a=b", "k0="]),
    st.sampled_from(["k0=0.5", "k0=[1]", "norm_layers=[9]", "../x", "s3://", "s3://b", "ftp://x", "x.py", "/dev/null"]),
    st.sampled_from(["postgresql://u:pw@h/d", "http://u:pw@h", "sqlite://", "://", "\x00", "2**9", "{}"]),
    st.text(max_size=12),
)


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@given(pairs=st.lists(st.tuples(st.sampled_from(FLAGS), VALUES), max_size=4))
def test_any_command_line_is_a_plan_or_one_clear_line(
    inside: Path, capsys: pytest.CaptureFixture[str], pairs: list[tuple[str, str]]
) -> None:
    typed = ["--space", "norm_layers", *(part for pair in pairs for part in pair), "--dry-run"]
    try:
        status = run_command("run", typed)
    except SystemExit as exit:  # argparse says what is wrong in its own way
        status = int(exit.code or 0)
    said = capsys.readouterr()
    assert status in (0, 2)
    assert "Traceback" not in said.err
    if status == 2:
        assert "error: " in said.err
    assert list(inside.iterdir()) == []  # a dry run writes nothing


@pytest.mark.parametrize("flag", ["--space", "--corpus", "--output", "--name", "--resume", "--study-uri"])
def test_a_null_byte_is_refused_wherever_it_stands(inside: Path, capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert run_command("run", ["--space", "norm_layers", flag, "a\x00b", "--dry-run"]) == 2
    assert capsys.readouterr().err == "error: 'a\\x00b' holds a null byte; leave it out\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CONTENT = st.one_of(st.binary(max_size=40), JSON.map(lambda value: json.dumps(value).encode()))


@given(content=CONTENT)
def test_a_damaged_plan_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    Storage(tmp_path / "broken").write(layout.PLAN, content)
    with pytest.raises(UserError, match="is not a plan") as error:
        load_plan("broken", str(tmp_path))
    assert "\n" not in str(error.value)


@given(field=st.sampled_from(sorted(simulated_plan().to_json())), value=JSON)
def test_a_plan_with_any_one_field_damaged_never_ends_in_a_traceback(tmp_path: Path, field: str, value: object) -> None:
    damaged = {**simulated_plan().to_json(), field: value}
    Storage(tmp_path / "broken").write(layout.PLAN, json.dumps(damaged).encode())
    try:
        load_plan("broken", str(tmp_path))
    except UserError as error:
        said = str(error)
    else:
        return
    assert "is not a plan" in said


@given(content=CONTENT)
def test_a_damaged_heartbeat_is_no_sign_of_life(tmp_path: Path, content: bytes) -> None:
    storage = Storage(tmp_path)
    storage.write(layout.HEARTBEAT, content)
    assert read_pulse(storage).life == "never started"
    assert Hours(storage, 1.0, clock=lambda: 0.0).spent() == 0.0


@settings(max_examples=settings().max_examples * 2 // 5)  # each waits for a disk to sync
@given(
    file=st.sampled_from(["model.pt", "progress.json", "manifest.json"]),
    damage=st.sampled_from(["flip", "cut", "grow", "empty"]),
    where=st.floats(0, 0.999),
)
def test_a_damaged_checkpoint_is_never_used(tmp_path: Path, file: str, damage: str, where: float) -> None:
    storage = Storage(tmp_path / "damaged")
    storage.delete_prefix("jobs")
    checkpoints = StoredCheckpoints(storage)
    old, new = ({"model.pt": bytes([n] * 30), "progress.json": b'{"step": 1}'} for n in (1, 2))
    checkpoints.save("g/search/c/0000", 4, old)
    checkpoints.save("g/search/c/0000", 8, new)
    path = f"jobs/g/search/c/0000/step-8/{file}"
    content = storage.read(path)
    at = int(where * len(content))
    storage.write(
        path,
        {
            "flip": content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
            "cut": content[:at],
            "grow": content + b"x",
            "empty": b"",
        }[damage],
    )
    assert checkpoints.newest("g/search/c/0000") == (4, old)
