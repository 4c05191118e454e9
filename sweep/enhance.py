"""Let a sweep's winner work on a recording.

python sweep/enhance.py NAME in.wav out.wav
python sweep/enhance.py NAME in.wav out.wav --group tera
python sweep/enhance.py RUN_ID in.wav out.wav
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
        from sweep.enhance_command import main
    except ImportError as error:
        sys.exit(
            f"error: speech-sweep is not installed for {sys.executable} ({error}): "
            "in its repository, run `pip install .`, or `make sweep`"
        )
    sys.exit(main(sys.argv[1:]))
