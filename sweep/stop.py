"""Stop a running sweep cleanly, from another shell: rounds under way end, and --resume goes on from there.

python sweep/stop.py NAME
python sweep/stop.py NAME --output s3://bucket/prefix --now
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is no place to import from; the repository is, also where it was never installed.
    sys.path[:] = [
        entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent
    ]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sweep.commands.stop import main

    sys.exit(main(sys.argv[1:]))
