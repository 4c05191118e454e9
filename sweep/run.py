"""Run a sweep and print its answer.

    python sweep/run.py --space norm_layers            # the demo, on any machine
    python sweep/run.py --space norm_layers --corpus DIR --dry-run
    python sweep/run.py --help

Works from the repository, and as a lone copy (`ray submit` copies it to the head's home folder).
"""

import os
import sys
from pathlib import Path

VERSION = "0.1.0"  # of the package this script belongs to; a copy may meet another one
_FOLDER = Path(__file__).resolve().parent

if __name__ == "__main__":
    # A lone copy lies among a user's own files: none of them may be imported in place of a module.
    sys.path[:] = [entry for entry in sys.path if Path(os.path.realpath(entry)) != _FOLDER]
    if _FOLDER.name == "sweep" and (_FOLDER.parent / "trainables" / "trainable.py").exists():
        sys.path.insert(0, str(_FOLDER.parent))
    try:
        from sweep import __version__
    except ImportError as error:
        sys.exit(
            f"error: speech-sweep is not installed for {sys.executable} ({error}): "
            "in its repository, run `pip install .`, or `make sweep`"
        )
    if __version__ != VERSION:
        sys.exit(
            f"error: this run.py is version {VERSION}, the installed speech-sweep is {__version__}: "
            "install the matching package or copy its sweep/run.py"
        )
    from sweep.commands.main import run_command

    sys.exit(run_command("run", sys.argv[1:]))
