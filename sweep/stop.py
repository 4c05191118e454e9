"""Stop a running sweep cleanly, from another shell: rounds under way end, and --resume continues from there.

python sweep/stop.py NAME
python sweep/stop.py NAME --output s3://bucket/prefix --now
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
