"""Say how a sweep is doing: alive or dead, how far, who is ahead, and what to type next.

python sweep/status.py NAME
python sweep/status.py NAME --output s3://bucket/prefix --json
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
