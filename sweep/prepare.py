"""Prepare a corpus once, for many sweeps.

python sweep/prepare.py folder ~/recordings ~/corpora/mine
python sweep/prepare.py folder ~/recordings s3://bucket/corpora/mine
python sweep/prepare.py --help
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is no place to import from; the repository is, also where it was never installed.
    sys.path[:] = [
        entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent
    ]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sweep.commands.prepare import main

    sys.exit(main(sys.argv[1:]))
