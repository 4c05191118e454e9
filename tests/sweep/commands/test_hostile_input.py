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


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


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
