"""List the disk space of caches and checkpoints, and free what can be recomputed or is no longer needed.

python sweep/clean.py
python sweep/clean.py --free cache/stages
python sweep/clean.py --free NAME
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
