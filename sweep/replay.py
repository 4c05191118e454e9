"""Train one job of a sweep again, afresh, and compare the bits with what the sweep stored.

python sweep/replay.py NAME tera/final/layer2/seed-1001
python sweep/replay.py NAME tera/search/layer2/0003
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is no place to import from; the repository is, also where it was never installed.
    sys.path[:] = [
        entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent
    ]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sweep.commands.replay import main

    sys.exit(main(sys.argv[1:]))
