"""List what caches and checkpoints take, and free what can be made again or is no longer needed.

python sweep/clean.py
python sweep/clean.py --free cache/stages
python sweep/clean.py --free NAME
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is no place to import from; the repository is, also where it was never installed.
    sys.path[:] = [
        entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent
    ]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sweep.commands.clean import main

    sys.exit(main(sys.argv[1:]))
