"""Whatever is typed after any command: a right answer or one clear line, never a traceback, and nothing is written.

`make test-slow` types 10,000 random command lines, `make test` the same few every time.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from sweep.commands.main import COMMANDS, main
from tests.support.sweeps.finished_sweep import finished_sweep

# What breaks programs, by what it stands for.
HOME = ["~", "~0", "~+", "~-", "~nobody/x", "~no-such-user", "~root/x", "./~0"]
TEXT = [
    "", " ", "\t", "a b", "a\nb", "a\x00b", "\x1b[31m", "\u202e", "\udcff.wav", "ü", "𝔘", "²", "٣", "%", "%s",
    "%20", "?", "#", "'", "\"", "\\", "`id`", "$HOME", "*", ";", "a=b", "=", "a,b", ",", "{}", "[", "{0}", "None",
    "null", "true", "x" * 300, "x" * 5000, "a/" * 2000,
]  # fmt: skip
NUMBER = [
    "0",
    "-1",
    "-0",
    "1",
    "2",
    "3",
    "+3",
    "1e3",
    "1e400",
    "0x10",
    "1_000",
    "nan",
    "-inf",
    "inf",
    "0.5",
    "9" * 40,
    "1.5",
]
FLAG = ["-", "--", "-h", "-x", "--help", "--nope", "-1.5", "--=", "--space"]
PLACE = [
    ".", "..", "nowhere", "sweeps", "./sweeps/", "sweeps/evening", "in.wav", "in.wav/x", "text.txt", "empty",
    "link", "circle", "gone", "/dev/null", "/dev/null/x", "/proc/self/mem", "/root/../etc/passwd", "secret", "x.py",
    "//", "./-x",
]  # fmt: skip
ADDRESS = [
    "s3:", "s3://", "s3:///x", "s3://b", "s3://b/a b/ü", "s3://B_/x?y#z", "S3://b", "s3:/b", "s3://b/%20",
    "ftp://x", "file:///tmp", "http://", "http://u:pw@h", "https://[::1", "http://127.0.0.1:9/x", "sqlite://",
    "sqlite:///", "sqlite:///a?b#c", "sqlite:////dev/null", "postgresql://u:p@w@127.0.0.1:9/d", "postgresql://[",
    "mysql://h/d", "://", "databricks", "postgresql://h:port/d",
]  # fmt: skip
WORD = [
    "norm_layers", "evening", "evening/", "demo", "smoke", "paper", "tera", "tera,tera", "tera,nope", "all", "auto",
    "k0=0.5", "k0=[1]", "k0=", "norm_layers=[9]", "folder", "voicebank-demand", "wb_pesq", "si_sdr",
    "dnsmos,nb_pesq", "speaker", "json", "latex", "cache/stages", "tera/final/layer2/seed-1001",
    "tera/search/layer2/0003", "//", "0.34/8", "1/0/0",
]  # fmt: skip
_RANDOM = st.text(max_size=12).filter(lambda text: not text.startswith("/"))  # an existing folder may be a whole disk
VALUES = st.one_of(*map(st.sampled_from, (HOME, TEXT, NUMBER, FLAG, PLACE, ADDRESS, WORD)), _RANDOM)

FLAGS = {
    "run": [
        "--space", "--preset", "--upstreams", "--corpus", "--samples", "--seeds", "--steps", "--labelled-minutes",
        "--seed", "--set", "--name", "--output", "--tracking-uri", "--study-uri", "--max-hours", "--resume",
        "--help-config", "--also", "--gpus-per-trial", "--notify", "--price", "--async", "--json", "--list-spaces",
    ],
    "prepare": ["--help"],
    "status": ["--output", "--json"],
    "leaderboard": ["--output", "--format", "--metric", "--by", "--compare", "--watch", "--published"],
    "judge": [
        "--output", "--candidate", "--seed", "--utterance", "--speaker", "--group", "--value", "--metric", "--wide",
        "--speaker-from", "--lower", "--higher", "--nominate", "--baseline", "--margin", "--alpha", "--unit",
        "--mlflow", "--experiment", "--format",
    ],
    "stop": ["--output", "--now"],
    "enhance": ["--output", "--group"],
    "replay": ["--output"],
    "clean": ["--output", "--free"],
}  # fmt: skip
# With these each command gets to its work: random words alone would end at the parser.
USUAL = {
    "run": ["--space", "norm_layers"],
    "prepare": ["folder", "speech", "target"],
    "status": ["evening"],
    "leaderboard": ["evening"],
    "judge": ["evening"],
    "stop": ["evening"],
    "enhance": ["evening", "in.wav", "out.wav"],
    "replay": ["evening", "tera/final/layer2/seed-1001"],
    "clean": [],
}
EXAMPLES = 10_000 if settings.get_current_profile_name() == "random" else 150


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with its usual arguments, any of them replaced, and flags with values that suit them or not."""
    command = draw(st.sampled_from([*COMMANDS, "run"]))
    words = [draw(VALUES) if draw(st.integers(0, 3)) == 0 else word for word in USUAL[command]]
    for flag in draw(st.lists(st.sampled_from(FLAGS[command]), max_size=4)):
        form = draw(st.sampled_from(["pair", "pair", "joined", "alone"]))
        value = draw(VALUES) if form != "alone" else ""
        words += {"pair": [flag, value], "joined": [f"{flag}={value}"], "alone": [flag]}[form]
    if draw(st.integers(0, 9)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(VALUES))
    return [command, *words, *(["--dry-run"] if command == "run" else [])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's folder: a finished sweep, a recording, and what else lies about."""
    folder = tmp_path_factory.mktemp("user")
    finished_sweep(folder / "sweeps")
    soundfile.write(folder / "in.wav", np.sin(np.arange(16000) / 9), 16000)
    (folder / "text.txt").write_text("no audio")
    (folder / "x.py").write_text("import nowhere")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("sweeps")
    (folder / "circle").symlink_to("circle")
    (folder / "gone").symlink_to("nowhere/at/all")
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SPEECH_SWEEP_", "MLFLOW_", "AWS_", "RAY_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # no credentials, found out at once
        os.chdir(folder)
        yield folder
        os.chdir(before)


def _all_files(folder: Path) -> dict[str, tuple[int, int]]:
    found = [Path(parent, name) for parent, _, names in os.walk(folder) for name in [".", *names]]
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


@pytest.mark.timeout(7200)
@settings(max_examples=EXAMPLES)
@given(line=command_lines())
@example(line=["run", "--space", "norm_layers", "--corpus", "~0", "--dry-run"])
@example(line=["run", "--space", "norm_layers", "--corpus", "~nobody/x", "--dry-run"])
@example(line=["run", "--space", "~+", "--dry-run"])
@example(line=["prepare", "folder", "~0", "~nobody"])
@example(line=["enhance", "evening", "~0", "~-/out.wav"])
@example(line=["status", "evening", "--output", "~0"])
@example(line=["status", "evening", "--output", "circle"])
@example(line=["run", "--space", "circle/x.py", "--dry-run"])
@example(line=["run", "--space", "norm_layers", "--corpus", "circle", "--output", "circle/x", "--dry-run"])
@example(line=["prepare", "folder", "circle", "circle/x"])
@example(line=["prepare", "--", "folder", "--", "target"])
@example(line=["enhance", "evening", "circle", "circle/out.wav"])
@example(line=["clean", "--output", "circle", "--free=--"])
def test_any_command_line_is_an_answer_or_one_clear_line(
    folder: Path, capsys: pytest.CaptureFixture[str], line: list[str]
) -> None:
    before = _all_files(folder)
    try:
        status = main(line)
    except SystemExit as exit:  # argparse says what is wrong in its own way
        status = int(exit.code or 0)
    said = capsys.readouterr()
    event(f"{line[0]} {status}")
    assert status in (0, 2), said.err
    assert "Traceback" not in said.err
    problem = said.err[said.err.rfind("error: ") :] if "error: " in said.err else ""
    assert bool(problem) == (status == 2), said.err
    if said.err.startswith("error: "):  # of ours
        assert said.err.count("\n") == 1
        assert said.err[:-1].isprintable()
    assert _all_files(folder) == before
