"""Train one job of a sweep again, afresh, and compare the bits with what the sweep stored.

python sweep/replay.py NAME tera/final/layer2/seed-1001
python sweep/replay.py NAME tera/search/layer2/0003
"""

import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


def _mend_module_path() -> None:
    """Take this script's own folder off the module path; put the repository on it if this is one."""
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != _FOLDER]
    if _FOLDER.name == "sweep" and (_FOLDER.parent / "trainables" / "trainable.py").exists():
        sys.path.insert(0, str(_FOLDER.parent))


if __name__ == "__main__":
    _mend_module_path()
    try:
        from sweep.replay_command import main
    except ImportError as error:
        sys.exit(
            f"error: speech-sweep is not installed for {sys.executable} ({error}): "
            "in its repository, run `pip install .`, or `make sweep`"
        )
    sys.exit(main(sys.argv[1:]))
