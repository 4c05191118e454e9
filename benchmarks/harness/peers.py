"""Where a part of the benchmark finds its peers: the libraries that ours is compared with.

They are not part of any install of ours. The extra `bench` of pyproject.toml names them, and unless they are already
there, they are installed into an environment of their own below `.bench/`, on top of this one: there torch, numpy and
the rest are the same files, so ours and the peer run in one process and differ in nothing else.
"""

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
_INSTALL_SECONDS = 600
# In no extra, since it asks for a torchmetrics of 2023.
_APART = {"asteroid": ["asteroid==0.7.0"]}
_UNCONSTRAINED = {"asteroid": ("torchmetrics",)}
# Built for another torch than ours. asteroid imports it for a loss that nothing here uses, and it works without.
_UNFITTING = ("torchaudio/lib",)


def missing(modules: Sequence[str]) -> list[str]:
    """Of these top-level modules, those that this process cannot import."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def requirements(extra: str) -> list[str]:
    """What the extra of pyproject.toml asks for, or a peer that is in none."""
    if extra in _APART:
        return _APART[extra]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["optional-dependencies"][extra])


def how_to_install(extra: str) -> str:
    """For a person, where `python_with` could not."""
    return f"pip install {' '.join(map(repr, requirements(extra)))}"


def python_with(extra: str, modules: Sequence[str], base: Path) -> Path:
    """A Python that has ours and the peers; this one where they are there, or cannot be installed."""
    if not extra or not missing(modules):
        return Path(sys.executable)
    folder = base / extra
    python, note = folder / "bin" / "python", folder / "installed"
    wanted = _wanted(extra)
    if note.is_file() and note.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    packages = Path(_printed(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    ours = sysconfig.get_path("purelib")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    constraints = folder / "constraints.txt"
    constraints.write_text(_constraints(extra), encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command = [*pip, "--constraint", str(constraints), *requirements(extra)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        return Path(sys.executable)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr, flush=True)
        return Path(sys.executable)
    for path in _UNFITTING:
        shutil.rmtree(packages / path, ignore_errors=True)
    note.write_text(wanted, encoding="utf-8")
    return python


def _constraints(extra: str) -> str:
    """The versions of constraints.txt, but for what the peer asks for in another one."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith(_UNCONSTRAINED.get(extra, ("#",))))


def _wanted(extra: str) -> str:
    """Changes whenever the environment must be made anew."""
    return "\n".join([sys.version, sys.executable, *requirements(extra), _constraints(extra)])


def _printed(python: Path, code: str) -> str:
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
