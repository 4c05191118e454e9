"""Train one job of a sweep again, afresh, and compare the bits with what the sweep stored.

python sweep/replay.py NAME tera/final/layer2/seed-1001
python sweep/replay.py NAME tera/search/layer2/0003
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
