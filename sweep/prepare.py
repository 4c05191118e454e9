"""Prepare a corpus once, for many sweeps.

python sweep/prepare.py folder ~/recordings ~/corpora/mine
python sweep/prepare.py folder ~/recordings s3://bucket/corpora/mine
python sweep/prepare.py --help
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
