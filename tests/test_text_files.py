"""Every text file is UTF-8, whatever the locale: nothing is read or written in the locale's encoding."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY

FILES = [path for wing in ("sweep", "trainables", "search_spaces") for path in (REPOSITORY / wing).rglob("*.py")]
_PROCESS = {"run", "Popen", "check_output", "check_call"}
_TEXT = {"read_text", "write_text", "open", "NamedTemporaryFile", "TemporaryFile", "TextIOWrapper", "fdopen"}


def in_the_locales_encoding(tree: ast.AST) -> Iterator[int]:
    """The lines of calls that read or write text and name no encoding."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if (name in _PROCESS and given.keys() & {"text", "universal_newlines"}) or (
            name in _TEXT and _is_text(call, name, given)
        ):
            yield call.lineno


def _is_text(call: ast.Call, name: str, given: dict[str | None, ast.expr]) -> bool:
    owner = getattr(getattr(call.func, "value", None), "id", "")
    if "encoding" in given or owner in ("os", "Corpus", "Image"):
        return False
    if name in ("read_text", "write_text", "TextIOWrapper"):
        return True
    modes = [*call.args, *([given["mode"]] if "mode" in given else [])]
    binary = any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in modes)
    return not binary and not name.endswith("TemporaryFile")  # which is binary by default


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_text_is_utf_8(path: Path) -> None:
    assert list(in_the_locales_encoding(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("path.read_text()", True),
        ("path.write_text(page)", True),
        ("open(path)", True),
        ("path.open('a+')", True),
        ("path.open(newline='')", True),
        ("subprocess.run(['git'], text=True)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.open('rb')", False),
        ("open(path, mode='xb')", False),
        ("tempfile.TemporaryFile(dir=folder)", False),
    ],
)
def test_what_the_test_finds(line: str, found: bool) -> None:
    assert bool(list(in_the_locales_encoding(ast.parse(line)))) == found
